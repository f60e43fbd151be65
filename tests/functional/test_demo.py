#!/usr/bin/env python3
"""The demonstration: how it ends when it cannot begin, when it is interrupted, and when the healing fails. (That it
succeeds is what `make demo` itself shows.)"""
import os
import signal
import subprocess
import sys
import unittest

from harness import BUILD, ROOT, Case, healer_program, program, until

DEMO = os.path.join(ROOT, "sim", "demo.py")


def children_of(pid):
    found = []
    for name in os.listdir("/proc"):
        try:
            with open("/proc/%s/stat" % name, encoding="utf-8", errors="replace") as f:
                fields = f.read().rpartition(")")[2].split()
        except (OSError, ValueError):
            continue
        if fields and fields[1] == str(pid):
            found.append(int(name))
    return found


class Demo(Case):
    def start(self, build):
        process = subprocess.Popen([sys.executable, DEMO, "--build", build], stdout=subprocess.PIPE, text=True,
                                   env={**os.environ, "TMPDIR": self.folder})
        self.addCleanup(process.stdout.close)
        self.addCleanup(process.wait)
        self.addCleanup(process.kill)
        return process

    def until_line(self, process, text):
        for line in process.stdout:
            if text in line:
                return
        self.fail("the demo ended before %r" % text)

    def assert_clean(self, pids):
        until("all are gone", lambda: not [p for p in pids if os.path.exists("/proc/%d" % p)], 10)
        self.assertEqual(os.listdir(self.folder), [])

    def test_without_a_build(self):
        process = self.start(self.folder)
        self.assertIn("is not built; try: make build", process.stdout.read())
        self.assertEqual(process.wait(timeout=20), 1)

    def test_interrupted(self):
        program("simworld", "sim/simworld")
        for number in (signal.SIGINT, signal.SIGTERM):
            process = self.start(BUILD)
            self.until_line(process, "systemctl stop kubelet")
            pids = children_of(process.pid)
            self.assertEqual(len(pids), 2)
            process.send_signal(number)
            self.assertIn("interrupted", process.stdout.read())
            self.assertEqual(process.wait(timeout=20), 130)
            self.assert_clean(pids)

    def test_a_healer_that_dies(self):
        os.symlink(program("simworld", "sim/simworld"), self.folder + "/simworld")
        os.symlink(healer_program(), self.folder + "/magnum-auto-healer")
        process = self.start(self.folder)
        self.until_line(process, "systemctl stop kubelet")
        pids = children_of(process.pid)
        healer = next(p for p in pids if os.readlink("/proc/%d/exe" % p).endswith("magnum-auto-healer"))
        os.kill(healer, signal.SIGKILL)
        rest = process.stdout.read()
        self.assertEqual(process.wait(timeout=20), 1)
        self.assertIn("FAILED: the healer ended with status -9", rest)
        os.unlink(self.folder + "/simworld")
        os.unlink(self.folder + "/magnum-auto-healer")
        self.assert_clean(pids)


if __name__ == "__main__":
    unittest.main()
