package cli

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/leat-dev/leat/internal/access"
)

// leatToken returns what leat token prints.
func leatToken(t *testing.T, args ...string) string {
	t.Helper()
	var out, said bytes.Buffer
	if code := Main(t.Context(), append([]string{"token"}, args...), strings.NewReader(""), &out, &said); code != exitDone {
		t.Fatalf("%q: exit code %d, %s", args, code, &said)
	}
	return strings.TrimSuffix(out.String(), "\n")
}

// allows verifies a token by a key.
func allows(t *testing.T, token, issuer, audience string, key access.Source) *access.Grant {
	t.Helper()
	keys, err := access.LoadKeys([]access.Source{key})
	if err != nil {
		t.Fatal(err)
	}
	g, err := access.NewVerifier(keys, issuer, audience).Verify(token, time.Now())
	if err != nil {
		t.Fatal(err)
	}
	return g
}

func TestATokenAllowsWhatItWasMadeFor(t *testing.T) {
	t.Setenv("LEAT_SECRET", leatToken(t, "--new-secret"))
	before := time.Now()
	token := leatToken(t, "--subscribe", "room.*", "--subscribe", "machine.>", "--publish", "room.kitchen",
		"--for", "90m", "--subject", "ada", "--issuer", "me", "--audience", "leat", "--id", "dev")
	g := allows(t, token, "me", "leat", access.Source{Algorithm: access.HS256, ID: "dev", Env: "LEAT_SECRET"})
	if !slices.Equal(g.Subscribe, []string{"room.*", "machine.>"}) || !slices.Equal(g.Publish, []string{"room.kitchen"}) || g.Subject != "ada" {
		t.Errorf("%+v", g)
	}
	earliest, latest := before.Add(90*time.Minute-time.Second), time.Now().Add(90*time.Minute)
	if g.Expires.Before(earliest) || g.Expires.After(latest) {
		t.Errorf("it ends at %v", g.Expires)
	}
	g = allows(t, leatToken(t, "--publish", "a"), "", "", access.Source{Algorithm: access.HS256, Env: "LEAT_SECRET"})
	if life := time.Until(g.Expires); life < 59*time.Minute || life > time.Hour {
		t.Errorf("without --for it lives %v", life)
	}
}

func TestAConfigurationSaysWhoMakesATokenForWhom(t *testing.T) {
	t.Chdir(t.TempDir())
	t.Setenv("LEAT_TEST_SECRET", leatToken(t, "--new-secret"))
	const config = `{ topics: [{ subscribe: 'token' }], tokens: { issuer: 'me', audience: 'leat', keys: [{ algorithm: 'HS256', env: 'LEAT_TEST_SECRET' }] } }`
	if err := os.WriteFile("web.json5", []byte(config), 0o600); err != nil {
		t.Fatal(err)
	}
	key := access.Source{Algorithm: access.HS256, Env: "LEAT_TEST_SECRET"}
	allows(t, leatToken(t, "--subscribe", "a", "--config", "web.json5"), "me", "leat", key)
	allows(t, leatToken(t, "--subscribe", "a", "--config", "web.json5", "--issuer", "you"), "you", "leat", key)
	allows(t, leatToken(t, "--subscribe", "a", "--config", "web.json5", "--audience", "x", "--env", "LEAT_TEST_SECRET"), "me", "x", key)
}

// TestKeysAreMadeAsTheDocumentSays runs the commands of docs/tokens.md.
func TestKeysAreMadeAsTheDocumentSays(t *testing.T) {
	if _, err := exec.LookPath("openssl"); err != nil {
		t.Fatalf("%v; make deps installs it", err)
	}
	document, err := os.ReadFile(filepath.Join("..", "..", "docs", "tokens.md"))
	if err != nil {
		t.Fatal(err)
	}
	t.Chdir(t.TempDir())
	made := 0
	for _, m := range regexp.MustCompile(`(?m)^openssl .* -out (\S+\.pem)$`).FindAllStringSubmatch(string(document), -1) {
		words := strings.Fields(m[0])
		if out, err := exec.Command(words[0], words[1:]...).CombinedOutput(); err != nil {
			t.Fatalf("%s: %v\n%s", m[0], err, out)
		}
		made++
	}
	for algorithm, name := range map[string]string{access.RS256: "rs256", access.ES256: "es256", access.EdDSA: "eddsa"} {
		token := leatToken(t, "--subscribe", ">", "--key", name+".pem")
		if g := allows(t, token, "", "", access.Source{Algorithm: algorithm, File: name + ".public.pem"}); !g.MaySubscribe("a.>") {
			t.Errorf("%s: %+v", algorithm, g)
		}
	}
	if made != 6 {
		t.Errorf("the document makes %d files", made)
	}
}

func TestWhatIsToldOfATokenCannotControlTheTerminal(t *testing.T) {
	end := time.Date(2026, 12, 1, 12, 0, 0, 0, time.UTC)
	g := &access.Grant{Subject: "ada\x1b[2J", Subscribe: []string{"a", "b.*"}, Publish: []string{"c"}, Expires: end}
	const want = `HS256: ada\x1b[2J may subscribe to a, b.* and publish to c, until 2026-12-01 12:00:00 UTC`
	if got := told("HS256", g); got != want {
		t.Errorf("%s\nwant %s", got, want)
	}
}
