#!/usr/bin/env bash
# Looks for what the tests use besides Go and installs what is missing: from
# Debian's packages as root, and from npm. Elsewhere it says what to install.
set -euo pipefail
cd "$(dirname "$0")/.."
PATH=$PATH:/usr/sbin

for program in go node npm; do
	command -v "$program" >/dev/null || {
		echo "$program is missing. Leat's tests need Go 1.26, Node.js 20 with npm, and make." >&2
		exit 1
	}
done

# What the tests run, and the Debian package that has it.
missing=()
need() { command -v "$1" >/dev/null || missing+=("$2"); }
need cc gcc
need git git
need curl curl
need openssl openssl
need sed sed
need nginx nginx-light
need caddy caddy
need haproxy haproxy
need chromium chromium

if [ ${#missing[@]} -gt 0 ]; then
	if [ "$(id -u)" != 0 ] || ! command -v apt-get >/dev/null; then
		echo "The tests need: ${missing[*]}" >&2
		echo "On Debian or Ubuntu: sudo apt-get install ${missing[*]}" >&2
		exit 1
	fi
	echo "Installing ${missing[*]}"
	# RUNLEVEL=1 keeps Debian from starting what it installs.
	export DEBIAN_FRONTEND=noninteractive RUNLEVEL=1
	log=$(mktemp)
	{ apt-get update && apt-get install -y --no-install-recommends "${missing[@]}"; } >"$log" 2>&1 ||
		{ cat "$log" && exit 1; }
	rm "$log"
fi

# npm ci takes what package-lock.json names; once is enough for one lock file.
for lock in $(git ls-files '*package-lock.json'); do
	dir=$(dirname "$lock")
	if ! cmp -s "$lock" "$dir/node_modules/.installed"; then
		echo "Installing node modules of $dir"
		npm ci --prefix "$dir" --no-audit --no-fund --loglevel=error
		cp "$lock" "$dir/node_modules/.installed"
	fi
done
