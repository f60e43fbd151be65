#!/bin/bash
# Everything that can be tested without a real cluster or cloud; see CONTRIBUTING.md. The last line is
# "N passed, N failed", counting test cases and steps; the exit status is 0 when none failed.
#   check.sh [STEP...]      only these steps: gcc tests simsan clang format cppcheck tidy release sim functional
# Environment: JOBS (number of processors), CHECK_DIR (build-check), SEEDS (5000)
set -uo pipefail
cd "$(dirname "$0")/.."
JOBS=${JOBS:-$(nproc)}
DIR=$(realpath -m "${CHECK_DIR:-build-check}")
SEEDS=${SEEDS:-5000}
mkdir -p "$DIR/log"
passed=0 failed=0
wanted=("$@")

wants() {
	[ ${#wanted[@]} -eq 0 ] && return 0
	local w
	for w in "${wanted[@]}"; do [ "$w" = "$1" ] && return 0; done
	return 1
}

# step NAME WHAT COMMAND...: runs it with its output in a log. A command may leave the numbers of its cases in
# $COUNTS as "PASSED FAILED"; otherwise the step counts as one.
step() {
	local name=$1 what=$2 log="$DIR/log/$1.log" began=$SECONDS rc=0 p f
	shift 2
	wants "$name" || return 0
	export COUNTS="$DIR/log/$name.counts"
	rm -f "$COUNTS"
	"$@" >"$log" 2>&1 </dev/null || rc=$?
	if [ -s "$COUNTS" ]; then
		read -r p f <"$COUNTS"
		[ "$rc" -eq 0 ] || [ "$f" -gt 0 ] || f=1
	elif [ "$rc" -eq 0 ]; then
		p=1 f=0
	else
		p=0 f=1
	fi
	passed=$((passed + p)) failed=$((failed + f))
	if [ "$f" -eq 0 ]; then
		printf 'ok    %-11s %-58s %4d passed %4d s\n' "$name" "$what" "$p" $((SECONDS - began))
	else
		printf 'FAIL  %-11s %-58s %4d failed %4d s\n' "$name" "$what" "$f" $((SECONDS - began))
		sed 's/^/      | /' "$log" | tail -n 60
		echo "      the whole of it: $log"
	fi
}

# configure FOLDER ARGUMENTS...: a build directory of its own, configured once
configure() {
	local dir=$1
	shift
	if [ -e "$dir/build.ninja" ]; then
		meson configure "$dir" "$@" >/dev/null
	else
		meson setup "$dir" "$@"
	fi
}

build_gcc() {
	CC=gcc configure "$DIR/gcc" -Db_sanitize=address,undefined -Doptimization=1 && ninja -C "$DIR/gcc" -j "$JOBS"
}
build_clang() {
	CC=clang configure "$DIR/clang" && ninja -C "$DIR/clang" -j "$JOBS"
}
build_release() {
	CC=gcc scripts/build.sh
}
# strict COMMAND...: whatever a sanitizer finds ends it
strict() {
	ASAN_OPTIONS=detect_leaks=1:abort_on_error=0 UBSAN_OPTIONS=halt_on_error=1:print_stacktrace=1 "$@"
}
unit_tests() {
	local rc=0
	strict meson test -C "$DIR/gcc" --num-processes "$JOBS" --print-errorlogs --no-rebuild || rc=$?
	python3 scripts/junit_counts.py "$DIR/gcc/meson-logs/testlog.junit.xml" >"$COUNTS"
	return $rc
}
simulation_sanitized() {
	strict "$DIR/gcc/sim/sim-run" --seeds 60 --jobs "$JOBS"
}
format() {
	git ls-files -co --exclude-standard '*.c' '*.h' | xargs clang-format --dry-run -Werror
}
cpp_check() {
	[ -e "$DIR/gcc/build.ninja" ] || CC=gcc configure "$DIR/gcc" -Db_sanitize=address,undefined -Doptimization=1 || return 1
	cppcheck --project="$DIR/gcc/compile_commands.json" -j "$JOBS" --quiet --inline-suppr --error-exitcode=1 \
		--enable=warning,performance,portability --cppcheck-build-dir="$DIR/cppcheck" \
		--suppress=missingIncludeSystem --suppress=nullPointerRedundantCheck --suppress=ctunullpointer \
		--suppress=internalAstError --library=posix,gnu --library=tests/lint/cppcheck.cfg \
		--file-filter="$PWD/src/*" --file-filter="$PWD/sim/*"
}
tidy() {
	[ -e "$DIR/clang/build.ninja" ] || CC=clang configure "$DIR/clang" || return 1
	python3 scripts/tidy.py --jobs "$JOBS" --cache "$DIR/tidy" "$DIR/clang"
}
simulation() {
	build/sim-run --seeds "$SEEDS" --jobs "$JOBS"
}
functional() {
	MAH_BUILD="$PWD/build" SIMWORLD="$PWD/build/sim/simworld" python3 tests/run.py tests/functional
}

step gcc "builds without a warning: gcc, sanitizers" build_gcc
step tests "unit tests, fuzz corpus, lint (sanitized)" unit_tests
step simsan "simulation, sanitized: 60 seeds" simulation_sanitized
step clang "builds without a warning: clang" build_clang
step format "clang-format" format
mkdir -p "$DIR/cppcheck"
step cppcheck "cppcheck" cpp_check
step tidy "clang-tidy" tidy
step release "builds without a warning: gcc, optimised" build_release
step sim "simulation: $SEEDS seeds, all laws" simulation
step functional "functional tests: the program against the simulated cloud" functional

echo "$passed passed, $failed failed"
[ "$failed" -eq 0 ]
