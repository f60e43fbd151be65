#!/bin/sh
# Runs a command as one test: its output, then "1 passed, 0 failed" or "0 passed, 1 failed".
if "$@"; then
	echo "1 passed, 0 failed"
else
	echo "0 passed, 1 failed"
	exit 1
fi
