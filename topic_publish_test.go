package leat_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"testing"

	"github.com/leat-dev/leat"
)

func TestTheContentTypeSaysWhatAMessageIs(t *testing.T) {
	for _, row := range []struct {
		media, body, data string
		encoding          string
		code              int
	}{
		{media: "application/json", body: `{"a": 1}`, data: `{"a": 1}`},
		{media: "application/json; charset=utf-8", body: "[1,\n2]", data: "[1,2]"},
		{media: "Application/JSON", body: "null", data: "null"},
		{media: "application/json", body: `{"a":`, code: 400},
		{media: "application/json", body: "", code: 400},
		{media: "application/json", body: "\"\xff\"", code: 400},
		{media: "application/json", body: "1 2", code: 400},
		{media: "text/plain", body: "1", data: `"1"`},
		{media: "text/csv; charset=UTF-8", body: "a,b\r\nc", data: `"a,b\r\nc"`},
		{media: "text/html", body: "<b>&\"\u2028", data: `"<b>&\"\u2028"`},
		{media: "text/plain; charset=us-ascii", body: "", data: `""`},
		{media: "text/plain", body: "\xff", code: 400},
		{media: "text/plain; charset=iso-8859-1", body: "a", code: 415},
		{media: "application/octet-stream", body: "1", data: `"MQ=="`, encoding: "base64"},
		{media: "application/octet-stream", body: "\x00\xff\n", data: `"AP8K"`, encoding: "base64"},
		{media: "", body: "2", data: "2"},
		{media: "", body: "two", data: `"two"`},
		{media: "", body: "\xfe", data: `"/g=="`, encoding: "base64"},
		{media: "application/x-www-form-urlencoded", body: `{"b":2}`, data: `{"b":2}`},
		{media: "application/x-www-form-urlencoded", body: "a=b&c", data: `"a=b&c"`},
		{media: "image/png", body: "x", code: 415},
		{media: "application/xml", body: "x", code: 415},
		{media: "nonsense/", body: "x", code: 415},
		{media: "application/ndjson", body: `{"data":1}`, data: "1"},
	} {
		for _, proto := range []string{"HTTP/1.1", "HTTP/1.0", "HTTP/2"} {
			srv, url := openTopics(t, leat.Config{})
			code, text := 0, ""
			if proto == "HTTP/2" {
				header := []string{"X: y"}
				if row.media != "" {
					header = append(header, "Content-Type: "+row.media)
				}
				resp, _ := overHTTP2(t, http.MethodPost, url+"a", row.body, header...)
				code, text = resp.StatusCode, body(t, resp)
			} else {
				header := fmt.Sprintf("Host: localhost\r\nContent-Length: %d\r\nConnection: close\r\n", len(row.body))
				if row.media != "" {
					header += "Content-Type: " + row.media + "\r\n"
				}
				resp := reach(t, strings.TrimSuffix(url, "/live/"), "POST /live/a "+proto+"\r\n"+header+"\r\n"+row.body).response()
				code, text = resp.StatusCode, body(t, resp)
			}
			_, _, kept := ask(t, http.MethodGet, url+"a", "", "Accept", "application/json")
			list := array(t, kept)
			if row.code != 0 {
				if code != row.code || len(list) != 0 || text == "" {
					t.Errorf("%s, %s %q: %d %s, want %d; kept is %s", proto, row.media, row.body, code, text, row.code, kept)
				}
				continue
			}
			if code != http.StatusOK || len(list) != 1 || string(list[0].Data) != row.data || list[0].Encoding != row.encoding {
				t.Errorf("%s, %s %q: %d %s; kept is %s", proto, row.media, row.body, code, text, kept)
				continue
			}
			var receipt struct {
				ID    string
				Count int64
			}
			if err := json.Unmarshal([]byte(text), &receipt); err != nil || receipt.ID != list[0].ID || receipt.Count != 1 {
				t.Errorf("%s: %s, %v", row.media, text, err)
			}
			if srv.Topic("a").Stats().Published != 1 {
				t.Error("it is not there")
			}
		}
	}
}

func TestNameAndKeyComeByHeaderOrQuery(t *testing.T) {
	_, base := openTopics(t, leat.Config{Topics: []leat.TopicRule{{Match: "keyed", Key: "id", Publish: "public"}, {Publish: "public"}}})
	for i, row := range []struct {
		path, body string
		header     []string
		event, key string
		code       int
	}{
		{path: "a?event=e&key=k", event: "e", key: "k"},
		{path: "a", header: []string{"Leat-Event", "e", "Leat-Key", "k"}, event: "e", key: "k"},
		{path: "a?event=q&key=q", header: []string{"Leat-Event", "h", "Leat-Key", "h"}, event: "h", key: "h"},
		{path: "a?event=" + url.QueryEscape("größe x") + "&key=" + url.QueryEscape("a\nb"), event: "größe x", key: "a\nb"},
		{path: "?topic=a"},
		{path: "keyed", body: `{"id":"x"}`, key: "x"},
		{path: "keyed", body: `{"id":7}`, key: "7"},
		{path: "keyed", body: `{"id":{"a":[1]}}`, key: `{"a":[1]}`},
		{path: "keyed", body: `{"id":null}`},
		{path: "keyed", body: `[1]`},
		{path: "keyed?key=own", body: `{"id":"x"}`, key: "own"},
		{path: "keyed?event=" + strings.Repeat("e", 256), event: strings.Repeat("e", 256)},
		{path: "a?event=" + strings.Repeat("e", 257), code: 400},
		{path: "a?key=" + strings.Repeat("k", 1025), code: 400},
		{path: "a?event=leat.open", code: 400},
		{path: "a?event=a%0Ab", code: 400},
		{path: "a?event=a%0Db", code: 400},
		{path: "a?event=a%00b", code: 400},
		{path: "a?event=%FF", code: 400},
		{path: "a", header: []string{"Leat-Event", "\xff"}, code: 400},
		{path: "a.*", code: 400},
		{path: "%3E", code: 400},
		{path: "a?topic=b", code: 400},
		{path: "", code: 400},
		{path: "a..b", code: 400},
	} {
		text := row.body
		if text == "" {
			text = strconv.Itoa(i)
		}
		code, h, answer := postTo(t, base+row.path, text, row.header...)
		if row.code != 0 {
			if code != row.code || h.Get("Vary") != "Accept" {
				t.Errorf("%q %q: %d %s", row.path, row.header, code, answer)
			}
			continue
		}
		var receipt struct{ ID string }
		if err := json.Unmarshal([]byte(answer), &receipt); err != nil || code != http.StatusOK {
			t.Fatalf("%q: %d %s", row.path, code, answer)
		}
		_, _, kept := ask(t, http.MethodGet, base+"?topic=a&topic=keyed&history=1", "", "Accept", "application/json")
		if got := array(t, kept)[0]; got.ID != receipt.ID || got.Event != row.event || got.Key != row.key {
			t.Errorf("%q: %s", row.path, kept)
		}
	}
}

func TestALineThatIsNoneOfABatchIsRefusedInPlainWords(t *testing.T) {
	_, base := openTopics(t, leat.Config{Topics: []leat.TopicRule{{Publish: "public"}}})
	for line, want := range map[string]string{
		`5`:                           `it is not an object like {"data":…}`,
		`"data"`:                      `it is not an object like {"data":…}`,
		`[1]`:                         `it is not an object like {"data":…}`,
		`{"data":1,"event":7}`:        `its event is no text: number`,
		`{"data":1,"key":{"id":"x"}}`: `its key is no text: object`,
		`{"data":1,"topic":["a"]}`:    `its topic is no text: array`,
		`{"data":1`:                   `it is not an object like {"data":…}: unexpected end of JSON input`,
	} {
		code, _, text := postTo(t, base+"a", line, "Content-Type", "application/x-ndjson")
		want = "line 1 of the batch: the message cannot be published: " + want + "; nothing is published\n"
		if code != http.StatusBadRequest || text != want {
			t.Errorf("%s: %d %q, want %q", line, code, text, want)
		}
	}
}

func TestABatchIsPublishedAsAWholeOrNotAtAll(t *testing.T) {
	srv, base := openTopics(t, leat.Config{Limits: leat.Limits{MaxMessage: 100}, Topics: []leat.TopicRule{
		{Match: "closed"}, {Match: "keyed", Key: "id", Publish: "public"}, {Publish: "public"},
	}})
	live := map[string]*topicFeed{}
	for _, over := range topicTransports {
		live[over] = followTopic(t, over, base+"%3E")
		live[over].control("open")
	}
	good := strings.Join([]string{
		`{"data":1}`, "", `{"data":"two","event":"e","key":"k","topic":"b"}`, ` {"topic":"keyed","data":{"id":"x"}} ` + "\r", `{"data":"AP8=","encoding":"base64"}`, `{"data":null}`,
	}, "\n")
	code, _, text := postTo(t, base+"a", good, "Content-Type", "application/x-ndjson")
	if code != http.StatusOK || !strings.Contains(text, `"count":3,"published":5}`) {
		t.Fatalf("%d %s", code, text)
	}
	_, _, kept := ask(t, http.MethodGet, base+"%3E", "", "Accept", "application/json")
	first := array(t, kept)
	if len(first) != 5 || first[1].Topic != "b" || first[1].Event != "e" || first[1].Key != "k" || first[2].Key != "x" ||
		string(first[3].Data) != `"AP8="` || first[3].Encoding != "base64" || string(first[4].Data) != "null" {
		t.Fatal(kept)
	}
	epoch, _, _ := strings.Cut(first[0].ID, "-")
	for i, r := range first {
		if r.ID != epoch+"-"+strconv.Itoa(i+1) {
			t.Errorf("%s is not in one piece", kept)
		}
	}
	for name, row := range map[string]struct {
		lines []string
		path  string
		line  string // that is named
		code  int
	}{
		"bad JSON":               {lines: []string{`{"data":1}`, "", `{"data":`}, line: "line 3", code: 400},
		"no object":              {lines: []string{"[1]"}, line: "line 1", code: 400},
		"no data":                {lines: []string{`{"data":1}`, `{"event":"e"}`}, line: "line 2", code: 400},
		"a reserved name":        {lines: []string{`{"data":1}`, `{"data":1,"event":"leat.gap"}`}, line: "line 2", code: 400},
		"a line end in a name":   {lines: []string{`{"data":1,"event":"a\nb"}`}, line: "line 1", code: 400},
		"no base64":              {lines: []string{`{"data":1}`, `{"data":"%","encoding":"base64"}`}, line: "line 2", code: 400},
		"another encoding":       {lines: []string{`{"data":"x","encoding":"hex"}`}, line: "line 1", code: 400},
		"a number in base64":     {lines: []string{`{"data":1,"encoding":"base64"}`}, line: "line 1", code: 400},
		"a pattern":              {lines: []string{`{"data":1}`, `{"data":1,"topic":"a.*"}`}, line: "line 2", code: 400},
		"no name":                {lines: []string{`{"data":1,"topic":"b"}`, `{"data":1}`}, path: "?", line: "line 2", code: 400},
		"no UTF-8":               {lines: []string{`{"data":1}`, "{\"data\":\"\xff\"}"}, line: "line 2", code: 400},
		"no UTF-8 in JSON":       {lines: []string{"{\"data\":{\"a\":\"\xff\"}}"}, line: "line 1", code: 400},
		"no UTF-8 in a key":      {lines: []string{"{\"data\":1,\"key\":\"\xff\"}"}, line: "line 1", code: 400},
		"too large":              {lines: []string{`{"data":1}`, `{"data":"` + strings.Repeat("x", 101) + `"}`}, line: "line 2", code: 413},
		"a topic that is closed": {lines: []string{`{"data":1}`, `{"data":1,"topic":"closed"}`}, line: "line 2", code: 403},
		"nothing":                {lines: []string{"", " "}, line: "empty", code: 400},
		"two lines that are bad": {lines: []string{`{"data":1}`, "{", "{"}, line: "line 2", code: 400},
		"too much":               {lines: []string{strings.Repeat(`{"data":1}`+"\n", 150)}, line: "limits.maxMessage", code: 413},
	} {
		path := strings.TrimPrefix("a"+row.path, "a?")
		code, _, text := postTo(t, base+path, strings.Join(row.lines, "\n"), "Content-Type", "application/x-ndjson")
		if code != row.code || !strings.Contains(text, row.line) {
			t.Errorf("%s: %d %s, want %d with %q", name, code, text, row.code, row.line)
		}
	}
	if s := srv.Topic(">").Stats(); s.Published != 5 {
		t.Errorf("%d are published", s.Published)
	}
	publishTo(t, srv, "a", leat.JSON("last"))
	for over, f := range live {
		for _, want := range first {
			if got := f.next(); got.ID != want.ID {
				t.Fatalf("%s: %s, want %s", over, got.raw, want.ID)
			}
		}
		f.next()
	}
}

func TestABatchHasAtMostTenThousandMessages(t *testing.T) {
	srv, base := openTopics(t, leat.Config{Limits: leat.Limits{Body: 1 << 20}})
	line := `{"data":1}` + "\n"
	code, _, text := postTo(t, base+"a", strings.Repeat(line, 10_001), "Content-Type", "application/x-ndjson")
	if code != http.StatusRequestEntityTooLarge || !strings.Contains(text, "line 10001") {
		t.Errorf("%d %s", code, text)
	}
	code, _, text = postTo(t, base+"a", strings.Repeat(line, 10_000), "Content-Type", "application/x-ndjson")
	if code != http.StatusOK || !strings.Contains(text, `"published":10000`) || srv.Topic("a").Stats().Published != 10_000 {
		t.Errorf("%d %s", code, text)
	}
}
