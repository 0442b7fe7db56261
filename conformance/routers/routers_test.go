package routers

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"io"
	"log/slog"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/gin-gonic/gin"
	"github.com/go-chi/chi/v5"
	chimiddleware "github.com/go-chi/chi/v5/middleware"
	"github.com/labstack/echo/v4"
	echo5 "github.com/labstack/echo/v5"

	"github.com/leat-dev/leat"
)

// A router is one router with a middleware of its own kind: it sets headers,
// some of them twice, and the status 203 without writing it.
type router struct {
	name  string
	build func(routes map[string]http.HandlerFunc) http.Handler
}

const status = http.StatusNonAuthoritativeInfo

// decorate is what the middlewares do to the header.
func decorate(h http.Header) {
	h.Set("X-Middleware", "seen")
	h.Add("Set-Cookie", "a=1")
	h.Add("Set-Cookie", "b=2; Path=/")
	h.Set("Server-Timing", `db;dur=53, app;dur=47.2;desc="x, y"`)
	h["x-as-it-is"] = []string{"yes"}
}

var routers = []router{
	{"nethttp", func(routes map[string]http.HandlerFunc) http.Handler {
		mux := http.NewServeMux()
		for path, h := range routes {
			mux.HandleFunc(path, h)
		}
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			decorate(w.Header())
			mux.ServeHTTP(&statusWriter{ResponseWriter: w}, r)
		})
	}},
	{"chi", func(routes map[string]http.HandlerFunc) http.Handler {
		mux := chi.NewRouter()
		mux.Use(chimiddleware.RequestID, chimiddleware.Recoverer, func(next http.Handler) http.Handler {
			return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				decorate(w.Header())
				next.ServeHTTP(chimiddleware.NewWrapResponseWriter(&statusWriter{ResponseWriter: w}, r.ProtoMajor), r)
			})
		})
		for path, h := range routes {
			mux.HandleFunc(path, h)
		}
		return mux
	}},
	{"echo", func(routes map[string]http.HandlerFunc) http.Handler {
		e := echo.New()
		e.Use(func(next echo.HandlerFunc) echo.HandlerFunc {
			return func(c echo.Context) error {
				decorate(c.Response().Header())
				c.Response().Status = status
				return next(c)
			}
		})
		for path, h := range routes {
			e.Any(path, func(c echo.Context) error {
				h(c.Response(), c.Request())
				return nil
			})
		}
		return e
	}},
	{"echo5", func(routes map[string]http.HandlerFunc) http.Handler {
		e := echo5.New()
		e.Use(func(next echo5.HandlerFunc) echo5.HandlerFunc {
			return func(c *echo5.Context) error {
				decorate(c.Response().Header())
				response, err := echo5.UnwrapResponse(c.Response())
				if err != nil {
					return err
				}
				response.Status = status
				return next(c)
			}
		})
		for path, h := range routes {
			e.Any(path, func(c *echo5.Context) error {
				h(c.Response(), c.Request())
				return nil
			})
		}
		return e
	}},
	{"gin", func(routes map[string]http.HandlerFunc) http.Handler {
		gin.SetMode(gin.ReleaseMode)
		g := gin.New()
		g.Use(gin.Recovery(), func(c *gin.Context) {
			decorate(c.Writer.Header())
			c.Status(status)
			c.Next()
		})
		for path, h := range routes {
			g.Any(path, func(c *gin.Context) { h(c.Writer, c.Request) })
		}
		return g
	}},
}

// A statusWriter answers 203 for 200, as a middleware may that wraps.
type statusWriter struct {
	http.ResponseWriter
	wrote bool
}

func (w *statusWriter) WriteHeader(code int) {
	if code == http.StatusOK {
		code = status
	}
	w.wrote = true
	w.ResponseWriter.WriteHeader(code)
}

func (w *statusWriter) Write(b []byte) (int, error) {
	if !w.wrote {
		w.WriteHeader(http.StatusOK)
	}
	return w.ResponseWriter.Write(b)
}

func (w *statusWriter) Flush() {
	if !w.wrote {
		w.WriteHeader(http.StatusOK)
	}
	_ = http.NewResponseController(w.ResponseWriter).Flush() // as Flusher has it
}

func (w *statusWriter) Hijack() (net.Conn, *bufio.ReadWriter, error) {
	return http.NewResponseController(w.ResponseWriter).Hijack()
}

func (w *statusWriter) Unwrap() http.ResponseWriter { return w.ResponseWriter }

// TestMain has every stream that began under a plain server end.
func TestMain(m *testing.M) {
	m.Run()
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	if err := leat.Default().Shutdown(ctx); err != nil {
		panic(err)
	}
	if n := leat.Default().Stats().Streams; n != 0 {
		panic(n)
	}
}

// each runs the test for every router on both servers.
func each(t *testing.T, routes map[string]http.HandlerFunc, test func(t *testing.T, address string)) {
	t.Helper()
	for _, r := range routers {
		t.Run(r.name+" on net/http", func(t *testing.T) { test(t, onPlain(t, r.build(routes))) })
		t.Run(r.name+" on leat", func(t *testing.T) {
			_, address := onLeat(t, r.build(routes))
			test(t, address)
		})
	}
}

// onPlain serves h by net/http alone.
func onPlain(t *testing.T, h http.Handler) (address string) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	hs := &http.Server{Handler: h, Protocols: new(http.Protocols), ReadHeaderTimeout: time.Minute}
	hs.Protocols.SetHTTP1(true)
	hs.Protocols.SetUnencryptedHTTP2(true)
	served := make(chan error, 1)
	go func() { served <- hs.Serve(l) }()
	t.Cleanup(func() {
		hs.Close()
		if err := <-served; !errors.Is(err, http.ErrServerClosed) {
			t.Error(err)
		}
	})
	return l.Addr().String()
}

// onLeat serves h by a Leat server.
func onLeat(t *testing.T, h http.Handler) (srv *leat.Server, address string) {
	t.Helper()
	srv, err := leat.New(&leat.Config{Listen: []string{"http://127.0.0.1:0"}, Logger: quiet()})
	if err != nil {
		t.Fatal(err)
	}
	srv.Handle("/", h)
	return srv, serve(t, srv)
}

// serve runs a Leat server until the test ends, and then sees that no stream
// lives on.
func serve(t *testing.T, srv *leat.Server) (address string) {
	t.Helper()
	if err := srv.Listen(); err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(context.Background())
	ran := make(chan error, 1)
	go func() { ran <- srv.Run(ctx) }()
	t.Cleanup(func() {
		stop()
		if err := <-ran; err != nil {
			t.Error(err)
		}
		if n := srv.Stats().Streams; n != 0 {
			t.Errorf("%d streams live on", n)
		}
	})
	return strings.TrimPrefix(srv.URLs()[0], "http://")
}

func quiet() *slog.Logger { return slog.New(slog.DiscardHandler) }

// clients are HTTP/1.1 on one connection and HTTP/2 on one.
func clients(t *testing.T, test func(t *testing.T, client *http.Client)) {
	t.Helper()
	for _, name := range []string{"HTTP/1.1", "HTTP/2"} {
		t.Run(name, func(t *testing.T) {
			transport := &http.Transport{Protocols: new(http.Protocols), MaxConnsPerHost: 1, DisableCompression: true}
			transport.Protocols.SetHTTP1(name == "HTTP/1.1")
			transport.Protocols.SetUnencryptedHTTP2(name == "HTTP/2")
			t.Cleanup(transport.CloseIdleConnections)
			test(t, &http.Client{Transport: transport, Timeout: 30 * time.Second})
		})
	}
}

// A wire is a connection that keeps what it has read since the last take.
type wire struct {
	net.Conn
	in  *bufio.Reader
	raw bytes.Buffer
}

func dial(t *testing.T, address string) *wire {
	t.Helper()
	conn, err := net.Dial("tcp", address)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	if err := conn.SetDeadline(time.Now().Add(30 * time.Second)); err != nil {
		t.Fatal(err)
	}
	w := &wire{Conn: conn}
	w.in = bufio.NewReader(io.TeeReader(conn, &w.raw))
	return w
}

// ask sends a GET and reads the answer's head.
func (w *wire) ask(t *testing.T, path string) *http.Response {
	t.Helper()
	w.raw.Reset()
	if _, err := io.WriteString(w, "GET "+path+" HTTP/1.1\r\nHost: localhost\r\n\r\n"); err != nil {
		t.Fatal(err)
	}
	resp, err := http.ReadResponse(w.in, nil)
	if err != nil {
		t.Fatal(err)
	}
	return resp
}

// head is the head of the answer as it came, without the Date.
func (w *wire) head() []string {
	head, _, _ := bytes.Cut(w.raw.Bytes(), []byte("\r\n\r\n"))
	var lines []string
	for line := range strings.SplitSeq(string(head), "\r\n") {
		if !strings.HasPrefix(line, "Date: ") {
			lines = append(lines, line)
		}
	}
	return lines
}

func bodyOf(t *testing.T, resp *http.Response) string {
	t.Helper()
	b, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatalf("after %q: %v", b, err)
	}
	if err := resp.Body.Close(); err != nil {
		t.Error(err)
	}
	return string(b)
}
