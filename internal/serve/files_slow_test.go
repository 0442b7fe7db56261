package serve

import (
	"bufio"
	"bytes"
	"context"
	"encoding/binary"
	"io"
	"log/slog"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"sync/atomic"
	"testing"
	"testing/fstest"
	"time"

	"github.com/leat-dev/leat/internal/metrics"
)

// numbered is n bytes of which no two places look alike.
func numbered(n int) []byte {
	b := make([]byte, 0, n)
	for i := range n / 4 {
		b = binary.BigEndian.AppendUint32(b, uint32(i))
	}
	return b
}

// TestASlowReaderGetsEveryByte has a reader so slow that the write deadline
// passes in the middle of what is sent, again and again: it takes bytes, so it
// is not stalled, and none may be lost.
func TestASlowReaderGetsEveryByte(t *testing.T) {
	content := numbered(1 << 19)
	fsys, dir := folderOf(t, nil)
	if err := os.WriteFile(filepath.Join(dir, "large.bin"), content, 0o644); err != nil {
		t.Fatal(err)
	}
	folder := &Files{FS: fsys}
	memory := &Files{FS: fstest.MapFS{"large.bin": {Data: content}}}
	mux := http.NewServeMux()
	for path, files := range map[string]*Files{"/folder": folder, "/memory": memory} {
		mux.HandleFunc(path, func(w http.ResponseWriter, r *http.Request) { files.ServeFile(w, r, "large.bin", FileOptions{}) })
	}
	mux.HandleFunc("/copy", func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Length", "524288")
		_, _ = io.Copy(w, struct{ io.Reader }{bytes.NewReader(content)})
	})
	l, err := Listen(t.Context(), "tcp", "127.0.0.1:0", ListenOptions{
		Connections: &Gate{}, Write: time.Second, Counters: &metrics.Counters{}, Log: slog.New(slog.DiscardHandler),
	})
	if err != nil {
		t.Fatal(err)
	}
	var copies atomic.Bool // whether the system has no sendfile
	hs := &http.Server{Handler: mux, ConnContext: func(ctx context.Context, c net.Conn) context.Context {
		conn := c.(*Conn)
		tcp := conn.Conn.(*net.TCPConn)
		if err := tcp.SetWriteBuffer(32 << 10); err != nil {
			t.Error(err)
		}
		if copies.Load() {
			conn.Conn = copyingConn{tcp}
		}
		return WithConn(ctx, c)
	}}
	go hs.Serve(l)
	defer hs.Close()
	for _, path := range []string{"/folder", "/memory", "/copy", "/folder"} {
		conn, err := net.Dial("tcp", l.Addr().String())
		if err != nil {
			t.Fatal(err)
		}
		defer conn.Close()
		if err := conn.(*net.TCPConn).SetReadBuffer(32 << 10); err != nil {
			t.Fatal(err)
		}
		if _, err := io.WriteString(conn, "GET "+path+" HTTP/1.1\r\nHost: x\r\n\r\n"); err != nil {
			t.Fatal(err)
		}
		resp, err := http.ReadResponse(bufio.NewReader(&slowReader{conn, time.NewTicker(10 * time.Millisecond)}), nil)
		if err != nil {
			t.Fatal(err)
		}
		got, err := io.ReadAll(resp.Body)
		if err != nil || !bytes.Equal(got, content) {
			at := 0
			for at < len(got) && got[at] == content[at] {
				at++
			}
			t.Errorf("%s (copied: %t): %d bytes of %d, wrong from %d on (%v)", path, copies.Load(), len(got), len(content), at, err)
		}
		copies.Store(path == "/copy") // for the last
	}
}

// A copyingConn reads and writes, as where there is no sendfile.
type copyingConn struct{ *net.TCPConn }

func (c copyingConn) ReadFrom(r io.Reader) (int64, error) {
	return io.Copy(struct{ io.Writer }{c.TCPConn}, r)
}

// A slowReader takes at most 2 KiB a tick.
type slowReader struct {
	io.Reader
	tick *time.Ticker
}

func (r *slowReader) Read(p []byte) (int, error) {
	<-r.tick.C
	return r.Reader.Read(p[:min(len(p), 2<<10)])
}
