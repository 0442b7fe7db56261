#!/usr/bin/env bash
# The WebSocket cases of conformance/protocol, counted by category. Categories 1 to
# 13 have the numbers of the Autobahn test suite.
set -uo pipefail
cd "$(dirname "$0")/../conformance"

go test -count=1 -parallel 8 -v ./protocol "$@" 2>&1 | awk '
	/^ +--- (PASS|FAIL): Test(Server|Client)\/[a-z]+\// {
		split($3, part, "/")
		side = part[1] " " part[2]
		category = part[3]; sub(/\..*/, "", category)
		if (!(side in sides)) { sides[side] = ++n; name[n] = side }
		if (!(category in seen)) {
			seen[category] = category ~ /^[0-9]+$/ ? category + 0 : 100 + ++others
			row[seen[category]] = category
		}
		all[side, category]++; sum[side]++
		if ($2 == "FAIL:") { failed[side, category]++; lost[side]++ }
	}
	/^ *--- FAIL|_test\.go:[0-9]+:/ { said = said $0 "\n" }
	/^(FAIL|ok|---)/ { result = $0 }
	function cell(good, of) { return of ? good " of " of : "-" }
	END {
		printf "%-10s", ""
		for (i = 1; i <= n; i++) { title = name[i]; sub(/^Test/, "", title); printf "%20s", title }
		print ""
		for (j = 1; j <= 100 + others; j++) {
			if (!(j in row)) continue
			printf "%-10s", row[j]
			for (i = 1; i <= n; i++)
				printf "%20s", cell(all[name[i], row[j]] - failed[name[i], row[j]], all[name[i], row[j]])
			print ""
		}
		printf "%-10s", "all"
		for (i = 1; i <= n; i++) printf "%20s", cell(sum[name[i]] - lost[name[i]], sum[name[i]])
		if (result ~ /^FAIL/) printf "\n%s", said
		print "\n" result
	}'
