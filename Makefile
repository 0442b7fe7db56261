# The work around the code. `make` alone lists what there is.

.DEFAULT_GOAL := help
.PHONY: help test check deps fmt lint race fuzz browser conformance cross bench bench-full golden

help: ## this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-11s %s\n", $$1, $$2 }' Makefile

test: ## everything; installs what it lacks
	@scripts/test.sh

check: ## the quick part: under two minutes, installs nothing
	@scripts/check.sh

deps: ## install what the tests need (as root), or say what to install
	@scripts/deps.sh

fmt: ## format the Go files
	@scripts/golangci-lint fmt

lint: ## the linters of .golangci.yml
	@scripts/golangci-lint run

race: ## every Go test under the race detector
	@go test -race ./...

fuzz: ## every fuzz target, 2000 inputs each
	@scripts/fuzz.sh

browser: ## the page in Chromium and its reader in Node.js
	@npm --prefix internal/site/browser test

conformance: ## the WebSocket cases of the RFCs, counted by category
	@scripts/conformance.sh

cross: ## vet for the systems that this machine is not
	@scripts/cross.sh

bench: ## beside other servers, in 5 minutes; WRITE=1 keeps the tables
	@scripts/bench.sh $(if $(WRITE),-readme bench/README.md)

bench-full: ## all servers and all the work, in half an hour; WRITE=1 too
	@scripts/bench.sh full $(if $(WRITE),-readme bench/README.md)

golden: ## rewrite golden files; read the diff before you commit it
	@go test $$(git grep -l 'flag.Bool("update"' -- '*_test.go' | xargs -n1 dirname | sort -u | sed 's|^|./|') \
		-run 'Golden|TestAPI|TestScripts' -update
