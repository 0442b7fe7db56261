package examples_test

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/leat-dev/leat"
)

// bin is the folder of the built programs.
var bin string

func TestMain(m *testing.M) {
	dir, err := os.MkdirTemp("", "examples")
	if err != nil {
		panic(err)
	}
	defer os.RemoveAll(dir)
	bin = dir
	if out, err := exec.Command("go", "build", "-o", dir+string(filepath.Separator), "./...").CombinedOutput(); err != nil {
		panic(fmt.Sprintf("%v\n%s", err, out))
	}
	m.Run()
}

// A program is an example that runs.
type program struct {
	url   string
	lines chan string // what it logs
}

// run starts an example on a free port. It is interrupted, and must end well,
// when the test ends.
func run(t *testing.T, name string, args ...string) *program {
	t.Helper()
	cmd := exec.Command(filepath.Join(bin, name), append([]string{"-listen", "http://127.0.0.1:0"}, args...)...)
	stderr, err := cmd.StderrPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	p := &program{lines: make(chan string, 1000)}
	go func() {
		defer close(p.lines)
		for in := bufio.NewScanner(stderr); in.Scan(); {
			p.lines <- in.Text()
		}
	}()
	t.Cleanup(func() {
		if err := cmd.Process.Signal(os.Interrupt); err != nil {
			t.Error(err)
		}
		for range p.lines { // until it has ended
		}
		if err := cmd.Wait(); err != nil {
			t.Errorf("%s ended with %v", name, err)
		}
	})
	_, url, _ := strings.Cut(p.logged(t, "url="), "url=")
	p.url = strings.Fields(url)[0]
	return p
}

// logged waits for a line that holds text.
func (p *program) logged(t *testing.T, text string) string {
	t.Helper()
	timeout := time.After(20 * time.Second)
	for {
		select {
		case line, ok := <-p.lines:
			if !ok {
				t.Fatalf("it ended and did not log %q", text)
			}
			if strings.Contains(line, text) {
				return line
			}
		case <-timeout:
			t.Fatalf("it did not log %q", text)
		}
	}
}

// get begins a request, which is cut when the test ends.
func (p *program) get(t *testing.T, path string, headers ...string) *http.Response {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	t.Cleanup(cancel)
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, p.url+path, nil)
	if err != nil {
		t.Fatal(err)
	}
	for _, h := range headers {
		name, value, _ := strings.Cut(h, ": ")
		r.Header.Set(name, value)
	}
	resp, err := http.DefaultClient.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { resp.Body.Close() })
	return resp
}

// records reads n records; 0 is all.
func records(t *testing.T, resp *http.Response, n int) []map[string]any {
	t.Helper()
	if got := resp.Header.Get("Content-Type"); got != "application/x-ndjson" {
		t.Errorf("Content-Type %q", got)
	}
	var all []map[string]any
	for raw, err := range leat.ReadRecords(resp.Body) {
		if err != nil {
			t.Fatal(err)
		}
		var record map[string]any
		if err := json.Unmarshal(raw, &record); err != nil {
			t.Fatal(err)
		}
		if all = append(all, record); len(all) == n {
			break
		}
	}
	return all
}

func TestStatusSendsTheTimeEachSecond(t *testing.T) {
	p := run(t, "status")
	before := time.Now().UnixMilli()
	times := records(t, p.get(t, "/status"), 3)
	first, last := int64(times[0]["time"].(float64)), int64(times[2]["time"].(float64))
	if first < before-1 || first > before+900 {
		t.Errorf("the first record came %d ms after the request", first-before)
	}
	if d := last - first; d < 1900 || d > 4000 {
		t.Errorf("two seconds took %d ms", d)
	}
	page, err := io.ReadAll(p.get(t, "/").Body)
	if err != nil || !bytes.Contains(page, []byte("fetch('/status')")) {
		t.Errorf("the page is %q (%v)", page, err)
	}
}

func TestUpdatesAreTenAndThenTheEnd(t *testing.T) {
	p := run(t, "updates", "-every", "10ms")
	all := records(t, p.get(t, "/stream"), 0)
	if len(all) != 10 {
		t.Fatalf("%d updates", len(all))
	}
	for i, record := range all {
		if want := fmt.Sprintf("Update #%d", i); record["message"] != want || record["timestamp"] == nil {
			t.Errorf("%v, want %q", record, want)
		}
	}
}

func TestEventsAreTicksAndWhatIsPosted(t *testing.T) {
	p := run(t, "events", "-every", "20ms")
	resp := p.get(t, "/events")
	if got := resp.Header.Get("Content-Type"); got != "text/event-stream" {
		t.Errorf("Content-Type %q", got)
	}
	const text = "Hello,\nworld: data: 1"
	posted := make(chan error, 1)
	go func() {
		answer, err := http.Post(p.url+"/say", "text/plain", strings.NewReader(text))
		if err == nil {
			answer.Body.Close()
		}
		posted <- err
	}()
	ticks, updated := 0, false
	for event, err := range leat.ReadEvents(resp.Body) {
		if err != nil {
			t.Fatal(err)
		}
		switch event.Name {
		case "tick":
			ticks++
		case "update":
			updated = true
			if event.Text() != text {
				t.Errorf("%q, want %q", event.Text(), text)
			}
		default:
			t.Errorf("%+v", event)
		}
		if ticks >= 2 && updated {
			break
		}
	}
	if err := <-posted; err != nil {
		t.Error(err)
	}
}

func TestDownloadSendsTheFileAndItsRanges(t *testing.T) {
	name := filepath.Join(t.TempDir(), "large-file.zip")
	content := bytes.Repeat([]byte("0123456789abcdef"), 1<<18) // 4 MiB
	if err := os.WriteFile(name, content, 0o644); err != nil {
		t.Fatal(err)
	}
	p := run(t, "download", "-file", name)
	resp := p.get(t, "/download")
	got, err := io.ReadAll(resp.Body)
	if err != nil || !bytes.Equal(got, content) {
		t.Errorf("%d bytes of %d (%v)", len(got), len(content), err)
	}
	if h := resp.Header; h.Get("Content-Type") != "application/zip" || h.Get("Content-Disposition") != `attachment; filename="large-file.zip"` || resp.ContentLength != int64(len(content)) {
		t.Errorf("%v", h)
	}
	resp = p.get(t, "/download", "Range: bytes=4194300-")
	if got, err = io.ReadAll(resp.Body); resp.StatusCode != http.StatusPartialContent || string(got) != "cdef" || err != nil {
		t.Errorf("%d %q (%v)", resp.StatusCode, got, err)
	}
}

func TestProgressEndsWithComplete(t *testing.T) {
	p := run(t, "progress", "-every", "10ms")
	all := records(t, p.get(t, "/progress"), 0)
	if len(all) != 11 {
		t.Fatalf("%d records", len(all))
	}
	for i, record := range all[:10] {
		if record["step"] != float64(i+1) || record["totalSteps"] != 10.0 || record["percentComplete"] != float64(i+1)*10 || record["status"] != "processing" {
			t.Errorf("record %d: %v", i, record)
		}
	}
	if last := all[10]; last["status"] != "complete" || last["percentComplete"] != 100.0 {
		t.Errorf("the last: %v", last)
	}
	// The same as Server-Sent Events.
	events := 0
	for _, err := range leat.ReadEvents(p.get(t, "/progress", "Accept: text/event-stream").Body) {
		if err != nil {
			t.Fatal(err)
		}
		events++
	}
	if events != 11 {
		t.Errorf("%d events", events)
	}
}

func TestDisconnectStopsWhenTheReaderLeaves(t *testing.T) {
	p := run(t, "disconnect", "-every", "20ms")
	resp := p.get(t, "/stream")
	in := bufio.NewReader(resp.Body)
	for i := range 3 {
		line, err := in.ReadString('\n')
		if want := fmt.Sprintf("Update %d\n", i); line != want || err != nil {
			t.Errorf("%q (%v), want %q", line, err, want)
		}
	}
	resp.Body.Close()
	p.logged(t, "client disconnected, stopping stream")
}

func TestSensorMeasuresUntilTheReaderLeaves(t *testing.T) {
	p := run(t, "sensor", "-every", "20ms")
	resp := p.get(t, "/sensor")
	for i, reading := range records(t, resp, 5) {
		for name, near := range map[string]float64{"temperature": 21, "humidity": 45, "pressure": 1013} {
			if value, ok := reading[name].(float64); !ok || value < near-20 || value > near+20 {
				t.Errorf("reading %d: %s is %v", i, name, reading[name])
			}
		}
		if _, err := time.Parse(time.RFC3339, reading["time"].(string)); err != nil {
			t.Error(err)
		}
	}
	resp.Body.Close()
	p.logged(t, "a reader left: ")
}

// dial opens a WebSocket, which is closed when the test ends.
func (p *program) dial(t *testing.T, path string, o leat.SocketOptions) *leat.Socket {
	t.Helper()
	s, err := leat.Dial(t.Context(), "ws"+strings.TrimPrefix(p.url, "http")+path, &leat.DialOptions{SocketOptions: o})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	return s
}

// message reads one message.
func message(t *testing.T, s *leat.Socket) leat.Message {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 60*time.Second)
	defer cancel()
	m, err := s.Read(ctx)
	if err != nil {
		t.Fatal(err)
	}
	return m
}

func TestEchoSendsBackWhatCame(t *testing.T) {
	s := run(t, "echo").dial(t, "/echo", leat.SocketOptions{})
	for i := range 100 {
		sent := leat.Text(fmt.Sprintf("message %d", i))
		if i%2 == 1 {
			sent = leat.Binary(bytes.Repeat([]byte{byte(i), 0xff}, i))
		}
		if _, err := s.Send(sent); err != nil {
			t.Fatal(err)
		}
		if m := message(t, s); m.Type != sent.Type || !bytes.Equal(m.Data, sent.Data) || !m.Last {
			t.Fatalf("%v, want %v", m, sent)
		}
	}
	if err := s.Close(); err != nil {
		t.Error(err)
	}
	if err := s.Run(); err != nil || s.CloseStatus() != leat.CloseNormal {
		t.Errorf("%d (%v)", s.CloseStatus(), err)
	}
}

func TestTemperatureIsAFormattedText(t *testing.T) {
	s := run(t, "temperature", "-every", "20ms").dial(t, "/temperature", leat.SocketOptions{})
	for range 3 {
		degrees := 0
		m := message(t, s)
		if _, err := fmt.Sscanf(string(m.Data), "The temperature today is: %d", &degrees); err != nil || m.Type != leat.TextMessage {
			t.Errorf("%s (%v)", m.Data, err)
		}
	}
}

func TestModesAreAllThereAre(t *testing.T) {
	p := run(t, "modes")
	s := p.dial(t, "/modes", leat.SocketOptions{PreserveFrames: leat.On})
	ask := func(mode string) leat.Message {
		if _, err := s.SendText(mode); err != nil {
			t.Fatal(err)
		}
		return message(t, s)
	}
	if m := ask("buffered"); string(m.Data) != "The temperature today is: 21" || !m.Last {
		t.Errorf("%+v", m)
	}
	blocking := ask("blocking")
	data := bytes.Clone(blocking.Data)
	for !blocking.Last {
		blocking = message(t, s)
		data = append(data, blocking.Data...)
	}
	if !bytes.Equal(data, bytes.Repeat([]byte{0x10}, 1000*1000)) {
		t.Errorf("%d bytes, type %v", len(data), blocking.Type)
	}
	p.logged(t, "blocking: 1000000 bytes, error <nil>")
	if m := ask("non-blocking"); string(m.Data) != "as much as fits" || !m.Last {
		t.Errorf("%+v", m)
	}
	frames := []string{string(ask("more").Data)}
	for m := (leat.Message{}); !m.Last; {
		m = message(t, s)
		if !m.Continuation || m.Type != leat.TextMessage {
			t.Errorf("%+v", m)
		}
		frames = append(frames, string(m.Data))
	}
	if got := strings.Join(frames, "|"); got != "three |frames, one |message" {
		t.Errorf("%q", got)
	}
	if _, err := s.SendText("another"); err != nil {
		t.Fatal(err)
	}
	if _, err := s.Read(t.Context()); !errors.Is(err, io.EOF) || s.CloseStatus() != leat.CloseUnsupported {
		t.Errorf("%d %q (%v)", s.CloseStatus(), s.CloseReason(), err)
	}
}

func TestNonblockingSendsTheRestWhenItMay(t *testing.T) {
	const size = 8 << 20
	p := run(t, "nonblocking", "-size", fmt.Sprint(size))
	s := p.dial(t, "/large", leat.SocketOptions{MaxMessage: size})
	m := message(t, s)
	if len(m.Data) != size || m.Type != leat.BinaryMessage || !m.Last {
		t.Fatalf("%d bytes, type %v", len(m.Data), m.Type)
	}
	for i, b := range m.Data {
		if b != byte(i>>10) {
			t.Fatalf("byte %d is %d", i, b)
		}
	}
	if line := p.logged(t, "sent in "); strings.Contains(line, "sent in 1 parts") {
		t.Error(line)
	}
	if err := s.Run(); err != nil || s.CloseStatus() != leat.CloseNormal {
		t.Errorf("%d (%v)", s.CloseStatus(), err)
	}
}

func TestClientPrintsTheAnswers(t *testing.T) {
	client := func(p *program, path string, texts ...string) string {
		t.Helper()
		cmd := exec.CommandContext(t.Context(), filepath.Join(bin, "client"), append([]string{"ws" + strings.TrimPrefix(p.url, "http") + path}, texts...)...)
		out, err := cmd.CombinedOutput()
		if err != nil {
			t.Errorf("%v: %s", err, out)
		}
		return string(out)
	}
	if got := client(run(t, "echo"), "/echo", "hello", "world"); got != "hello\nworld\n" {
		t.Errorf("%q", got)
	}
	if got := client(run(t, "nonblocking", "-size", "3000000"), "/large"); got != "3000000 bytes\nclosed: 1000 \n" {
		t.Errorf("%q", got)
	}
	if got := client(run(t, "modes"), "/modes", "sideways"); got != "closed: 1003 modes are buffered, blocking, non-blocking and more\n" {
		t.Errorf("%q", got)
	}
}
