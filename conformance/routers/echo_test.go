package routers

import (
	"bufio"
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/labstack/echo/v4"

	"github.com/leat-dev/leat"
)

// The five handlers of a tutorial on streaming with Echo, as people write
// them: with no word of Leat, and with their mistakes.

// pause stands for the tutorial's seconds.
const pause = 10 * time.Millisecond

func streamUpdates(c echo.Context) error {
	c.Response().Header().Set(echo.HeaderContentType, echo.MIMEApplicationJSON)
	c.Response().WriteHeader(200)
	enc := json.NewEncoder(c.Response())
	for i := range 10 {
		data := map[string]any{"message": "Update #" + string(rune(i)), "timestamp": time.Now().Unix()}
		if err := enc.Encode(data); err != nil {
			return err
		}
		c.Response().Flush()
		<-time.After(pause)
	}
	return nil
}

func streamSSE(messages <-chan string) echo.HandlerFunc {
	return func(c echo.Context) error {
		c.Response().Header().Set(echo.HeaderContentType, "text/event-stream")
		c.Response().Header().Set("Cache-Control", "no-cache")
		c.Response().Header().Set("Connection", "keep-alive")
		c.Response().WriteHeader(200)
		pingTicker := time.NewTicker(pause)
		defer pingTicker.Stop()
		disconnected := c.Request().Context().Done()
		for {
			select {
			case <-disconnected:
				return nil
			case <-pingTicker.C:
				c.Response().Write([]byte("event: ping\n\n"))
				c.Response().Flush()
			case data := <-messages:
				c.Response().Write([]byte("event: update\n"))
				c.Response().Write([]byte("data: " + data + "\n\n"))
				c.Response().Flush()
			}
		}
	}
}

func streamLargeFile(name string) echo.HandlerFunc {
	return func(c echo.Context) error {
		file, err := os.Open(name)
		if err != nil {
			return err
		}
		defer file.Close()
		fileInfo, err := file.Stat()
		if err != nil {
			return err
		}
		c.Response().Header().Set(echo.HeaderContentType, "application/zip")
		c.Response().Header().Set(echo.HeaderContentDisposition, "attachment; filename=\"large-file.zip\"")
		c.Response().Header().Set(echo.HeaderContentLength, fmt.Sprintf("%d", fileInfo.Size()))
		buf := make([]byte, 4096)
		for {
			n, err := file.Read(buf)
			if err == io.EOF { //nolint:errorlint // as the document has it
				break
			}
			if err != nil {
				return err
			}
			if _, err = c.Response().Write(buf[:n]); err != nil {
				return err
			}
			c.Response().Flush()
		}
		return nil
	}
}

func processWithProgress(c echo.Context) error {
	c.Response().Header().Set(echo.HeaderContentType, echo.MIMEApplicationJSON)
	c.Response().WriteHeader(200)
	encoder := json.NewEncoder(c.Response())
	totalSteps := 10
	for step := 1; step <= totalSteps; step++ {
		<-time.After(pause)
		progress := map[string]any{
			"step": step, "totalSteps": totalSteps,
			"percentComplete": float64(step) / float64(totalSteps) * 100, "status": "processing",
		}
		if err := encoder.Encode(progress); err != nil {
			return err
		}
		c.Response().Flush()
	}
	final := map[string]any{"step": totalSteps, "totalSteps": totalSteps, "percentComplete": 100.0, "status": "complete"}
	if err := encoder.Encode(final); err != nil {
		return err
	}
	c.Response().Flush()
	return nil
}

func streamWithDisconnectionDetection(gone chan<- struct{}) echo.HandlerFunc {
	return func(c echo.Context) error {
		ctx := c.Request().Context()
		c.Response().Header().Set(echo.HeaderContentType, echo.MIMETextPlain)
		c.Response().WriteHeader(200)
		for i := range 1000 {
			select {
			case <-ctx.Done():
				close(gone)
				return nil
			default:
				c.Response().Write(fmt.Appendf(nil, "Update %d\n", i))
				c.Response().Flush()
				<-time.After(pause)
			}
		}
		return nil
	}
}

// echoOnLeat serves one handler by Echo on a Leat server.
func echoOnLeat(t *testing.T, h echo.HandlerFunc) (*leat.Server, string) {
	t.Helper()
	e := echo.New()
	e.GET("/stream", h)
	srv, address := onLeat(t, e)
	return srv, "http://" + address + "/stream"
}

func get(t *testing.T, client *http.Client, url, contentType string) *http.Response {
	t.Helper()
	resp, err := client.Get(url)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { resp.Body.Close() })
	if got := resp.Header.Get("Content-Type"); resp.StatusCode != 200 || got != contentType {
		t.Fatalf("%d %q", resp.StatusCode, got)
	}
	return resp
}

// apart reads JSON values and when they came. They come one by one, not at
// the end together.
func apart(t *testing.T, r io.Reader) []map[string]any {
	t.Helper()
	var values []map[string]any
	var times []time.Time
	dec := json.NewDecoder(r)
	for dec.More() {
		var v map[string]any
		if err := dec.Decode(&v); err != nil {
			t.Fatal(err)
		}
		values, times = append(values, v), append(times, time.Now())
	}
	if n := len(times) - 1; n < 1 || times[n].Sub(times[0]) < time.Duration(n-1)*pause*9/10 {
		t.Errorf("%d values came within %v", n+1, times[n].Sub(times[0]))
	}
	return values
}

func TestEchoUpdatesComeOneByOne(t *testing.T) {
	_, url := echoOnLeat(t, streamUpdates)
	clients(t, func(t *testing.T, client *http.Client) {
		values := apart(t, get(t, client, url, "application/json").Body)
		if len(values) != 10 {
			t.Errorf("%d updates", len(values))
		}
		for i, v := range values {
			if v["message"] != "Update #"+string(rune(i)) {
				t.Errorf("update %d: %v", i, v)
			}
		}
	})
}

func TestEchoEventsComeAsTheyAreSent(t *testing.T) {
	messages := make(chan string)
	_, url := echoOnLeat(t, streamSSE(messages))
	clients(t, func(t *testing.T, client *http.Client) {
		resp := get(t, client, url, "text/event-stream")
		go func() {
			for _, text := range []string{"one", "two"} {
				messages <- text
			}
		}()
		var got []string
		for event, err := range leat.ReadEvents(resp.Body) {
			if err != nil {
				t.Fatal(err)
			}
			// The ping without data is never an event (the HTML standard, 9.2.6).
			if got = append(got, event.Name+" "+event.Text()); len(got) == 2 {
				break
			}
		}
		if want := []string{"update one", "update two"}; !slices.Equal(got, want) {
			t.Errorf("%q, want %q", got, want)
		}
	})
}

func TestEchoSendsALargeFileWhole(t *testing.T) {
	content := bytes.Repeat([]byte("0123456789abcdef"), 1<<16) // 1 MiB
	name := filepath.Join(t.TempDir(), "large-file.zip")
	if err := os.WriteFile(name, content, 0o644); err != nil {
		t.Fatal(err)
	}
	_, url := echoOnLeat(t, streamLargeFile(name))
	clients(t, func(t *testing.T, client *http.Client) {
		resp := get(t, client, url, "application/zip")
		got, err := io.ReadAll(resp.Body)
		if err != nil || !bytes.Equal(got, content) || resp.ContentLength != int64(len(content)) {
			t.Errorf("%d bytes, Content-Length %d (%v)", len(got), resp.ContentLength, err)
		}
	})
}

func TestEchoProgressComesStepByStep(t *testing.T) {
	_, url := echoOnLeat(t, processWithProgress)
	clients(t, func(t *testing.T, client *http.Client) {
		values := apart(t, get(t, client, url, "application/json").Body)
		if len(values) != 11 || values[4]["percentComplete"] != 50.0 || values[10]["status"] != "complete" {
			t.Errorf("%v", values)
		}
	})
}

func TestEchoSeesThatTheReaderLeft(t *testing.T) {
	clients(t, func(t *testing.T, client *http.Client) {
		gone := make(chan struct{})
		srv, url := echoOnLeat(t, streamWithDisconnectionDetection(gone))
		resp := get(t, client, url, "text/plain")
		in := bufio.NewReader(resp.Body)
		for i := range 3 {
			if line, err := in.ReadString('\n'); line != fmt.Sprintf("Update %d\n", i) || err != nil {
				t.Errorf("%q (%v)", line, err)
			}
		}
		resp.Body.Close()
		select {
		case <-gone:
		case <-time.After(20 * time.Second):
			t.Error("the handler goes on without a reader")
		}
		if n := srv.Stats().Requests; n != 1 {
			t.Errorf("%d requests counted", n)
		}
	})
}

func TestAReaderOfEchoWhoStopsIsLetGo(t *testing.T) {
	// Left to the tests of the server are the details; here it is enough that
	// Echo's own writer, which ignores errors, does not hide the end.
	ended := make(chan error, 1)
	e := echo.New()
	e.GET("/stream", func(c echo.Context) error {
		for {
			if _, err := c.Response().Write(bytes.Repeat([]byte("x"), 1<<16)); err != nil {
				ended <- err
				return nil
			}
			c.Response().Flush()
		}
	})
	srv, err := leat.New(&leat.Config{
		Listen: []string{"http://127.0.0.1:0"}, Timeouts: leat.Timeouts{Write: 200 * time.Millisecond}, Logger: quiet(),
	})
	if err != nil {
		t.Fatal(err)
	}
	srv.Handle("/", e)
	address := serve(t, srv)
	conn := dial(t, address)
	if resp := conn.ask(t, "/stream"); resp.StatusCode != 200 {
		t.Fatal(resp.Status)
	}
	select { // and now nothing is read
	case err := <-ended:
		if !strings.Contains(err.Error(), "timeout") {
			t.Errorf("%v", err)
		}
	case <-time.After(20 * time.Second):
		t.Error("timeouts.write does not end the response")
	}
}
