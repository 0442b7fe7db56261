package site

import (
	"bytes"
	"io"
	"net/http"
	"net/http/httptest"
	"runtime"
	"testing"
	"testing/iotest"
)

func TestSizesOfDownloads(t *testing.T) {
	for text, want := range map[string]int64{
		"0": 0, "1": 1, "4KB": 4096, "4kb": 4096, "100MB": 100 << 20, "1GB": 1 << 30, "10GB": 10 << 30, "10737418240": 10 << 30,
	} {
		if got, ok := parseSize(text); !ok || got != want {
			t.Errorf("parseSize(%q) is %d, %v; want %d", text, got, ok, want)
		}
	}
	for _, text := range []string{"", "MB", "-1", "-1MB", "11GB", "10737418241", "9999999999999999999GB", "1.5GB", "1TB", "1 MB", "0x10"} {
		if got, ok := parseSize(text); ok {
			t.Errorf("parseSize(%q) is %d, want a refusal", text, got)
		}
	}
}

func TestPatternReadsAlikeInWholeAndInPieces(t *testing.T) {
	const size = 1000
	whole, err := io.ReadAll(&pattern{size: size})
	if err != nil || len(whole) != size {
		t.Fatalf("%d bytes, %v", len(whole), err)
	}
	if err := iotest.TestReader(&pattern{size: size}, whole); err != nil {
		t.Error(err)
	}
	for offset := range int64(size) {
		p := &pattern{size: size}
		if _, err := p.Seek(offset, io.SeekStart); err != nil {
			t.Fatal(err)
		}
		b := make([]byte, min(70, size-offset))
		if _, err := io.ReadFull(p, b); err != nil || !bytes.Equal(b, whole[offset:][:len(b)]) {
			t.Fatalf("at %d: %q, %v", offset, b, err)
		}
	}
}

func get(url string, header ...string) *httptest.ResponseRecorder {
	r := httptest.NewRequest(http.MethodGet, url, nil)
	for i := 0; i < len(header); i += 2 {
		r.Header.Set(header[i], header[i+1])
	}
	w := httptest.NewRecorder()
	download(w, r)
	return w
}

func TestDownloadAnswers(t *testing.T) {
	w := get("/api/download?size=1KB")
	h := w.Result().Header
	if w.Code != http.StatusOK || w.Body.Len() != 1024 || h.Get("Content-Length") != "1024" {
		t.Errorf("status %d, %d bytes, %v", w.Code, w.Body.Len(), h)
	}
	if got, want := h.Get("Content-Disposition"), `attachment; filename="leat-1KB.bin"`; got != want {
		t.Errorf("Content-Disposition is %s, want %s", got, want)
	}
	for _, bad := range []string{"size=", "size=11GB", "size=many"} {
		if w := get("/api/download?" + bad); w.Code != http.StatusBadRequest {
			t.Errorf("%s: status %d, want 400", bad, w.Code)
		}
	}
}

func TestBrokenDownloadGoesOn(t *testing.T) {
	whole := get("/api/download?size=1KB")
	rest := get("/api/download?size=1KB", "Range", "bytes=700-", "If-Range", whole.Result().Header.Get("ETag"))
	if rest.Code != http.StatusPartialContent || !bytes.Equal(rest.Body.Bytes(), whole.Body.Bytes()[700:]) {
		t.Errorf("status %d, %q", rest.Code, rest.Body)
	}
	if w := get("/api/download?size=2KB", "Range", "bytes=700-", "If-Range", whole.Result().Header.Get("ETag")); w.Code != http.StatusOK {
		t.Errorf("another file's rest: status %d, want the whole file", w.Code)
	}
	if w := get("/api/download?size=1KB", "Range", "bytes=2000-"); w.Code != http.StatusRequestedRangeNotSatisfiable {
		t.Errorf("beyond the end: status %d, want 416", w.Code)
	}
	if w := get("/api/download?size=10GB", "Range", "bytes=10737418239-"); w.Body.Len() != 1 {
		t.Errorf("the last byte of 10GB: %d bytes, status %d", w.Body.Len(), w.Code)
	}
}

// forgetful is a ResponseWriter that counts bytes and keeps none.
type forgetful struct {
	header http.Header
	n      int64
}

func (f *forgetful) Header() http.Header         { return f.header }
func (f *forgetful) WriteHeader(int)             {}
func (f *forgetful) Write(b []byte) (int, error) { f.n += int64(len(b)); return len(b), nil }

func TestDownloadCostsNoMemory(t *testing.T) {
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	w := &forgetful{header: http.Header{}}
	download(w, httptest.NewRequest(http.MethodGet, "/api/download?size=256MB", nil))
	runtime.ReadMemStats(&after)
	if w.n != 256<<20 {
		t.Errorf("%d bytes", w.n)
	}
	if took := after.TotalAlloc - before.TotalAlloc; took > 1<<20 {
		t.Errorf("256 MB allocated %d bytes", took)
	}
}
