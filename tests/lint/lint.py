#!/usr/bin/env python3
"""Rules of the house that no compiler checks. Prints FILE:LINE: what is wrong; exit status 1 when there was any.

    lint.py [--root FOLDER] includes     layers point one way; the pure layers do no I/O and read no clock
    lint.py [--root FOLDER] headers      every header compiles alone
    lint.py [--root FOLDER] functions    none longer than 100 lines; those above 60 are listed
    lint.py [--root FOLDER] built        every source is in its folder's meson.build, every fuzz target has seeds
    lint.py [--root FOLDER] paths        no path of somebody's machine in a file
    lint.py --root BUILD symbols         no program there has a global name that one of its shared libraries has too: the
                                         library would call ours, or we the library's
"""
import argparse
import concurrent.futures
import json
import os
import re
import subprocess
import sys

# What a layer may include beside itself. base ← core ← conf ← kube|cloud|check|web|host ← daemon ← cli; the simulated
# world knows the base only.
MAY_INCLUDE = {
    "base": [],
    "core": ["base"],
    "conf": ["base", "core"],
    "kube": ["base", "core", "conf"],
    "cloud": ["base", "core", "conf"],
    "check": ["base", "core", "conf"],
    "web": ["base", "core", "conf"],
    "host": ["base", "core", "conf"],
    "daemon": ["base", "core", "conf", "kube", "cloud", "check", "web", "host"],
    "cli": ["base", "core", "conf", "kube", "cloud", "check", "web", "host", "daemon", "sim"],
    "sim": ["base"],
}
# These files of sim/ are programs and harnesses around the world, not the world: they may include everything.
SIM_SHELL = re.compile(r"^sim/(run|laws|serve|server|main|replica|net|control|demo|simworld|scenario)\w*\.[ch]$")

# Layers that compute and do nothing else: time comes as an argument, randomness from a seeded generator, the world
# through ports.
PURE = ("core", "kube", "cloud", "check", "sim")
IMPURE_CALLS = re.compile(
    r"(?<![\w.>])(?P<name>time|clock|clock_gettime|gettimeofday|localtime|gmtime|localtime_r|rand|random|srand|srandom|drand48|"
    r"getrandom|arc4random|getenv|secure_getenv|setenv|printf|fprintf|vprintf|vfprintf|puts|fputs|putchar|perror|syslog|"
    r"fopen|open|openat|read|write|pread|pwrite|socket|connect|accept|bind|listen|recv|send|sendto|recvfrom|poll|select|"
    r"epoll_wait|sleep|usleep|nanosleep|system|popen|fork|execve|execvp|posix_spawn|pthread_create|signal|sigaction)\s*\(")
IMPURE_HEADERS = re.compile(r"#\s*include\s*<(curl/|event2/|microhttpd|stdio_ext|pthread|sys/socket|sys/epoll|netdb|unistd|fcntl"
                            r"|signal|spawn|poll)[^>]*>")
CORE_ONLY = re.compile(r'(?<![\w.>])(?P<name>log_\w+)\s*\(|#\s*include\s*"base/(?P<header>log\.h)"')

MACHINE_PATH = re.compile(r"(?<![\w.~}$-])/(home/(?!me\b|user\b)|root/|work/|Users/(?!me\b)|mnt/|media/)[\w.-]+")  # /home/me: anybody's
TEXT = (".c", ".h", ".py", ".sh", ".md", ".yaml", ".yml", ".build", ".txt", ".go", ".mod", ".json", ".toml", "")

FUNCTION_LINES_MAX = 100
FUNCTION_LINES_WARN = 60


def files(root, suffixes, folders=("src", "sim", "tests")):
    out = []
    for folder in folders:
        for where, dirs, names in os.walk(os.path.join(root, folder)):
            dirs.sort()
            for name in sorted(names):
                if name.endswith(suffixes):
                    out.append(os.path.relpath(os.path.join(where, name), root))
    return out


def read(root, path):
    with open(os.path.join(root, path), encoding="utf-8", errors="replace") as f:
        return f.read()


def without_comments_and_strings(text):
    """The same text with comments and the insides of string and character literals blanked, line for line.
    #include lines are kept whole."""
    def blank(match):
        found = match.group(0)
        if found.startswith("#"):
            return found
        inside = re.sub(r"[^\n]", " ", found)
        return inside if found.startswith("/") else found[0] + inside[1:-1] + found[-1]
    return re.sub(r'^\s*#\s*include[^\n]*|/\*.*?\*/|//[^\n]*|"(?:\\.|[^"\\\n])*"|\'(?:\\.|[^\'\\\n])*\'', lambda m:
                  m.group(0) if m.group(0).lstrip().startswith("#") else blank(m), text, flags=re.S | re.M)


def layer(path):
    parts = path.split(os.sep)
    if parts[0] == "src" and len(parts) > 2:
        return parts[1]
    return "sim" if parts[0] == "sim" else None


def includes(root):
    bad = []
    for path in files(root, (".c", ".h"), ("src", "sim")):
        mine = layer(path)
        if mine == "sim" and SIM_SHELL.match(path):
            continue
        if mine not in MAY_INCLUDE:
            bad.append("%s:1: folder %s is no layer that this lint knows" % (path, os.path.dirname(path)))
            continue
        allowed = set(MAY_INCLUDE[mine]) | {mine}
        text = without_comments_and_strings(read(root, path))
        own = set(re.findall(r"^static\b[^;={}()]*?\b(\w+)\s*\(", text, re.M))  # its own send() is not the system's
        for number, line in enumerate(text.split("\n"), 1):
            here = "%s:%d: " % (path, number)
            found = re.match(r'\s*#\s*include\s*"([^"]+)"', line)
            if found:
                target = found.group(1)
                if "/" not in target:
                    bad.append(here + 'include "%s" by its folder, as "%s/%s"' % (target, mine, target))
                elif target.split("/")[0] not in allowed:
                    bad.append(here + "layer %s may not include %s (allowed: %s)" % (mine, target, ", ".join(sorted(allowed))))
            if mine in PURE:
                for call in IMPURE_CALLS.finditer(line):
                    if call.group("name") in own:
                        continue
                    bad.append(here + "%s() in a pure layer" % call.group("name"))
                if IMPURE_HEADERS.match(line.strip()):
                    bad.append(here + "a pure layer may not use %s" % line.strip())
            if mine == "core":
                for call in CORE_ONLY.finditer(line):
                    bad.append(here + "core does not log (%s)" % (call.group("name") or call.group("header")))
    return bad


def headers(root):
    packages = ["libcurl", "libevent_core", "jansson", "yaml-0.1", "libmicrohttpd", "cmocka"]
    flags = subprocess.run(["pkg-config", "--cflags"] + packages, capture_output=True, text=True, check=False).stdout.split()
    command = [os.environ.get("CC", "cc"), "-fsyntax-only", "-std=gnu17", "-D_GNU_SOURCE", "-DMAH_VERSION=\"0\"", "-Wall",
               "-Wextra", "-Werror", "-I", os.path.join(root, "src"), "-I", root] + flags + ["-x", "c", "-"]

    def alone(path):
        name = path[len("src/"):] if path.startswith("src/") else path
        # Twice: the guard must work. A declaration after it: the header must not end in the middle of one.
        text = '#include "%s"\n#include "%s"\nextern int lint_after_header;\n' % (name, name)
        done = subprocess.run(command, input=text, capture_output=True, text=True, check=False)
        return "%s:1: does not compile alone:\n%s" % (path, done.stderr.rstrip()) if done.returncode else None

    with concurrent.futures.ThreadPoolExecutor(2) as pool:
        return [found for found in pool.map(alone, files(root, (".h",), ("src", "sim"))) if found]


def functions(root):
    paths = files(root, (".c",))
    if not paths:
        return []
    done = subprocess.run(["ctags", "--languages=C", "--kinds-C=f", "--fields=+ne", "--output-format=json", "-o", "-"] + paths,
                          cwd=root, capture_output=True, text=True, check=True)
    bad, long, lengths = [], [], []
    for line in done.stdout.splitlines():
        tag = json.loads(line)
        if "end" not in tag:
            continue
        lines = tag["end"] - tag["line"] + 1
        lengths.append(lines)
        text = "%s:%d: %s() has %d lines" % (tag["path"], tag["line"], tag["name"], lines)
        if lines > FUNCTION_LINES_MAX:
            bad.append(text + ", at most %d" % FUNCTION_LINES_MAX)
        elif lines > FUNCTION_LINES_WARN:
            long.append(text)
    for text in long:
        print("warning: " + text)
    if lengths:
        lengths.sort()
        print("%d functions, median %d lines, %d above %d" % (len(lengths), lengths[len(lengths) // 2], len(long) + len(bad),
                                                              FUNCTION_LINES_WARN))
    return bad


def paths(root):
    listed = subprocess.run(["git", "ls-files", "-co", "--exclude-standard", "-z"], cwd=root, capture_output=True, check=False)
    names = [os.fsdecode(n) for n in listed.stdout.split(b"\0") if n] if listed.returncode == 0 else []
    if not names:  # not a work tree of git: an unpacked release
        names = files(root, ("",), (".",))
    bad = []
    for name in names:
        if os.path.splitext(name)[1] not in TEXT or not os.path.isfile(os.path.join(root, name)):
            continue
        if name.startswith("tests/lint/") or "/corpus/" in name:
            continue
        for number, line in enumerate(read(root, name).split("\n"), 1):
            found = MACHINE_PATH.search(line)
            if found:
                bad.append("%s:%d: path of a machine: %s" % (name, number, found.group(0)))
    return bad


def symbols(root):
    def globals_of(arguments, kinds):
        done = subprocess.run(["nm", "--defined-only"] + arguments, capture_output=True, text=True, check=False)
        fields = (line.split() for line in done.stdout.splitlines())
        return {f[2].split("@")[0] for f in fields if len(f) == 3 and f[1] in kinds and not f[2].startswith("_")}

    bad, theirs = [], {}
    for where, _, names in sorted(os.walk(root)):
        for path in (os.path.join(where, name) for name in sorted(names)):
            if not os.access(path, os.X_OK) or os.path.islink(path):
                continue
            with open(path, "rb") as f:
                if f.read(4) != b"\x7fELF":
                    continue
            linked = subprocess.run(["ldd", path], capture_output=True, text=True, check=False).stdout
            ours = globals_of(["-g", path], "T")
            for library in re.findall(r"=> (/\S+)", linked):
                if "san.so" in library:  # the sanitizers mean to stand in for functions of others
                    continue
                if library not in theirs:
                    theirs[library] = globals_of(["-D", library], "TWi")
                for name in sorted(ours & theirs[library]):
                    bad.append("%s: %s() is also in %s" % (os.path.relpath(path, root), name, library))
    return bad


def built(root):
    """A test that nobody runs is worse than none; a source that nobody builds misleads."""
    bad = []
    for path in files(root, (".c",)):
        folder, name = os.path.split(path)
        listed = re.sub(r"(fuzz_|)(.*)\.c$", r"\2", name) if folder.startswith("tests") else name
        while not os.path.exists(os.path.join(root, folder, "meson.build")) and folder:
            folder, above = os.path.split(folder)
            listed = above + "/" + listed
        text = re.sub(r"#.*", "", read(root, os.path.join(folder, "meson.build"))) if folder else ""
        if "'%s'" % listed not in text and "'%s.c'" % listed not in text:
            bad.append("%s:1: is not in %s/meson.build" % (path, folder or "."))
        seeds = os.path.join(root, os.path.dirname(path), "corpus", listed)
        if name.startswith("fuzz_") and not (os.path.isdir(seeds) and os.listdir(seeds)):
            bad.append("%s:1: has no seeds in corpus/%s" % (path, listed))
    return bad


RULES = {"symbols": symbols, "built": built, "includes": includes, "headers": headers, "functions": functions, "paths": paths}


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--root", default=os.path.normpath(os.path.join(os.path.dirname(os.path.abspath(__file__)), "../..")))
    parser.add_argument("rule", choices=sorted(RULES))
    args = parser.parse_args()
    bad = RULES[args.rule](args.root)
    for text in bad:
        print(text)
    return 1 if bad else 0


if __name__ == "__main__":
    sys.exit(main())
