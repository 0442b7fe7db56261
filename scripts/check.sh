#!/usr/bin/env bash
# The quick part of test.sh: needs Go, curl, openssl and sed, and installs nothing.
set -uo pipefail
cd "$(dirname "$0")/.."
. scripts/steps.sh

unformatted() {
	local files
	files=$(git ls-files -z '*.go' | xargs -0 gofmt -l) && [ -z "$files" ] || {
		echo "not formatted (make fmt):" "$files"
		return 1
	}
}

step check 'Format' unformatted
step check 'Vet' go vet ./...
step check 'Vet of bench' go -C bench vet ./...
step go 'Tests' go test -json ./...
summary
