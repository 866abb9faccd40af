#!/bin/sh
# Builds leafwatch on a Debian 12 host and shows what it finds on it.
#
#   sh packaging/try.sh          installs what is missing, builds, scans this host, then goes on as the
#                                agent with the status page and /metrics up, until Ctrl-C
#   sh packaging/try.sh --once   ends after the first pass
#
# Installs packages with apt (as root or with sudo), writes only below build/. Safe to repeat.
set -eu
cd "$(dirname "$0")/.."
. packaging/dependencies.sh

once=
case "${1-}" in
--once) once=--once ;;
"") ;;
*)
	echo "usage: sh packaging/try.sh [--once]" >&2
	exit 2
	;;
esac

echo "==> what it needs"
# shellcheck disable=SC2086
install_missing $build_packages
echo "==> building (release)"
cmake --preset release >/dev/null
cmake --build --preset release

leafwatch=build/release/leafwatch
state=build/try
mkdir -p "$state"
echo "==> the agent, with its state in $state: first what it finds, then the page and /metrics"
# shellcheck disable=SC2086
exec "$leafwatch" run --state "$state" --print $once
