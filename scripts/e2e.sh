#!/bin/bash
# The suites with real servers; they need the built program and leave nothing running.
#   e2e.sh [kube] [masters] [openstack]      default: all
# The last line is "N passed, N failed". What is built and installed for them is kept in the user's cache.
set -uo pipefail
cd "$(dirname "$0")/.."
suites=("$@")
[ ${#suites[@]} -gt 0 ] || suites=(kube masters openstack)
counts=$(mktemp)
trap 'rm -f "$counts"' EXIT
passed=0 failed=0
for suite in "${suites[@]}"; do
	: >"$counts"
	rc=0
	COUNTS=$counts timeout --signal=TERM --kill-after=120 1500 python3 tests/run.py tests/e2e "test_$suite.py" </dev/null || rc=$?
	if read -r p f <"$counts"; then
		passed=$((passed + p)) failed=$((failed + f))
	else
		echo "e2e $suite: ended with status $rc before it could count"
		failed=$((failed + 1))
	fi
done
echo "$passed passed, $failed failed"
[ "$failed" -eq 0 ]
