package protocol_test

import (
	"context"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	coder "github.com/coder/websocket"
	"github.com/gorilla/websocket"
)

// TestPeers proves the driver by the libraries of others, as server and as
// client: what they are known to do wrong must fail, everything else must hold.
func TestPeers(t *testing.T) {
	t.Parallel()
	for _, peer := range []struct {
		*subject
		lax   map[string]string
		knows func(how setup) bool
	}{
		{gorillaServer(t), gorillaLax, alone},
		{gorillaClient(t), gorillaLax, alone},
		{coderServer(t), coderLax, wide},
		{coderClient(t), coderLax, wide},
	} {
		t.Run(peer.name, func(t *testing.T) {
			for _, c := range peerCases() {
				if c.only != "" && c.only != peer.role() || !peer.knows(c.how) {
					continue
				}
				t.Run(c.String(), func(t *testing.T) {
					t.Parallel()
					does := ""
					for ids, what := range peer.lax {
						if regexp.MustCompile("^(" + ids + ")$").MatchString(c.id) {
							does = what
						}
					}
					if does == "" {
						if err := perform(t, peer.subject, c, patience); err != nil {
							t.Error(err)
						}
					} else if perform(t, peer.subject, c, time.Second/10) == nil {
						t.Errorf("it holds, and was known otherwise: it %s", does)
					}
				})
			}
		})
	}
}

// gorillaLax and coderLax are what the libraries are known to do instead of what
// is right, by the ids of the cases.
var gorillaLax = map[string]string{
	`3\.1 .*|4\..* byte|5\.1 byte`: "looks at a head when it is whole",
	`6\.4\..*`:                     "leaves text to the application",
	`7\.1\.1 waits`:                "does not wait for the server's end",
	`7\.3\.2`:                      "takes a close of one byte as an empty one",
	`7\.5\.1( cut)?`:               "says 1002 for a reason that is not UTF-8",
	`7\.7\.16.*`:                   "refuses 1014",
	`deflate\.11 .*`:               "drops TCP at an empty payload",
	`deflate\.1[3-7] .*`:           "takes RSV1 anywhere",
	`deflate\.(2[1-6]|29|42).*`:    "drops TCP at corrupt data",
	`deflate\.30 .*`:               "leaves text to the application",
	`deflate\.5[1-5]`:              "has no limit for what is inflated",
	`length\.([1-5]|11)`:           "takes lengths that are not minimal",
	`length\.([678]|12)`:           "drops TCP at a negative length",
}

var coderLax = map[string]string{
	`3\.1 .*|4\..* byte|5\.1 byte|length.9`: "looks at a head when it is whole",
	`6\.4\..*`:                              "leaves text to the application",
	`7\.1\.1 waits`:                         "does not wait for the server's end",
	`7\.5\.1( cut)?`:                        "echoes a reason that is not UTF-8",
	`deflate\.9 .*`:                         "drops TCP after a last block",
	`deflate\.(2[1-46]|29|42).*`:            "drops TCP at corrupt data",
	`deflate\.25 .*`:                        "takes data that is cut as a message",
	`deflate\.30 .*`:                        "leaves text to the application",
	`deflate\.5[67]|length.13|limit\.(3|4|8|13|14)`: "waits for bytes that are too many",
	`length\.([1-5]|11)`:                            "takes lengths that are not minimal",
	`length\.([678]|12)`:                            "drops TCP at a negative length",
	`mask\.[1-589]`:                                 "takes masked frames as a client and drops TCP at unmasked ones as a server",
}

// alone says whether no message is compressed with the context of those before,
// which gorilla cannot do.
func alone(how setup) bool {
	return how.offer == "" || strings.Contains(how.offer, "server_no") && strings.Contains(how.answer, "server_no") &&
		strings.Contains(how.answer, "client_no") && wide(how)
}

// wide says whether the windows go unmentioned; coder cannot make them smaller.
func wide(how setup) bool {
	return !strings.Contains(strings.ReplaceAll(how.offer, "client_max_window_bits", "")+how.answer, "bits")
}

// peerCases are those of all that say something about the driver, and are quick.
func peerCases() []testCase {
	return slices.DeleteFunc(allCases(), func(c testCase) bool {
		switch c.category() {
		case "6":
			return strings.HasSuffix(c.id, " byte") || strings.HasSuffix(c.id, " fragment")
		case "9", "12", "13":
			return !strings.HasSuffix(c.id, "1")
		case "sending":
			return true
		}
		return false
	})
}

func gorillaServer(t *testing.T) *subject {
	return &subject{name: "gorilla's server", addr: listen(t, func(w http.ResponseWriter, r *http.Request) {
		u := websocket.Upgrader{EnableCompression: true}
		conn, err := u.Upgrade(w, r, nil)
		if err == nil {
			echoGorilla(conn, setupOf(r))
		}
	})}
}

func gorillaClient(*testing.T) *subject {
	return &subject{name: "gorilla's client", dial: func(url string, s setup, _ chan<- outcome) {
		d := websocket.Dialer{EnableCompression: s.answer != ""}
		if conn, _, err := d.Dial(url, nil); err == nil {
			echoGorilla(conn, s)
		}
	}}
}

// echoGorilla leaves the end of TCP to the other side, since gorilla leaves it to
// the application.
func echoGorilla(conn *websocket.Conn, s setup) {
	defer conn.Close()
	conn.SetReadLimit(s.limit())
	for {
		kind, data, err := conn.ReadMessage()
		switch {
		case err != nil:
		case kind == websocket.TextMessage && !utf8.Valid(data): // the application's part
			err = errors.New("not UTF-8")
			_ = conn.WriteControl(websocket.CloseMessage, websocket.FormatCloseMessage(1007, ""), time.Now().Add(patience))
		default:
			err = conn.WriteMessage(kind, data)
		}
		if err != nil {
			c := conn.NetConn()
			_ = c.(interface{ CloseWrite() error }).CloseWrite()
			_ = c.SetReadDeadline(time.Now().Add(patience))
			_, _ = io.Copy(io.Discard, c)
			return
		}
	}
}

func coderServer(t *testing.T) *subject {
	return &subject{name: "coder's server", resets: true, addr: listen(t, func(w http.ResponseWriter, r *http.Request) {
		s := setupOf(r)
		conn, err := coder.Accept(w, r, &coder.AcceptOptions{CompressionMode: coderMode(s), CompressionThreshold: 1})
		if err == nil {
			echoCoder(conn, s)
		}
	})}
}

func coderClient(*testing.T) *subject {
	return &subject{name: "coder's client", resets: true, dial: func(url string, s setup, _ chan<- outcome) {
		o := &coder.DialOptions{CompressionMode: coder.CompressionDisabled, CompressionThreshold: 1}
		if s.answer != "" {
			o.CompressionMode = coderMode(s)
		}
		if conn, _, err := coder.Dial(context.Background(), url, o); err == nil {
			echoCoder(conn, s)
		}
	}}
}

func coderMode(s setup) coder.CompressionMode {
	if s.takeover {
		return coder.CompressionContextTakeover
	}
	return coder.CompressionNoContextTakeover
}

func echoCoder(conn *coder.Conn, s setup) {
	defer conn.CloseNow()
	conn.SetReadLimit(s.limit())
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	for {
		kind, data, err := conn.Read(ctx)
		switch {
		case err != nil:
		case kind == coder.MessageText && !utf8.Valid(data):
			_ = conn.Close(1007, "")
			return
		default:
			err = conn.Write(ctx, kind, data)
		}
		if err != nil {
			return
		}
	}
}

// listen starts a server for h and returns its address.
func listen(t *testing.T, h http.HandlerFunc) string {
	s := httptest.NewServer(h)
	t.Cleanup(s.Close)
	return s.Listener.Addr().String()
}
