#!/usr/bin/env bash
# Everything that must hold before a change lands.
set -uo pipefail
cd "$(dirname "$0")/.."

scripts/deps.sh || exit 1
. scripts/steps.sh

step check 'Format (gofumpt, goimports)' scripts/golangci-lint fmt --diff
step check 'Vet' go vet ./...
step check 'Lint' scripts/golangci-lint run
step go 'Tests, wire goldens and race detector' go test -race -json ./...
step go 'Tests without the event engine' env LEAT_ENGINE=goroutine go test -json . ./internal/serve ./internal/site
step go 'Fuzz, 2000 inputs a target' scripts/fuzz.sh -json
step tap 'The page in Chromium, its reader in Node.js' \
	npm --silent --prefix internal/site/browser test -- --test-reporter=tap
step go 'The tally of these tests' go test -json tools/tally/main.go tools/tally/main_test.go
step check 'Lint of conformance' bash -c 'cd conformance && ../scripts/golangci-lint run'
step go 'Conformance: other routers, real proxies, WebSockets by the RFCs' go -C conformance test -race -parallel 8 -json ./...
step go 'Conformance: WebSockets at full size' go -C conformance test -parallel 8 -json ./protocol
step check 'Lint of bench' bash -c 'cd bench && ../scripts/golangci-lint run'
step go 'Bench: the load, the tables, the codec beside others' go -C bench test -race -json ./...
for os in darwin windows freebsd; do
	step check "Vet for $os" scripts/cross.sh "$os"
done
summary
