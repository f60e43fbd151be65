#!/usr/bin/env python3
"""clang-tidy over our sources, several at a time. What was clean is remembered by the hash of its text and its preprocessed
text, so that only what a change can have touched is looked at again.

    tidy.py [--jobs N] [--cache FOLDER] BUILD-FOLDER      (one that was configured with clang)
"""
import argparse
import concurrent.futures
import hashlib
import json
import os
import shlex
import subprocess
import sys


def compile_commands(build):
    """The program's and the simulation's sources, each once, with their compiler commands. Not the tests: their
    assertions end a function in a way that the analyser cannot see."""
    root, seen = os.getcwd(), {}
    with open(os.path.join(build, "compile_commands.json"), encoding="utf-8") as f:
        for entry in json.load(f):
            path = os.path.normpath(os.path.join(entry["directory"], entry["file"]))
            if path.startswith((root + "/src/", root + "/sim/")) and path.endswith(".c"):
                seen.setdefault(path, entry)
    return seen


def preprocessed_hash(path, entry, salt):
    words, out = iter(shlex.split(entry["command"])), []
    for word in words:
        if word in ("-o", "-MF", "-MQ", "-MT"):
            next(words)
        elif word not in ("-c", "-MD"):
            out.append(word)
    text = subprocess.run(out + ["-E"], cwd=entry["directory"], capture_output=True, check=True).stdout
    with open(path, "rb") as f:  # its comments count, too: NOLINT is one
        return hashlib.sha256(salt + text + f.read()).hexdigest()


def look(path, entry, build, cache, salt):
    try:
        stamp = os.path.join(cache, preprocessed_hash(path, entry, salt))
    except subprocess.CalledProcessError as e:
        return path, e.stderr.decode(errors="replace"), False
    if os.path.exists(stamp):
        return path, "", True
    done = subprocess.run(["clang-tidy", "--quiet", "-p", build, path], capture_output=True, text=True, check=False)
    if done.returncode == 0 and not done.stdout.strip():
        with open(stamp, "w", encoding="utf-8"):
            pass
        return path, "", False
    return path, done.stdout + (done.stderr if done.returncode else ""), False


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--jobs", type=int, default=os.cpu_count())
    parser.add_argument("--cache", default="build-check/tidy")
    parser.add_argument("build")
    args = parser.parse_args()
    os.makedirs(args.cache, exist_ok=True)
    with open(".clang-tidy", "rb") as f:
        salt = f.read() + subprocess.run(["clang-tidy", "--version"], capture_output=True, check=True).stdout
    bad = remembered = 0
    files = compile_commands(args.build)
    with concurrent.futures.ThreadPoolExecutor(args.jobs) as pool:
        jobs = [pool.submit(look, p, e, args.build, args.cache, salt) for p, e in sorted(files.items())]
        for job in concurrent.futures.as_completed(jobs):
            _, text, was_known = job.result()
            remembered += was_known
            if text:
                bad += 1
                print(text, flush=True)
    print("%d files, %d unchanged, %d with findings" % (len(files), remembered, bad))
    return 1 if bad or not files else 0


sys.exit(main())
