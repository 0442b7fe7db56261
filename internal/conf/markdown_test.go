package conf_test

import (
	"os"
	"regexp"
	"strings"
	"testing"

	"github.com/leat-dev/leat/internal/conf"
)

func TestGoldenReferencePageComesFromTheTable(t *testing.T) {
	golden(t, "../../docs/web-json5.md", conf.Markdown())
}

func TestThePagesExamplesLoad(t *testing.T) {
	blocks := regexp.MustCompile("(?s)```json5\n(.*?)```")
	for _, file := range []string{"../../docs/web-json5.md", "../../docs/ioto.md"} {
		src, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		for _, block := range blocks.FindAllSubmatch(src, -1) {
			if _, _, err := conf.Parse(block[1], file); err != nil {
				t.Errorf("%s\n%v", block[1], err)
			}
		}
	}
}

func TestEveryKeyOfThePageCanBeWritten(t *testing.T) {
	keys := regexp.MustCompile("(?m)^\\| `([$a-zA-Z.]+)`( \\*route\\*)? \\|")
	found := keys.FindAllStringSubmatch(string(conf.Markdown()), -1)
	for _, m := range found {
		if !canBeWritten(m[1]) {
			t.Errorf("%s is unknown wherever it is written", m[1])
		}
	}
	if len(found) < 100 {
		t.Errorf("only %d keys", len(found))
	}
}

// canBeWritten says whether a key is known in the server or an entry of one of
// its lists, whatever is said about its value there.
func canBeWritten(path string) bool {
	parts := strings.Split(path, ".")
	key := strings.Join(parts, ": { ") + ": null" + strings.Repeat(" }", len(parts)-1)
	for _, in := range []string{"{ KEY }", "{ routes: [{ KEY }] }", "{ redirect: [{ KEY }] }", "{ topics: [{ KEY }] }", "{ tokens: { keys: [{ KEY }] } }"} {
		_, _, err := conf.Parse([]byte(strings.Replace(in, "KEY", key, 1)), "web.json5")
		if err == nil || !strings.Contains(err.Error(), "unknown key") && !strings.Contains(err.Error(), "is a key of") {
			return true
		}
	}
	return false
}
