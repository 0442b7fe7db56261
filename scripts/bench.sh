#!/usr/bin/env bash
# Builds the servers of bench/ and compares them, in at most five minutes.
# Arguments go to bench/compare.
set -euo pipefail
cd "$(dirname "$0")/.."
tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT
go -C bench build -o "$tmp/" ./compare ./peers/...
servers=leat,gws,coder,gorilla
if command -v cc >/dev/null; then
	cc -O3 -march=native -o "$tmp/floor" bench/floor/floor.c
	servers+=,floor
else
	echo "no C compiler: the table has no floor" >&2
fi
"$tmp/compare" -bin "$tmp" -servers "$servers" -limit 4m15s "$@"
