package cli_test

import (
	"strings"
	"testing"
)

func TestOnATerminalATokenIsExplained(t *testing.T) {
	t.Parallel()
	env := []string{"LEAT_SECRET=" + strings.Repeat("secret", 6), "TZ=UTC"}
	p := onTerminal(t, 1000, env, "leat", "token", "--subscribe", "room.*", "--publish", "room.kitchen", "--subject", "ada")
	p.exits(0)
	p.see("eyJ*.*.*", "HS256: ada may subscribe to room.* and publish to room.kitchen, until 20*-*-* *:*:* UTC")
	p = onTerminal(t, 1000, env, "sh", "-c", "token=$(leat token --publish a); test ${#token} -gt 100 && echo that long")
	p.exits(0)
	p.see("HS256: who has it may publish to a, until 20*-*-* *:*:* UTC", "that long")
}
