#!/usr/bin/env python3
"""Runs the unittest cases below a folder (test_*.py) and ends with the plain line "N passed, N failed".

    run.py FOLDER [PATTERN]        PATTERN: file names, default test_*.py

With $COUNTS set, "PASSED FAILED" also goes into that file. A folder without any test is a failure: tests that are not
found must not look like tests that pass.
"""
import os
import signal
import sys
import unittest


class Result(unittest.TextTestResult):
    passed = 0

    def addSuccess(self, test):
        super().addSuccess(test)
        self.passed += 1


def give_up(_number, _frame):
    """A suite that is ended from outside must still clean up: what it started is ended at exit."""
    raise KeyboardInterrupt


def main():
    signal.signal(signal.SIGTERM, give_up)
    folder, pattern = sys.argv[1], (sys.argv + ["test_*.py"])[2]
    suite = unittest.defaultTestLoader.discover(folder, pattern, top_level_dir=folder)
    result = unittest.TextTestRunner(sys.stdout, verbosity=2, resultclass=Result).run(suite)
    failed = len(result.failures) + len(result.errors) + len(result.unexpectedSuccesses)
    if result.testsRun == 0 and not failed:
        print("no tests in %s" % folder)
        failed = 1
    for test, why in result.skipped:
        print("skipped: %s: %s" % (test, why))
    if os.environ.get("COUNTS"):
        with open(os.environ["COUNTS"], "w", encoding="utf-8") as f:
            f.write("%d %d\n" % (result.passed, failed))
    print("%d passed, %d failed" % (result.passed, failed), flush=True)
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
