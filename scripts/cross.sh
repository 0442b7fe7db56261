#!/usr/bin/env bash
# Compiles and vets every package, tests included, for other systems.
# Usage: scripts/cross.sh [GOOS...]
set -euo pipefail
[ $# -gt 0 ] || set -- darwin windows freebsd
for os; do
	CGO_ENABLED=0 GOOS=$os go vet ./...
done
