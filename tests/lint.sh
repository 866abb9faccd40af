#!/bin/sh
# The rules that a compiler does not check. usage: sh tests/lint.sh BUILD_DIR (with compile_commands.json)
set -eu
cd "$(dirname "$0")/.."
build=${1:-build/clang}
failed=0
fail() {
	echo "lint: $1"
	failed=1
}
sources=$(git ls-files 'agent/*.[ch]' 'scanners/*.[ch]' 'exporters/*.[ch]' 'tests/*.[ch]')
own=$(git ls-files 'agent/*.[ch]' 'scanners/*.[ch]' 'exporters/*.[ch]')

# Format.
# shellcheck disable=SC2086
clang-format --dry-run --Werror $sources 2>/tmp/leafwatch-format.$$ || {
	head -20 /tmp/leafwatch-format.$$
	fail "clang-format disagrees (clang-format -i FILE mends it)"
}
rm -f /tmp/leafwatch-format.$$

# Functions nobody may call, with what to use instead (CONTRIBUTING.md).
banned='\b(strcpy|strcat|sprintf|vsprintf|gets|strtok|atoi|atol|atoll|atof|system|popen|tmpnam|mktemp|alloca|strncat|rand|srand)[[:space:]]*\('
# shellcheck disable=SC2086
if grep -nE "$banned" $own; then
	fail "banned functions above"
fi
# Only the top may end the process.
# shellcheck disable=SC2046
if grep -nE '\b(exit|abort|_exit)[[:space:]]*\(' $(git ls-files 'agent/*.[ch]' 'scanners/*.[ch]' 'exporters/*.[ch]'); then
	fail "exit and abort belong to main alone"
fi

# Includes run one way (the architecture's arrows).
arrow() { # FOLDER FORBIDDEN-PATTERN
	if git ls-files "$1/*.[ch]" | xargs -r grep -nE "#include \"($2)"; then
		fail "$1 may not include the above"
	fi
}
arrow agent/base 'agent/(config|process|certificate|commands)/|agent/[a-z_]+\.h|scanners/|exporters/'
arrow agent/config 'agent/(process|certificate|commands)/|agent/[a-z_]+\.h|scanners/|exporters/'
arrow agent/certificate 'agent/(config|process|commands)/|agent/[a-z_]+\.h|scanners/|exporters/'
arrow agent/process 'agent/(config|commands)/|agent/[a-z_]+\.h|scanners/|exporters/'
arrow scanners 'agent/commands/|agent/[a-z_]+\.h|exporters/'
arrow exporters 'agent/(commands|process)/|agent/[a-z_]+\.h|scanners/'
if git ls-files 'agent/*.[ch]' 'scanners/*.[ch]' 'exporters/*.[ch]' | grep -v '^agent/certificate/' | xargs grep -n 'include <gnutls/x509.h>'; then
	fail "gnutls/x509.h has its home in agent/certificate"
fi

# Headers stand alone.
flags="-std=gnu17 -D_GNU_SOURCE -I. $(pkg-config --cflags gnutls libpsl libuv libcjson sqlite3 libmicrohttpd yaml-0.1)"
# shellcheck disable=SC2086
git ls-files 'agent/*.h' 'scanners/*.h' 'exporters/*.h' |
	xargs -P "$(nproc)" -n 16 cc $flags -x c -fsyntax-only || fail "headers above do not stand alone"

# clang-tidy. Its analyzer alone would take ten minutes: by default it follows a third of the paths that it does by itself
# (LEAFWATCH_LINT_NODES=225000).
if [ -f "$build/compile_commands.json" ]; then
	git ls-files 'agent/*.c' 'scanners/*.c' 'exporters/*.c' |
		xargs -P "$(nproc)" -n 4 clang-tidy --quiet -p "$build" --extra-arg=-Xclang --extra-arg=-analyzer-config \
			--extra-arg=-Xclang --extra-arg="max-nodes=${LEAFWATCH_LINT_NODES-75000}" 2>/dev/null ||
		fail "clang-tidy disagrees"
else
	fail "no $build/compile_commands.json: build first"
fi

[ "$failed" -eq 0 ] && echo "lint: clean"
exit "$failed"
