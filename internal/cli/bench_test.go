package cli

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"reflect"
	"regexp"
	"runtime/pprof"
	"slices"
	"strings"
	"syscall"
	"testing"
	"testing/fstest"
	"time"

	"github.com/leat-dev/leat"
)

func TestSizesAreReadAsThoseOfTheConfiguration(t *testing.T) {
	for _, text := range []string{"64", "1KB", "1 kb", "1.5k", "1MB", "2m", "1GB", "10 bytes", ".5KB", " 7 ", "1.3KB", "", "KB", "1TB", "-1", "1e3", "64 kilo", "0x10"} {
		file := fmt.Sprintf("{ web: { limits: { queue: %q } } }", text)
		config, want := leat.LoadFS(fstest.MapFS{"web.json5": {Data: []byte(file)}}, "web.json5")
		var got sizeFlag
		if err := got.Set(text); (err == nil) != (want == nil) || err == nil && int64(got) != config.Limits.Queue {
			t.Errorf("%q: %d %v, and in the configuration %v", text, got, err, want)
		}
	}
}

func TestAReasonIsTheSameForEachConnection(t *testing.T) {
	refused := &net.OpError{
		Op: "dial", Net: "tcp", Source: &net.TCPAddr{IP: net.IPv4(10, 0, 0, 2), Port: 4711}, Addr: &net.TCPAddr{IP: net.IPv4(10, 0, 0, 1), Port: 80},
		Err: os.NewSyscallError("connect", syscall.ECONNREFUSED),
	}
	for _, c := range []struct {
		err  error
		want string
	}{
		{&leat.DialError{URL: "ws://a/", Err: refused}, "connect: connection refused"},
		{fmt.Errorf("the proxy http://p: %w", refused), "the proxy http://p: connect: connection refused"},
		{&net.OpError{Op: "dial", Net: "tcp", Err: errors.New("lookup a: no such host")}, "lookup a: no such host"},
		{errors.New("read tcp [::1]:5000->[::1]:80: read: connection reset by peer"), "read: connection reset by peer"},
		{&net.OpError{Op: "dial", Net: "tcp", Err: os.NewSyscallError("connect", syscall.EADDRNOTAVAIL)}, "no local port is left for this address"},
		{errors.New("it says \x1b[2J"), `it says \x1b[2J`},
	} {
		if got := reason(c.err); got != c.want {
			t.Errorf("%v: %q, want %q", c.err, got, c.want)
		}
	}
}

func TestATallyListsTheMostFrequentFirstAndNotAllThereAre(t *testing.T) {
	var y tally
	for n := range mostReasons {
		y.add(fmt.Sprintf("reason %02d", n))
	}
	y.add("reason 03")
	y.add("request 4711 was refused")
	y.add("request 4712 was refused")
	y.add("request 4713 was refused")
	list := y.list()
	if len(list) != mostReasons+1 || list[0] != (reasonCount{otherReasons, 3}) || list[1] != (reasonCount{"reason 03", 2}) || y.sum() != mostReasons+4 {
		t.Errorf("%d: %v", y.sum(), list)
	}
}

func TestMessagesAreDueEvenlyAndAtTicks(t *testing.T) {
	l := newLoad(&benchOptions{connections: 1, rate: 3000, size: 64}, "ws://localhost/", false)
	var last time.Duration
	for n := range int64(30001) {
		exact := time.Duration(n) * time.Second / 3000
		due := l.sockets.due(n)
		if due > exact+1 || due <= exact-tick || due%tick != 0 || due < last {
			t.Fatalf("message %d is due after %v, and exactly after %v", n, due, exact)
		}
		last = due
	}
}

func TestAnEchoIsJudgedWithoutAllocating(t *testing.T) {
	const size = 200
	l := newLoad(&benchOptions{connections: 1, rate: 1, size: size}, "ws://localhost/", false)
	b := &benchSocket{l: l, c: &l.counts[0], number: 7}
	message := append([]byte(nil), l.sockets.mark...)
	message = append(append(message, make([]byte, stampSize-markSize)...), l.sockets.filler...)
	putHex(message[markSize:markSize+6], 7)
	n := uint64(0)
	allocs := testing.AllocsPerRun(100, func() {
		putHex(message[markSize+6:markSize+14], n)
		putHex(message[markSize+14:stampSize], 0)
		n++
		b.next.Add(1)
		// In two pieces, as large messages come.
		b.message(nil, leat.Message{Type: leat.TextMessage, Data: message[:100]})
		b.message(nil, leat.Message{Type: leat.TextMessage, Data: message[100:], Continuation: true, Last: true})
	})
	if sum := l.sum(); allocs != 0 || sum.right != int64(n) || sum.echoes != int64(n) || l.wrong.sum() != 0 {
		t.Errorf("%v allocations for an echo; %d of %d are right: %v", allocs, sum.right, n, l.wrong.list())
	}
}

func TestHeartbeatsAreCountedWhereverTheReadsCutThem(t *testing.T) {
	for _, c := range []struct {
		kind, text string
		comments   int64
	}{
		{sseKind, ": one\ndata: a\n\n:\n:two\r\ndata: :\n\n", 3},
		{ndjsonKind, "\n{\"a\":1}\n\n\r\n[]\n", 3},
		{ndjsonKind, ":\n", 0},
	} {
		for size := 1; size <= len(c.text); size++ {
			var n counts
			r := &markedReader{in: strings.NewReader(c.text), c: &n, kind: c.kind, begins: true}
			for b := make([]byte, size); ; {
				if _, err := r.Read(b); err != nil {
					break
				}
			}
			if got := n.comments.Load(); got != c.comments || n.bytesIn.Load() != int64(len(c.text)) {
				t.Errorf("%q in reads of %d: %d, want %d; %d bytes", c.text, size, got, c.comments, n.bytesIn.Load())
			}
		}
	}
}

func TestTimesAndBytesAreWrittenShort(t *testing.T) {
	for _, c := range []struct{ got, want string }{
		{short(0.000999), "999ns"},
		{short(0.0123456), "12.3µs"},
		{short(998.7), "999ms"},
		{short(1234.5), "1.23s"},
		{short(0), "0s"},
		{decimal(0), "0"},
		{decimal(2), "2"},
		{decimal(10), "10"},
		{decimal(2.5), "2.5"},
		{decimal(0.02), "0.02"},
		{decimal(123.4), "123"},
		{bytesText(64), "64 bytes"},
		{bytesText(1 << 20), "1 MB"},
		{bytesText(1500), "1.46 KB"},
		{bytesText(1 << 40), "1024 GB"},
	} {
		if c.got != c.want {
			t.Errorf("%q, want %q", c.got, c.want)
		}
	}
}

func TestAMetronomeWakesAfterTheTimeAndStopsAtOnce(t *testing.T) {
	m, err := newMetronome()
	if err != nil {
		t.Fatal(err)
	}
	defer m.close()
	for _, d := range []time.Duration{-1, 0, 1, time.Millisecond} {
		if began := time.Now(); !m.wait(d) || time.Since(began) < d {
			t.Errorf("it did not wait for %v", d)
		}
	}
	ended := make(chan bool)
	go func() { ended <- m.wait(time.Hour) }()
	m.stop()
	if <-ended || m.wait(time.Hour) {
		t.Error("it goes on after its stop")
	}
}

func TestTheDocumentDescribesEachMemberOfTheJSON(t *testing.T) {
	text, err := os.ReadFile("../../docs/bench.md")
	if err != nil {
		t.Fatal(err)
	}
	var walk func(of reflect.Type)
	walk = func(of reflect.Type) {
		for of.Kind() == reflect.Pointer || of.Kind() == reflect.Slice {
			of = of.Elem()
		}
		if of.Kind() != reflect.Struct {
			return
		}
		for i := range of.NumField() {
			name, _, _ := strings.Cut(of.Field(i).Tag.Get("json"), ",")
			if name == "" {
				continue
			}
			if !regexp.MustCompile("[`.]" + name + "[`.]").Match(text) {
				t.Errorf("docs/bench.md does not say what %s is", name)
			}
			walk(of.Field(i).Type)
		}
	}
	walk(reflect.TypeFor[benchReport]())
}

// TestABenchLeavesNothingBehind looks for goroutines of its own, and has the
// server, whose Close waits for them, see the ends of all connections.
func TestABenchLeavesNothingBehind(t *testing.T) {
	mux := http.NewServeMux()
	mux.HandleFunc("/echo", func(w http.ResponseWriter, r *http.Request) {
		s, err := leat.Upgrade(w, r, nil)
		if err != nil {
			return
		}
		for {
			m, err := s.Read(r.Context())
			if errors.Is(err, io.EOF) {
				return
			}
			if _, sent := s.Write(r.Context(), m); err != nil || sent != nil {
				t.Errorf("it ended by %v, %v", err, sent)
				return
			}
		}
	})
	mux.HandleFunc("/stream", func(w http.ResponseWriter, r *http.Request) {
		s, err := leat.Records(w, r, nil)
		if err != nil {
			return
		}
		_ = s.Send("one")
		<-s.Done()
	})
	server := httptest.NewServer(mux)
	own := regexp.MustCompile(`internal/cli\.\(\*(load|sockets|streams|benchSocket|liveLine|metronome)\)`)
	for _, args := range [][]string{
		{"--duration", "20ms", server.Listener.Addr().String() + "/echo"},
		{"--duration", "20ms", "--rate", "1000", server.Listener.Addr().String() + "/echo"},
		{"--duration", "20ms", server.URL + "/stream"},
		{"--duration", "20ms", server.URL + "/nothing"},
	} {
		var out, stacks bytes.Buffer
		code := Main(t.Context(), append([]string{"bench", "--connections", "50"}, args...), strings.NewReader(""), &out, &out)
		if want := map[bool]int{true: exitFailed}[slices.Contains(args, server.URL+"/nothing")]; code != want {
			t.Errorf("%q: exit code %d, want %d\n%s", args, code, want, &out)
		}
		if err := pprof.Lookup("goroutine").WriteTo(&stacks, 1); err != nil {
			t.Fatal(err)
		}
		if left := own.FindString(stacks.String()); left != "" {
			t.Errorf("%q: %s is still running:\n%s", args, left, &stacks)
		}
	}
	server.Close()
}
