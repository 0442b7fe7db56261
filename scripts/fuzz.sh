#!/usr/bin/env bash
# Runs every fuzz target by count, so that a slow machine tries as much as a
# fast one. Arguments go to go test.
set -euo pipefail
git ls-files '*_test.go' | xargs grep -H '^func Fuzz' |
	sed -E 's|^(.*)/[^/]+:func (Fuzz[A-Za-z0-9_]*).*|\1 \2|' | sort |
	while read -r dir target; do
		go test "$@" -run='^$' -fuzz="^$target\$" -fuzztime=2000x "./$dir"
	done
