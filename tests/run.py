#!/usr/bin/env python3
"""Runs the unittest cases below a folder (test_*.py) and ends with the plain line "N passed, N failed".

    run.py FOLDER [PATTERN]        PATTERN: file names, default test_*.py

With $COUNTS set, "PASSED FAILED" also goes into that file. A folder without any test is a failure: tests that are not
found must not look like tests that pass. Tests of a class with is_parallel = True, which mostly wait, run beside each other,
$TEST_JOBS (12) at a time.
"""
import concurrent.futures
import io
import os
import signal
import sys
import threading
import time
import unittest


class Result(unittest.TextTestResult):
    passed = 0

    def addSuccess(self, test):
        super().addSuccess(test)
        self.passed += 1

    def take(self, other):
        self.passed += other.passed
        self.testsRun += other.testsRun
        for kind in ("failures", "errors", "skipped", "expectedFailures", "unexpectedSuccesses"):
            getattr(self, kind).extend(getattr(other, kind))


def groups(suite):
    """What may run beside each other: single tests of classes that say is_parallel, otherwise whole classes."""
    classes, singles = {}, []
    todo = [suite]
    while todo:
        one = todo.pop()
        if isinstance(one, unittest.TestSuite):
            todo.extend(one)
        elif getattr(one, "is_parallel", False):
            singles.append(unittest.TestSuite([one]))
        else:
            classes.setdefault(type(one), []).append(one)
    return singles, [unittest.TestSuite(sorted(tests, key=lambda t: t.id())) for tests in classes.values()]


def run(suite, jobs):
    """Runs them; what a group says comes out in one piece when it has ended."""
    result = Result(unittest.runner._WritelnDecorator(sys.stdout), True, 2)
    lock = threading.Lock()

    def run_group(group):
        text = io.StringIO()
        own = Result(unittest.runner._WritelnDecorator(text), True, 2)
        began = time.monotonic()
        group.run(own)
        with lock:
            result.take(own)
            print("%s  (%.1f s)" % (text.getvalue().rstrip(), time.monotonic() - began), flush=True)

    singles, classes = groups(suite)
    with concurrent.futures.ThreadPoolExecutor(jobs) as pool:
        try:
            for done in [pool.submit(run_group, group) for group in singles]:
                done.result()
        except KeyboardInterrupt:
            pool.shutdown(cancel_futures=True)  # what runs comes to its end, and cleans up
            raise
    for group in classes:
        run_group(group)
    result.printErrors()
    return result


def give_up(_number, _frame):
    """A suite that is ended from outside must still clean up: what it started is ended at exit."""
    raise KeyboardInterrupt


def main():
    signal.signal(signal.SIGTERM, give_up)
    folder, pattern = sys.argv[1], (sys.argv + ["test_*.py"])[2]
    suite = unittest.defaultTestLoader.discover(folder, pattern, top_level_dir=folder)
    result = run(suite, int(os.environ.get("TEST_JOBS", "12")))
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
