package serve

import (
	"net/http"
	"net/url"
	"strconv"
	"strings"

	"github.com/leat-dev/leat/internal/route"
)

// Error answers with an error status and one short line of text; an empty text
// is the status's own. It takes back the headers that were set for the answer
// which did not come about. Nothing may have been written before.
func Error(w http.ResponseWriter, r *http.Request, status int, text string) {
	h := w.Header()
	for _, name := range []string{
		"Accept-Ranges", "Content-Disposition", "Content-Encoding", "Content-Language",
		"Content-Location", "ETag", "Expires", "Last-Modified",
	} {
		h.Del(name)
	}
	if status != http.StatusRequestedRangeNotSatisfiable {
		h.Del("Content-Range")
	}
	h.Set("Cache-Control", "no-store")
	writeLine(w, r, status, text)
}

// Redirect sends the client to location, which must be a URL reference whose
// parts are escaped. A client asks again each time, even for a permanent one,
// unless a Cache-Control was set before.
func Redirect(w http.ResponseWriter, r *http.Request, location string, status int) {
	h := w.Header()
	h.Set("Location", location)
	if h.Get("Cache-Control") == "" {
		h.Set("Cache-Control", "no-cache")
	}
	writeLine(w, r, status, "")
}

func writeLine(w http.ResponseWriter, r *http.Request, status int, text string) {
	if text == "" {
		text = http.StatusText(status)
	}
	text = strings.Join(strings.Fields(text), " ") + "\n"
	h := w.Header()
	h.Set("Content-Type", "text/plain; charset=utf-8")
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("Content-Length", strconv.Itoa(len(text)))
	w.WriteHeader(status)
	if r.Method != http.MethodHead {
		_, _ = w.Write([]byte(text)) // the client that does not read it is gone
	}
}

// directoryLocation is the way from a directory without a slash at its end to
// the same with one. It is relative to the last segment, so that it holds
// wherever the directory is mounted, and names no other host (RFC 3986, 4.2).
func directoryLocation(r *http.Request) string {
	path := r.URL.Path
	location := "./" + url.PathEscape(path[strings.LastIndexByte(path, '/')+1:]) + "/"
	if r.URL.RawQuery != "" {
		location += "?" + route.EscapeQuery(r.URL.RawQuery)
	}
	return location
}
