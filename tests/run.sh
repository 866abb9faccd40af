#!/bin/sh
# Installs what the tests need, builds with gcc and with clang (-Werror, AddressSanitizer,
# UndefinedBehaviorSanitizer) and runs everything through ctest.
#
#   sh tests/run.sh             both compilers
#   sh tests/run.sh --quick     gcc only
#
# As root or with sudo; writes only below build/. Safe to repeat. Tests that compare with third-party
# vectors take them from LEAFWATCH_VECTORS (a tar.xz) and say that they skip without.
set -eu
cd "$(dirname "$0")/.."
. packaging/dependencies.sh

presets="sanitize clang"
case "${1-}" in
--quick) presets="sanitize" ;;
"") ;;
*)
	echo "usage: sh tests/run.sh [--quick]" >&2
	exit 2
	;;
esac

echo "==> what the tests are built with; what they meet comes while the first compiler is at work"
# shellcheck disable=SC2086
install_missing $build_packages $test_build_packages
# shellcheck disable=SC2086
install_missing $test_packages &
installing=$!

if [ -n "${LEAFWATCH_VECTORS-}" ] && [ -f "$LEAFWATCH_VECTORS" ]; then
	LEAFWATCH_VECTORS_DIR=$PWD/build/vectors
	if [ ! -f "$LEAFWATCH_VECTORS_DIR/.unpacked" ]; then
		mkdir -p "$LEAFWATCH_VECTORS_DIR"
		tar -C "$LEAFWATCH_VECTORS_DIR" --strip-components=1 -xf "$LEAFWATCH_VECTORS"
		touch "$LEAFWATCH_VECTORS_DIR/.unpacked"
	fi
	export LEAFWATCH_VECTORS_DIR
else
	echo "==> LEAFWATCH_VECTORS is not set: tests on third-party vectors will be skipped"
fi

for preset in $presets; do
	echo "==> building ($preset)"
	# Two hundred programs are linked: mold does it in half the time.
	cmake --preset "$preset" -DCMAKE_EXE_LINKER_FLAGS=-fuse-ld=mold >/dev/null
	cmake --build --preset "$preset"
	if [ -n "$installing" ]; then
		echo "==> waiting for the packages"
		wait "$installing"
		installing=
	fi
	echo "==> testing ($preset)"
	# What starts real servers takes ten minutes: it runs with the first compiler. It waits now and then: one test
	# more than there are processors.
	only=
	[ "$preset" = sanitize ] || only="-LE system"
	# Some tests hold real programs to deadlines of the product (20 s for a file that is no archive, seconds for a
	# hostile server): where a test had a tenth of a processor, test_archives and test_hostile missed one. What fails
	# is tried once more, and ctest says so.
	# shellcheck disable=SC2086
	ASAN_OPTIONS=detect_leaks=1:abort_on_error=0 \
		UBSAN_OPTIONS=print_stacktrace=1:halt_on_error=1 \
		ctest --test-dir "build/$preset" --output-on-failure --no-tests=error --repeat until-pass:2 -j "$(($(nproc) + 1))" $only
done
