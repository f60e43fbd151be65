#!/bin/sh
# Builds the program into build/ and puts the programs that people call at its top: build/magnum-auto-healer,
# build/simworld, build/sim-run. Arguments: meson options for a first set-up.
set -eu
cd "$(dirname "$0")/.."
if [ ! -e build/build.ninja ]; then
	mkdir -p build
	meson setup build "$@" >build/setup.log 2>&1 || { cat build/setup.log; exit 1; }
fi
ninja -C build
for program in src/cli/magnum-auto-healer sim/simworld sim/sim-run; do
	[ ! -x "build/$program" ] || ln -sf "$program" "build/${program##*/}"
done
