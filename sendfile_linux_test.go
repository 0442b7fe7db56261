package leat_test

import (
	"bytes"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"runtime/trace"
	"testing"

	"github.com/leat-dev/leat"
)

// An execution trace holds the stack of each system call that took its time, so
// it shows sendfile.
func TestFilesGoBySendfileFromRoutesAndFromActions(t *testing.T) {
	const size = 16 << 20
	dir := t.TempDir()
	file := filepath.Join(dir, "big.bin")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Truncate(file, size); err != nil {
		t.Fatal(err)
	}
	_, url := start(t, &leat.Config{Documents: dir}, func(s *leat.Server) {
		s.HandleFunc("/action", func(w http.ResponseWriter, r *http.Request) { http.ServeFile(w, r, file) })
		s.HandleFunc("/copied", func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write(make([]byte, size)) })
	})
	for _, row := range []struct {
		path, ranged string
		want         bool
	}{
		{"/big.bin", "", true},
		{"/big.bin", fmt.Sprintf("bytes=%d-", size/2), true},
		{"/action", "", true},
		{"/action", fmt.Sprintf("bytes=%d-", size/2), true},
		{"/copied", "", false}, // or this test would see nothing
	} {
		var seen bytes.Buffer
		if err := trace.Start(&seen); err != nil {
			t.Fatal(err)
		}
		n, err := io.Copy(io.Discard, get(t, url+row.path, "Range", row.ranged).Body)
		trace.Stop()
		if err != nil || n != size && n != size/2 {
			t.Errorf("%s: %d bytes, %v", row.path, n, err)
		}
		if got := bytes.Contains(seen.Bytes(), []byte("syscall.Sendfile")); got != row.want {
			t.Errorf("%s %s: sendfile %t, want %t", row.path, row.ranged, got, row.want)
		}
	}
}
