#!/usr/bin/env python3
"""Prints "PASSED FAILED" for meson's JUnit log: test cases where the test tells them apart (TAP), else whole tests."""
import sys
import xml.etree.ElementTree as tree

passed = failed = 0
for case in tree.parse(sys.argv[1]).getroot().iter("testcase"):
    kinds = {child.tag for child in case}
    if "skipped" in kinds:
        continue
    if kinds & {"failure", "error"}:
        failed += 1
    else:
        passed += 1
print(passed, failed)
