package leat_test

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/leat-dev/leat"
)

const secret = "0123456789abcdef0123456789abcdef"

// topicToken is a JWT that ends then, for these patterns.
func topicToken(in time.Duration, subscribe, publish string) string {
	return topicTokenOf("", in, subscribe, publish)
}

// topicTokenOf is one that says whose it is, unless that is "".
func topicTokenOf(subject string, in time.Duration, subscribe, publish string) string {
	list := func(text string) string {
		b, _ := json.Marshal(strings.Fields(text))
		return string(b)
	}
	whose := ""
	if subject != "" {
		whose = fmt.Sprintf(`"sub":%q,`, subject)
	}
	claims := fmt.Sprintf(`{%s"exp":%.3f,"leat":{"subscribe":%s,"publish":%s}}`, whose, float64(time.Now().Add(in).UnixMilli())/1000, list(subscribe), list(publish))
	text := base64.RawURLEncoding.EncodeToString([]byte(`{"alg":"HS256","typ":"JWT"}`)) + "." + base64.RawURLEncoding.EncodeToString([]byte(claims))
	sum := hmac.New(sha256.New, []byte(secret))
	_, _ = sum.Write([]byte(text))
	return text + "." + base64.RawURLEncoding.EncodeToString(sum.Sum(nil))
}

// secretFile has the secret.
func secretFile(t *testing.T) string {
	t.Helper()
	name := filepath.Join(t.TempDir(), "key")
	if err := os.WriteFile(name, []byte(secret), 0o600); err != nil {
		t.Fatal(err)
	}
	return name
}

// guarded serves topics of each kind by a route, beside mine: open.>, closed.>,
// and all others with a token.
func guarded(t *testing.T, mount string, c leat.Config) (*leat.Server, string) {
	t.Helper()
	c.Tokens.Keys = []leat.TokenKey{{Algorithm: "HS256", File: secretFile(t)}}
	c.Topics = append(c.Topics,
		leat.TopicRule{Match: "open.>", Subscribe: "public", Publish: "public"},
		leat.TopicRule{Match: "closed.>", Subscribe: "none", Publish: "none"},
		leat.TopicRule{Match: ">", Subscribe: "token", Publish: "token"})
	return topicMounts[mount](t, &c)
}

func TestWhoMayReadAndPublish(t *testing.T) {
	all, room := topicToken(time.Hour, ">", ">"), topicToken(time.Hour, "room.* open.one", "room.kitchen")
	late, nothing := topicToken(-time.Second, ">", ">"), topicToken(time.Hour, "", "x")
	for mount := range topicMounts {
		_, base := guarded(t, mount, leat.Config{})
		for _, row := range []struct {
			topic, token  string
			read, publish int
			says          []string
		}{
			{topic: "open.a", read: 200, publish: 200},
			{topic: "open.a", token: room, read: 200, publish: 200},
			{topic: "open.a", token: late, read: 200, publish: 200},
			{topic: "closed.a", read: 403, publish: 403, says: []string{"closed.a", "none"}},
			{topic: "closed.a", token: all, read: 403, publish: 403, says: []string{"closed.a"}},
			{topic: "room.kitchen", read: 401, publish: 401, says: []string{"room.kitchen", "Authorization: Bearer", "HS256"}},
			{topic: "room.kitchen", token: room, read: 200, publish: 200},
			{topic: "room.hall", token: room, read: 200, publish: 403, says: []string{`"room.kitchen"`, "room.hall", "leat.publish"}},
			{topic: "machine", token: room, read: 403, publish: 403, says: []string{"room."}},
			{topic: "machine", token: all, read: 200, publish: 200},
			{topic: "machine", token: late, read: 401, publish: 401, says: []string{"ended"}},
			{topic: "machine", token: all[:len(all)-4] + "AAAA", read: 401, publish: 401, says: []string{"signature"}},
			{topic: "machine", token: "nonsense", read: 401, publish: 401, says: []string{"JWT"}},
			{topic: "machine", token: nothing, read: 403, publish: 403, says: []string{"machine"}},
			{topic: "room.*", token: room, read: 200, publish: 400},
			{topic: "room.%3E", token: room, read: 403, publish: 400, says: []string{`"room.*"`, "room.>"}},
			{topic: "%3E", token: room, read: 403, publish: 400, says: []string{`"room.`}},
			{topic: "room.*", read: 401, publish: 400, says: []string{"room.*"}},
			{topic: "closed.*", token: all, read: 403, publish: 400},
		} {
			query := "?leave=1"
			if row.token == "" {
				row.token = "-"
			}
			auth := "Authorization: Bearer " + row.token
			if row.token == "-" {
				auth = "X: y"
			}
			for _, over := range []string{"ndjson HTTP/1.1", "sse HTTP/2", "ws"} {
				f := beginFeed(t, over, base+row.topic+query, auth)
				code := f.resp.StatusCode
				if code == http.StatusSwitchingProtocols {
					code = http.StatusOK
				}
				if over == "ws" && row.read == http.StatusUnauthorized && row.token == "-" {
					if code != http.StatusOK || f.resp.Header.Get("Leat-Position") != "" {
						t.Errorf("%s, %s: a token may come later: %d", mount, row.topic, code)
					}
					f.leave()
					continue
				}
				if code != row.read {
					t.Errorf("%s, %s of %s with %s: %d, want %d", mount, over, row.topic, row.token, code, row.read)
				}
				if code != http.StatusOK {
					text := body(t, f.resp)
					for _, want := range row.says[:min(1, len(row.says))] {
						if !strings.Contains(text, want) && !strings.Contains(text, row.says[len(row.says)-1]) {
							t.Errorf("%s: %s", row.topic, text)
						}
					}
				}
				if (code == http.StatusUnauthorized) != (f.resp.Header.Get("WWW-Authenticate") != "") {
					t.Errorf("%d with WWW-Authenticate: %q", code, f.resp.Header.Get("WWW-Authenticate"))
				}
				f.leave()
			}
			for _, path := range []string{row.topic + "?wait=0", row.topic + "?stats"} {
				if code, _, text := ask(t, http.MethodGet, base+path, "", "Authorization", strings.TrimPrefix(auth, "Authorization: ")); code != row.read && row.token != "-" {
					t.Errorf("%s, %s: %d %s, want %d", mount, path, code, text, row.read)
				}
			}
			header := []string{"Authorization", "Bearer " + row.token}
			if row.token == "-" {
				header = nil
			}
			code, _, text := postTo(t, base+row.topic, "1", header...)
			if code != row.publish {
				t.Errorf("%s, publishing to %s with %s: %d %s, want %d", mount, row.topic, row.token, code, text, row.publish)
			}
			for _, want := range row.says {
				if code >= 400 && row.publish == row.read && !strings.Contains(text, want) {
					t.Errorf("%s, %s: %s, without %s", mount, row.topic, text, want)
				}
			}
			code, _, text = postTo(t, base+"?x", `{"topic":"`+strings.ReplaceAll(row.topic, "%3E", ">")+`","data":1}`, append(header, "Content-Type", "application/x-ndjson")...)
			if code != row.publish || code >= 400 && !strings.Contains(text, "line 1") {
				t.Errorf("%s, a batch to %s: %d %s, want %d", mount, row.topic, code, text, row.publish)
			}
		}
	}
}

func TestATokenComesInAnyOfItsPlaces(t *testing.T) {
	good := topicToken(time.Hour, "room.*", "room.*")
	for mount := range topicMounts {
		_, base := guarded(t, mount, leat.Config{})
		for _, row := range []struct {
			over   string
			header []string
			code   int
		}{
			{"ndjson HTTP/1.1", []string{"Authorization: bearer " + good}, 200},
			{"ndjson HTTP/2", []string{"Cookie: leat-token=" + good}, 200},
			{"sse HTTP/1.0", []string{"Cookie: a=b; leat-token=" + good}, 200},
			{"sse HTTP/1.1", []string{"Authorization: Basic YTpi", "Cookie: leat-token=" + good}, 200},
			{"ndjson HTTP/1.1", []string{"Authorization: Bearer"}, 401},
			{"ndjson HTTP/1.1", []string{"Authorization: Basic YTpi"}, 401},
			{"ndjson HTTP/1.1", []string{"Authorization: Bearer x", "Cookie: leat-token=" + good}, 401},
			{"ws", []string{"Sec-WebSocket-Protocol: leat, leat.token." + good}, 101},
			{"ws", []string{"Sec-WebSocket-Protocol: leat.token." + good + ", leat"}, 101},
			{"ws", []string{"Authorization: Bearer " + good, "Sec-WebSocket-Protocol: leat"}, 101},
			{"ws deflated", []string{"Cookie: leat-token=" + good, "Sec-WebSocket-Protocol: leat"}, 101},
			{"ws", []string{"Sec-WebSocket-Protocol: leat, leat.token.x"}, 401},
			{"ws", []string{"Authorization: Bearer"}, 401},
		} {
			f := beginFeed(t, row.over, base+"room.kitchen", row.header...)
			if f.resp.StatusCode != row.code {
				t.Errorf("%s, %s with %.40q: %s", mount, row.over, row.header, f.resp.Status)
			}
			if row.code < 300 {
				f.control("open")
			}
			want := ""
			if f.peer != nil {
				want = "leat"
			}
			if got := f.resp.Header.Get("Sec-WebSocket-Protocol"); got != want {
				t.Errorf("%s: the subprotocol is %q", row.over, got)
			}
			f.leave()
		}
	}
}

func TestATokenIsTheFirstMessageOfAWebSocket(t *testing.T) {
	good := topicToken(time.Hour, "room.*", "room.kitchen")
	for mount := range topicMounts {
		srv, base := guarded(t, mount, leat.Config{})
		for i := range 50 { // in one piece with the handshake, too
			p := shakeWith(t, base+"room.kitchen?history=1", i%2 == 0, `{"token":"`+good+`"}`)
			f := &topicFeed{t: t, peer: p, resp: p.resp, take: p.record}
			f.control("open")
			_ = p.conn.Close()
		}
		f := followTopic(t, "ws", base+"room.kitchen", "Cookie: leat-token=x") // which no page can take away
		f.peer.text(`{"token":"` + good + `"}`)
		f.control("open")
		f.leave()
		f = followTopic(t, "ws", base+"room.kitchen") // the one that it will read
		f.peer.text(`{"data":1}`)
		if r := f.control("refused"); r.Status != http.StatusUnauthorized || !strings.Contains(r.Error, "room.kitchen") {
			t.Error(r.raw)
		}
		f.leave()
		f = followTopic(t, "ws", base+"room.kitchen?topic=room.hall")
		f.peer.text(`{"publish":"room.kitchen","data":1,"ref":"early"}`)
		if r := f.control("refused"); r.Status != http.StatusUnauthorized || string(r.Ref) != `"early"` || !strings.Contains(r.Error, "room.kitchen") {
			t.Error(r.raw)
		}
		f.peer.text(`{"publish":"open.a","data":1}`)
		f.control("published")
		tooNarrow := topicToken(time.Hour, "room.kitchen", "")
		refuses := func() {
			t.Helper()
			for _, row := range []struct {
				token  string
				status int
				says   string
			}{
				{"x", http.StatusUnauthorized, "JWT"},
				{topicToken(-time.Second, ">", ">"), http.StatusUnauthorized, "ended"},
				{tooNarrow, http.StatusForbidden, `may subscribe to "room.kitchen", not to "room.hall"`},
			} {
				f.peer.text(`{"token":"` + row.token + `","ref":2}`)
				if r := f.control("refused"); r.Status != row.status || string(r.Ref) != "2" || !strings.Contains(r.Error, row.says) {
					t.Errorf("%s, want %d with %s", r.raw, row.status, row.says)
				}
			}
		}
		refuses()
		publishTo(t, srv, "room.kitchen", leat.JSON("before"))
		f.peer.text(`{"token":"` + good + `"}`)
		f.control("open")
		f.peer.text(`{"publish":"room.kitchen","data":2}`)
		got := []string{f.next().Control, f.next().Control}
		if slices.Sort(got); !slices.Equal(got, []string{"", "published"}) {
			t.Error(got)
		}
		f.peer.text(`{"publish":"room.hall","data":2,"ref":[1]}`)
		if r := f.control("refused"); r.Status != http.StatusForbidden || string(r.Ref) != "[1]" || !strings.Contains(r.Error, "room.kitchen") {
			t.Error(r.raw)
		}
		refuses() // one in the place of the other, too
		f.leave()
	}
}

func TestAuthorizeDecidesInPlaceOfEverything(t *testing.T) {
	asked := make(chan string, 1000)
	c := leat.Config{Authorize: func(r *http.Request, action, pattern string) error {
		asked <- action + " " + pattern
		if r.Header.Get("X-User") == "" && r.URL.Query().Get("user") == "" {
			return errors.New("nobody is signed in")
		}
		if action == "publish" && pattern != "closed.a" {
			return errors.New("only closed.a")
		}
		return nil
	}}
	for mount := range topicMounts {
		_, base := guarded(t, mount, c)
		if code, _, text := ask(t, http.MethodGet, base+"open.a?wait=0", "", "Authorization", "Bearer "+topicToken(time.Hour, ">", ">")); code != http.StatusForbidden || !strings.Contains(text, "nobody is signed in") {
			t.Errorf("%d %s", code, text)
		}
		if code, _, text := postTo(t, base+"closed.a", "1", "X-User", "ada"); code != http.StatusOK {
			t.Errorf("%d %s", code, text)
		}
		if code, _, _ := postTo(t, base+"open.a", "1", "X-User", "ada"); code != http.StatusForbidden {
			t.Errorf("%d", code)
		}
		for _, over := range topicTransports {
			f := followTopic(t, over, base+"%3E?history=all&user=ada")
			f.control("open")
			f.message("1")
			f.leave()
			if f := beginFeed(t, over, base+"closed.a"); f.resp.StatusCode != http.StatusForbidden {
				t.Errorf("%s: %s", over, f.resp.Status)
			}
		}
		f := followTopic(t, "ws", base+"closed.a", "X-User: ada")
		f.control("open")
		f.peer.text(`{"token":"` + topicToken(time.Hour, ">", ">") + `"}`) // which nobody asks for
		f.control("refused")
		f.peer.text(`{"publish":"open.a","data":2}`)
		f.control("refused")
		f.peer.text(`{"data":2}`)
		got := []string{f.next().Control, f.next().Control}
		if slices.Sort(got); !slices.Equal(got, []string{"", "published"}) {
			t.Error(got)
		}
		f.leave()
	}
	if got := receive(t, "a question", asked); got != "subscribe open.a" {
		t.Error(got)
	}
}
