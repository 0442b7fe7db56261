package site_test

import (
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/leat-dev/leat"
	"github.com/leat-dev/leat/internal/site"
)

func TestNumbersCountUpWhileSomebodyReads(t *testing.T) {
	at := start(t, nil)
	type message struct {
		Event string
		Count int64
		Data  struct{ N int64 }
	}
	got := take[message](t, ask(t, at.url+"/live/play.numbers"), 13)[1:]
	tens := 0
	for i, m := range got {
		if m.Data.N != got[0].Data.N+int64(i) || m.Count != got[0].Count+int64(i) || (m.Event == "ten") != (m.Data.N%10 == 0) {
			t.Errorf("message %d is %+v", i, m)
		}
		if m.Event == "ten" {
			tens++
		}
	}
	if tens == 0 {
		t.Error("none of twelve is a tenth one")
	}
}

func TestEverybodyMayPlayOnThisMachineAlone(t *testing.T) {
	for listen, public := range map[string]bool{
		"http://127.0.0.1:0":              true,
		"127.1.2.3:4000":                  true,
		"http://localhost:80/":            true,
		"LOCALHOST":                       true,
		"http://[::1]:4000":               true,
		"http://[::1]":                    true,
		"http://:4000":                    false,
		"http://0.0.0.0:4000":             false,
		"[::]:4000":                       false,
		"http://192.168.1.7":              false,
		"http://localhost.example:4000":   false,
		"http://127.0.0.1.example:4000":   false,
		"unix:///run/127.0.0.1/leat.sock": false,
		"http://[::ffff:127.0.0.1]:4000":  true,
		"http://[::ffff:10.0.0.1]:4000":   false,
	} {
		c, err := leat.LoadFS(site.FS(), "web.json5")
		if err != nil {
			t.Fatal(err)
		}
		rule := func() string {
			i := slices.IndexFunc(c.Topics, func(r leat.TopicRule) bool { return r.Match == "play.>" })
			return c.Topics[i].Publish
		}
		c.Listen = append(c.Listen, listen)
		before := rule()
		site.Guard(c)
		want := "none"
		if public {
			want = "public"
		}
		if got := rule(); before != "public" || got != want {
			t.Errorf("with %s publish becomes %q, want %q", listen, got, want)
		}
	}
}

func TestWhatIsPublishedToPlayIsRead(t *testing.T) {
	at := start(t, nil)
	resp, err := http.Post(at.url+"/live/play.words", "text/plain", strings.NewReader("Hello"))
	if err != nil {
		t.Fatal(err)
	}
	if answer := body(t, resp); resp.StatusCode != http.StatusOK || !strings.Contains(answer, `"count":1`) {
		t.Errorf("status %d: %s", resp.StatusCode, answer)
	}
	if text := body(t, ask(t, at.url+"/live/play.words", "Accept", "application/json")); !strings.Contains(text, `"data":"Hello"`) {
		t.Errorf("it has %s", text)
	}
}
