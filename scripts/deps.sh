#!/bin/sh
# Installs the Debian packages that building and testing need, those that are missing. Silent when all is there.
#   deps.sh [build|check]     build: only what the program itself needs; check (default): the tools of `make check` too
set -eu

build="gcc libc6-dev make meson ninja-build pkg-config libevent-dev libcurl4-openssl-dev libjansson-dev libyaml-dev
 libmicrohttpd-dev libcmocka-dev python3 openssl ca-certificates"
check="clang clang-format clang-tidy libclang-rt-14-dev llvm cppcheck universal-ctags curl git procps util-linux"

case ${1:-check} in
build) want=$build ;;
check) want="$build $check" ;;
*) echo "usage: deps.sh [build|check]" >&2; exit 2 ;;
esac

missing=
for p in $want; do
	dpkg-query -W -f='${Status}' "$p" 2>/dev/null | grep -q 'ok installed' && continue
	# pkgconf stands in for pkg-config, and any libcurl with the same headers for this one.
	case $p in
	pkg-config) command -v pkg-config >/dev/null 2>&1 && continue ;;
	libcurl4-openssl-dev) pkg-config --exists libcurl 2>/dev/null && continue ;;
	esac
	missing="$missing $p"
done
[ -n "$missing" ] || exit 0

if ! command -v apt-get >/dev/null 2>&1; then
	echo "deps.sh: not a Debian system; install what corresponds to:$missing" >&2
	exit 1
fi
sudo=
if [ "$(id -u)" -ne 0 ]; then
	command -v sudo >/dev/null 2>&1 || { echo "deps.sh: as root, please: apt-get install$missing" >&2; exit 1; }
	sudo=sudo
fi
echo "installing:$missing"
log=$(mktemp)
trap 'rm -f "$log"' EXIT
# shellcheck disable=SC2086  # the list is meant to be split
if ! { $sudo apt-get update -q &&
	$sudo env DEBIAN_FRONTEND=noninteractive apt-get install -y -q --no-install-recommends $missing; } >"$log" 2>&1; then
	tail -n 20 "$log" >&2
	exit 1
fi
