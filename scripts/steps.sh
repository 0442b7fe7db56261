# Sourced by test.sh and check.sh: steps under headings, and one summary.

tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT
passed=0 failed=0 skipped=0
started=$SECONDS

if [ -t 1 ] && [ -z "${NO_COLOR:-}" ]; then
	bold=$'\e[1m' red=$'\e[31m' plain=$'\e[0m'
else
	bold='' red='' plain=''
fi

# step KIND NAME COMMAND... runs COMMAND under the heading NAME. KIND says what
# it prints: `go` is the output of go test -json, `tap` is that of node --test,
# and `check` anything else, which counts as one test and is shown if it fails.
step() {
	local kind=$1 name=$2 begin=$SECONDS status p=0 f=0 s=0
	shift 2
	printf '\n%s== %s%s\n' "$bold" "$name" "$plain"
	if [ "$kind" = check ]; then
		if "$@" >"$tmp/out" 2>&1; then
			p=1
		else
			f=1
			cat "$tmp/out"
		fi
	else
		status=0
		"$@" 2>&1 | "$tmp/tally" -as "$kind" -to "$tmp/counts" || status=$?
		read -r p f s <"$tmp/counts"
		# A command that failed without a failing test has failed all the same.
		if [ "$status" != 0 ] && [ "$f" = 0 ]; then f=1; fi
	fi
	if [ "${CI:-}" = true ] && [ "$s" != 0 ]; then
		echo "a skipped test proves nothing: in CI it counts as failed"
		f=$((f + s)) s=0
	fi
	[ "$f" = 0 ] || printf '%sfailed%s: %s\n' "$red" "$plain" "$name"
	printf -- '-- %s in %d s\n' "$(counted "$p" "$f" "$s")" $((SECONDS - begin))
	passed=$((passed + p)) failed=$((failed + f)) skipped=$((skipped + s))
}

counted() {
	printf '%d passed, %d failed' "$1" "$2"
	[ "$3" = 0 ] || printf ', %d skipped' "$3"
}

# summary prints the last line and exits non-zero if anything failed.
summary() {
	printf '\nAll in %d s\n%s\n' $((SECONDS - started)) "$(counted "$passed" "$failed" "$skipped")"
	[ "$failed" = 0 ] && [ "$passed" != 0 ]
}

go build -o "$tmp/tally" tools/tally/main.go
