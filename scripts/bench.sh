#!/usr/bin/env bash
# Builds the servers of bench/ and compares them, in at most five minutes, or all
# of them with all the work, in half an hour: scripts/bench.sh full. Further
# arguments go to bench/compare.
set -euo pipefail
cd "$(dirname "$0")/.."
tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT
servers=leat,gws,nbio,gosse,stdlib limit=4m30s args=()
if [ "${1:-}" = full ]; then
	shift
	servers=leat,gws,nbio,gobwas,coder,gorilla,gosse,stdlib,echov4 limit=22m args=(-full -hold 6s)
fi
go -C bench build -o "$tmp/" ./compare ./peers/...
if command -v cc >/dev/null; then
	cc -O3 -march=native -o "$tmp/floor" bench/floor/floor.c
	servers+=,floor
else
	echo "no C compiler: the table has no floor" >&2
fi
"$tmp/compare" -bin "$tmp" -servers "$servers" -limit "$limit" "${args[@]}" "$@"
