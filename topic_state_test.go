package leat_test

import (
	"context"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"

	"github.com/leat-dev/leat"
)

// life is one life of a server with a folder of state.
func life(t *testing.T, dir string) (srv *leat.Server, url string, j *journal, end func()) {
	t.Helper()
	j = newJournal()
	srv, err := leat.New(&leat.Config{
		Listen: []string{"http://127.0.0.1:0"}, State: dir, Logger: j.logger(), Topics: []leat.TopicRule{{Publish: "public"}},
		Routes: []leat.Route{{Match: "/live/", Handler: "topic"}},
	})
	if err != nil {
		t.Fatal(err)
	}
	if err := srv.Listen(); err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(context.Background())
	ran := make(chan error, 1)
	go func() { ran <- srv.Run(ctx) }()
	return srv, srv.URLs()[0] + "/live/", j, func() {
		t.Helper()
		stop()
		if err := receive(t, "the end", ran); err != nil {
			t.Errorf("Run: %v", err)
		}
	}
}

func TestReadersGoOnBehindACleanRestart(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "state")
	srv, base, _, end := life(t, dir)
	for i, m := range []leat.Message{leat.JSON(0), leat.Text("one"), leat.Binary([]byte{2})} {
		m.Event, m.Key = "e", fmt.Sprint("k", i)
		publishTo(t, srv, "a", m)
	}
	at := map[string]string{}
	for _, over := range topicTransports {
		f := followTopic(t, over, base+"a")
		at[over] = f.control("open").ID
		f.leave()
	}
	last := publishTo(t, srv, "a", leat.JSON(3))
	_, _, before := ask(t, http.MethodGet, base+"a", "", "Accept", "application/json")
	_, h, _ := ask(t, http.MethodHead, base+"a", "", "Accept", "application/json")
	end()
	srv, base, _, end = life(t, dir)
	if _, again, text := ask(t, http.MethodGet, base+"a", "", "Accept", "application/json"); text != before || again.Get("ETag") != h.Get("ETag") {
		t.Errorf("%s, before %s", text, before)
	}
	next := publishTo(t, srv, "a", leat.JSON(4))
	if epoch, _, _ := strings.Cut(last.ID, "-"); next.ID != epoch+"-5" || next.Count != 5 {
		t.Errorf("%v, then %v", last, next)
	}
	for _, over := range topicTransports {
		f := followTopic(t, over, base+"a?since="+at[over])
		f.control("resumed")
		f.message("3")
		if r := f.message("4"); r.ID != next.ID {
			t.Errorf("%s: %s", over, r.raw)
		}
		f.leave()
	}
	end()
}

// A server that is killed has not saved: what it had is over, for those who come
// back to the next one.
func TestReadersAreResetBehindACrash(t *testing.T) {
	dir := t.TempDir()
	srv, _, _, end := life(t, dir)
	publishTo(t, srv, "a", leat.JSON(1))
	end()
	crashed, base, _, clean := life(t, dir) // which has read the state, and goes on
	id := publishTo(t, crashed, "a", leat.JSON(2)).ID
	f := followTopic(t, "ws", base+"a?history=all")
	f.control("open")
	f.message("1")
	f.message("2")
	f.leave()
	srv, base, _, end = life(t, dir)
	for _, over := range topicTransports {
		f := followTopic(t, over, base+"a?history=all&since="+id)
		if r := f.control("reset"); r.Reason != "epoch" || r.From != id {
			t.Errorf("%s: %s", over, r.raw)
		}
		f.leave()
	}
	if r := publishTo(t, srv, "a", leat.JSON(1)); r.Count != 1 {
		t.Error(r)
	}
	end()
	clean()
}

func TestAStateThatNobodyHasTakenOverIsNotLost(t *testing.T) {
	dir := t.TempDir()
	srv, _, _, end := life(t, dir)
	id := publishTo(t, srv, "a", leat.JSON(1)).ID
	end()
	// One that cannot be made, and one that never serves.
	if _, err := leat.New(&leat.Config{State: dir, Documents: filepath.Join(dir, "topics.ndjson"), Routes: []leat.Route{{Match: "^("}}}); err == nil {
		t.Error("the configuration is good")
	}
	if _, err := leat.New(&leat.Config{State: dir}); err != nil {
		t.Fatal(err)
	}
	_, base, _, end := life(t, dir)
	f := followTopic(t, "ndjson HTTP/1.1", base+"a?since="+id)
	f.control("resumed")
	f.leave()
	end()
}

func TestAStateThatCannotBeReadIsLoggedAndBeginsAnew(t *testing.T) {
	for name, text := range map[string]string{"empty": "", "nonsense": "nonsense\n", "cut": ""} {
		dir := t.TempDir()
		file := filepath.Join(dir, "topics.ndjson")
		srv, _, _, end := life(t, dir)
		id := publishTo(t, srv, "a", leat.JSON(1)).ID
		end()
		if name == "cut" {
			b, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			text = string(b[:len(b)/2])
		}
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		_, base, j, end := life(t, dir)
		if line := j.wait(t, map[string]any{"level": "WARN", "file": file}); line["error"] == nil {
			t.Errorf("%s: %v", name, line)
		}
		f := followTopic(t, "ws", base+"a?since="+id+"&history=all")
		f.control("reset")
		f.leave()
		if code, _, text := postTo(t, base+"a", "1"); code != http.StatusOK || !strings.Contains(text, `"count":1}`) {
			t.Errorf("%s: %d %s", name, code, text)
		}
		end()
	}
}

func TestLinesOfACommandAndAFileArriveInTheirTopics(t *testing.T) {
	if runtime.GOOS == "windows" {
		t.Skip("there is no /bin/sh")
	}
	file := filepath.Join(t.TempDir(), "log")
	if err := os.WriteFile(file, []byte("old\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	_, base := openTopics(t, leat.Config{Topics: []leat.TopicRule{
		{Match: "command", Key: "k", Source: leat.Source{Command: []string{"/bin/sh", "-c", `echo '{"k":"x"}'; echo text; printf '\377\n'; sleep 60`}}},
		{Match: "file", Source: leat.Source{File: file}},
	}})
	for _, over := range []string{"ndjson HTTP/1.1", "ws"} {
		f := followTopic(t, over, base+"command?history=all")
		f.control("open")
		if r := f.message(`{"k":"x"}`); r.Key != "x" {
			t.Error(r.raw)
		}
		f.message(`"text"`)
		if r := f.message(`"/w=="`); r.Encoding != "base64" {
			t.Error(r.raw)
		}
		f.leave()
	}
	f := followTopic(t, "sse HTTP/1.1", base+"file?history=all")
	f.control("open")
	more, err := os.OpenFile(file, os.O_APPEND|os.O_WRONLY, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer more.Close()
	lines := make(chan string, 1000)
	go func() {
		defer close(lines)
		for r, err := f.take(); err == nil; r, err = f.take() {
			lines <- string(r.Data)
		}
	}()
	n := 0
	eventually(t, "a new line arrives", func() bool { // the file may not have been opened yet
		n++
		if _, err := fmt.Fprintln(more, "new", n); err != nil {
			t.Fatal(err)
		}
		select {
		case line := <-lines:
			if !strings.HasPrefix(line, "new ") {
				t.Errorf("%q arrives", line)
			}
			return true
		default:
			return false
		}
	})
	f.leave()
}
