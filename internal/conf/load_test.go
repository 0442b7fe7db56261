package conf_test

import (
	"errors"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"
	"testing/fstest"
	"time"

	"github.com/leat-dev/leat/internal/conf"
)

// parse reads a source that has to be right.
func parse(t *testing.T, source string) *conf.Config {
	t.Helper()
	c, _, err := conf.Parse([]byte(source), "web.json5")
	if err != nil {
		t.Fatalf("%s\n%v", source, err)
	}
	return c
}

func TestTheBlocksOfTheSourceDocumentsLoad(t *testing.T) {
	files, err := filepath.Glob("testdata/seeds/*.json5")
	if err != nil || len(files) < 5 {
		t.Fatal(files, err)
	}
	got := map[string]*conf.Config{}
	for _, file := range files {
		c, _, err := conf.Load(file)
		if err != nil {
			t.Errorf("%s:\n%v", file, err)
			continue
		}
		got[filepath.Base(file)] = c
	}
	routes := []conf.Route{
		{Match: "/upload/", Methods: []string{"DELETE", "GET", "PUT"}},
		{Match: "/ws/", Methods: []string{"GET"}, Handler: "action"},
		{},
	}
	if r := got["routes.json5"].Routes; !reflect.DeepEqual(r, routes) {
		t.Errorf("routes: %+v", r)
	}
	if to := got["timeouts.json5"].Timeouts; to != (conf.Timeouts{Inactivity: 5 * time.Minute, Request: time.Hour}) {
		t.Errorf("timeouts: %+v", to)
	}
	block := []conf.Route{{
		Match: "^/websock/{controller}$", Handler: "action", Action: "$1",
		Timeouts:   conf.Timeouts{Request: 2 * time.Hour, Inactivity: 5 * time.Minute},
		WebSockets: conf.WebSockets{Enable: conf.On, Protocols: []string{"chat"}},
	}}
	if r := got["route-block.json5"].Routes; !reflect.DeepEqual(r, block) {
		t.Errorf("route block: %+v", r)
	}
	directives := got["directives.json5"]
	if l := directives.Limits; l != (conf.Limits{MaxMessage: conf.Unlimited, MaxFrame: 131072}) {
		t.Errorf("directives: %+v", l)
	}
	if w := directives.WebSockets; !reflect.DeepEqual(w, conf.WebSockets{Ping: conf.Never, Protocols: []string{"chat"}, ValidateUTF: conf.On}) {
		t.Errorf("directives: %+v", w)
	}
	if w := got["websockets.json5"].WebSockets; w.Ping != time.Minute {
		t.Errorf("ping: %+v", w)
	}
}

func TestEveryKeyInEffectReachesTheConfig(t *testing.T) {
	c, _, err := conf.Load("testdata/full.json5")
	if err != nil {
		t.Fatal(err)
	}
	want := &conf.Config{
		Name: "example.com", Hosts: []string{"www.example.com"},
		Listen:    []string{"http://:4000", "http://[::1]:80", "http://localhost:8080", "unix://" + filepath.Join("testdata", "leat.sock")},
		Documents: filepath.Join("testdata", "public"), Index: "home.html",
		MIME:    map[string]string{".log": "text/plain"},
		Headers: map[string]string{"X-Frame-Options": "DENY"}, DotFiles: true, HalfClose: "ignore",
		Redirects: []conf.Redirect{{From: "/old", To: "/new", Status: 301}, {From: "http://", To: "https://"}},
		Limits:    conf.Limits{Connections: 5000, Requests: 100, Header: 8192, Body: 1 << 20, Queue: -1, SendBuffer: 32768, WebSockets: 1000, MaxMessage: 2 << 20, MaxFrame: 4096, MaxPacket: 8192, Topics: 500, TopicMemory: 1 << 30, TopicsPerReader: 7, Patterns: 3, StreamsPerAddress: 20, TopicsPerAddress: -1, PublishesPerAddress: 50},
		Timeouts: conf.Timeouts{
			Parse: 5 * time.Second, Inactivity: time.Minute, Request: -1, Write: 1500 * time.Millisecond, Heartbeat: -1, Drain: time.Hour,
		},
		WebSockets: conf.WebSockets{
			Enable: conf.Off, Ping: 30 * time.Second, Protocols: []string{"chat", "better-chat"}, RequireProtocol: conf.On,
			ValidateUTF: conf.Off, PreserveFrames: conf.On, Deflate: conf.Off, Origins: []string{"https://*.example.com", "http://localhost:*"},
		},
		Routes: []conf.Route{
			{
				Match: "/api/", Methods: []string{"GET", "PUT"}, Handler: "action", Action: "api", Trim: "/api",
				Headers: map[string]string{"X-Api": "1"}, DotFiles: true, HalfClose: "end",
				Limits: conf.Limits{Body: 10, Queue: 1024, SendBuffer: 2048, WebSockets: -1, MaxMessage: -1, MaxFrame: 125, MaxPacket: -1}, Timeouts: conf.Timeouts{Request: -1, Inactivity: -1, Write: time.Second, Heartbeat: time.Minute},
				WebSockets: conf.WebSockets{
					Enable: conf.On, Ping: -1, Protocols: []string{}, RequireProtocol: conf.Off,
					ValidateUTF: conf.On, PreserveFrames: conf.Off, Deflate: conf.On, Origins: []string{},
				},
			},
			{Match: "/home", Redirect: "/"},
			{
				Match: "/static/", Compressed: true, Attachment: true,
				Cache: conf.Cache{MaxAge: 24 * time.Hour, Directives: "public, immutable", Extensions: []string{"js", "css"}},
			},
			{Match: "/live/", Cache: conf.Cache{Directives: "no-cache, max-age=0"}},
			{Match: "/topics/", Handler: "topic"},
		},
		Topics: []conf.Topic{
			{
				Match: "room.*.>", History: conf.History{Count: 1000, Bytes: 1 << 20, Age: 10 * time.Minute}, Slow: conf.SlowLatest, Key: "host", Heartbeat: 25 * time.Second,
				Subscribe: conf.AccessToken, Publish: conf.AccessNone, MaxRate: 0.5,
			},
			{Match: "machine.load", History: conf.History{None: true}, Source: conf.Source{Command: []string{"/bin/sh", "-c", "vmstat 1 | tail -n +3"}}, MaxRate: 2.5, Heartbeat: -1},
			{Match: "machine.cpu", History: conf.History{None: true, Count: -1}, Source: conf.Source{Command: []string{"vmstat", "1", "1"}}, Publish: conf.AccessToken},
			{Match: "größe", Slow: conf.SlowDisconnect, History: conf.History{Bytes: -1, Age: -1}, Source: conf.Source{File: filepath.Join("testdata", "app.log")}},
			{},
		},
		State: filepath.Join("testdata", "state"),
		Tokens: conf.Tokens{
			Keys: []conf.TokenKey{
				{Algorithm: "HS256", Env: "LEAT_SECRET"},
				{Algorithm: "ES256", File: filepath.Join("testdata", "public.pem"), ID: "k1"},
				{Algorithm: "EdDSA", File: filepath.Join("keys", "ed.pem"), ID: "k2"},
			},
			Issuer: "https://login.example.com", Audience: "leat",
		},
	}
	if !reflect.DeepEqual(c, want) {
		t.Errorf("\n got %+v\nwant %+v", c, want)
	}
}

func TestAFileInEitherShapeGivesTheSame(t *testing.T) {
	flat := parse(t, `{ listen: 'http://:80', limits: { fibers: 10, queue: '1MB' }, log: { path: 'stdout' } }`)
	web := parse(t, `{ web: { listen: 'http://:80', limits: { queue: '1MB' } }, limits: { fibers: 10 }, log: { path: 'stdout' } }`)
	if !reflect.DeepEqual(flat, web) {
		t.Errorf("\n%+v\n%+v", flat, web)
	}
}

func TestPathsAreRelativeToTheFileThatNamesThem(t *testing.T) {
	dir := t.TempDir()
	load := func(source string) *conf.Config {
		file := filepath.Join(dir, "web.json5")
		if err := os.WriteFile(file, []byte(source), 0o600); err != nil {
			t.Fatal(err)
		}
		c, _, err := conf.Load(file)
		if err != nil {
			t.Fatal(err)
		}
		return c
	}
	abs := filepath.Join(dir, "elsewhere")
	tests := map[string]string{
		`{}`:                          filepath.Join(dir, "site"),
		`{ documents: '@site' }`:      filepath.Join(dir, "site"),
		`{ documents: '@site/docs' }`: filepath.Join(dir, "site", "docs"),
		`{ documents: './public/' }`:  filepath.Join(dir, "public"),
		`{ documents: '../up' }`:      filepath.Join(filepath.Dir(dir), "up"),
		`{ documents: '.' }`:          dir,
		`{ documents: '` + filepath.ToSlash(abs) + `' }`: abs,
	}
	for source, want := range tests {
		if got := load(source).Documents; got != want {
			t.Errorf("%s: %s, want %s", source, got, want)
		}
	}
	if got := load(`{ log: { path: 'web.log' } }`).Log.Path; got != filepath.Join(dir, "web.log") {
		t.Errorf("log.path: %s", got)
	}
}

func TestAnEmbeddedFileNamesEmbeddedFolders(t *testing.T) {
	load := func(source string) (*conf.Config, error) {
		c, _, err := conf.LoadFS(fstest.MapFS{"a/web.json5": {Data: []byte(source)}}, "a/web.json5")
		return c, err
	}
	for source, want := range map[string]string{`{}`: "a/site", `{ documents: '../b' }`: "b", `{ documents: '.' }`: "a"} {
		if c, err := load(source); err != nil || c.Documents != want {
			t.Errorf("%s: %+v %v", source, c, err)
		}
	}
	if _, err := load(`{ documents: '../..' }`); err == nil || !strings.Contains(err.Error(), "not among the embedded files") {
		t.Error(err)
	}
}

func TestALoadThatFailsGivesNoConfig(t *testing.T) {
	c, _, err := conf.Parse([]byte("{ index: 1,\n lisen: [] }"), "web.json5")
	var list conf.Errors
	if c != nil || !errors.As(err, &list) || len(list) != 2 {
		t.Fatalf("%v %v", c, err)
	}
	var first *conf.Error
	if !errors.As(err, &first) || first.Path != "index" || first.Line != 1 || first.Col != 10 || first.File != "web.json5" {
		t.Errorf("%+v", first)
	}
	if _, _, err := conf.Load(filepath.Join(t.TempDir(), "none.json5")); !errors.Is(err, os.ErrNotExist) {
		t.Error(err)
	}
}

func TestFillGivesTheDefaultsOfTheTable(t *testing.T) {
	c := &conf.Config{Index: "mine.html", Limits: conf.Limits{Queue: conf.Unlimited}, Routes: []conf.Route{{Match: "/"}}, Redirects: []conf.Redirect{{To: "/x"}}}
	conf.Fill(c)
	want := &conf.Config{
		Listen: []string{"http://127.0.0.1:4000"}, Documents: "site", Index: "mine.html", HalfClose: "end",
		Limits:    conf.Limits{Connections: -1, Requests: 1000, Header: 10 << 10, Body: 100 << 10, Queue: -1, SendBuffer: 64 << 10, WebSockets: -1, MaxMessage: 1 << 20, MaxFrame: 131072, Topics: 10000, TopicMemory: 64 << 20, TopicsPerReader: 100, Patterns: 16, StreamsPerAddress: -1, TopicsPerAddress: 1000, PublishesPerAddress: -1},
		Timeouts:  conf.Timeouts{Parse: 10 * time.Second, Inactivity: 5 * time.Minute, Write: 30 * time.Second, Heartbeat: 25 * time.Second, Drain: 10 * time.Second},
		Routes:    []conf.Route{{Match: "/", Methods: []string{"GET", "POST"}, Handler: "file"}},
		Redirects: []conf.Redirect{{To: "/x", Status: 302}},
		WebSockets: conf.WebSockets{
			Enable: conf.On, Ping: -1, Protocols: []string{"chat"}, RequireProtocol: conf.Off, ValidateUTF: conf.On, PreserveFrames: conf.Off, Deflate: conf.On,
		},
	}
	if !reflect.DeepEqual(c, want) {
		t.Errorf("\n got %+v\nwant %+v", c, want)
	}
}

func TestNotesNameKeysWithoutEffect(t *testing.T) {
	_, notes, err := conf.Parse([]byte(`{
	limits: { fibers: 4, upload: '1MB' },
	_limits: { nonsense: true },
	routes: [{ stream: true, xsrf: false, role: 'public', limits: { uploads: 7 } }],
}`), "web.json5")
	if err != nil {
		t.Fatal(err)
	}
	want := []string{
		"web.json5:2:12: limits.fibers is not needed: ",
		"web.json5:2:23: limits.upload is not yet in effect",
		"web.json5:4:13: routes[0].stream is not needed: ",
		"web.json5:4:66: routes[0].limits.uploads is not yet in effect",
	}
	if !slices.EqualFunc(notes, want, strings.HasPrefix) {
		t.Errorf("%q", notes)
	}
}

func TestAFileInIotosShapeIsToldTheDefaultsThatDiffer(t *testing.T) {
	_, notes, err := conf.Parse([]byte(`{ web: { limits: { connections: 100 }, listen: [':80'] } }`), "web.json5")
	if err != nil {
		t.Fatal(err)
	}
	all := strings.Join(notes, "\n")
	for _, absent := range []string{"limits.connections", "listen", "limits.upload", "limits.webSockets", "limits.maxPacket", "limits.requests"} {
		if strings.Contains(all, absent+" is not set") {
			t.Errorf("%s is set, or no other than Ioto's, or not in effect:\n%s", absent, all)
		}
	}
	if !strings.Contains(all, "web.json5: timeouts.parse is not set: it is 10 secs here, and 5 secs in Ioto") {
		t.Error(all)
	}
	if !strings.Contains(all, "limits.maxMessage is not set: it is 1MB here, and 100K (its documents say MAXINT) in Ioto: a message is held") {
		t.Error(all)
	}
	if _, notes, _ := conf.Parse([]byte(`{ listen: ':80' }`), "web.json5"); len(notes) > 0 {
		t.Errorf("a file of ours: %q", notes)
	}
}

func TestARouteThatNothingReachesIsNoted(t *testing.T) {
	_, notes, err := conf.Parse([]byte(`{ routes: [
		{ match: '/' }, { match: '/api/' }, { match: '/api/x' }, { match: '/api' }, { match: '/' },
		{ match: '/u/{id}/' }, { match: '/u/7/' }, {}, { match: '/late' },
	] }`), "web.json5")
	want := []string{
		"web.json5:2:39: routes[2] is never reached: routes[1] answers all that it matches",
		"web.json5:2:79: routes[4] is never reached: routes[0] answers all that it matches",
		"web.json5:3:50: routes[8] is never reached: routes[7] answers all that it matches",
	}
	if err != nil || !slices.Equal(notes, want) {
		t.Errorf("%q %v", notes, err)
	}
}

func TestAConfigMadeByAProgramIsValidatedAsAFile(t *testing.T) {
	err := conf.Validate(&conf.Config{
		Listen: []string{"https://:443"}, Limits: conf.Limits{Queue: -5, MaxFrame: 10}, Timeouts: conf.Timeouts{Write: -time.Second, Drain: conf.Never},
		WebSockets: conf.WebSockets{Enable: conf.Off, Protocols: []string{"a b"}, Origins: []string{"*"}},
		Routes:     []conf.Route{{Match: "x", WebSockets: conf.WebSockets{Origins: []string{"/"}}}, {Match: "/x", Handler: "cgi", Methods: []string{"A B"}}, {Match: "/x", Action: "{y}"}},
		Redirects:  []conf.Redirect{{From: "/a", To: "/b", Status: 200}},
	})
	var list conf.Errors
	if !errors.As(err, &list) {
		t.Fatal(err)
	}
	var paths []string
	for _, e := range list {
		paths = append(paths, e.Path)
	}
	want := []string{"listen[0]", "limits.queue", "limits.maxFrame", "timeouts.write", "webSockets.protocol[0]", "routes[0].match", "routes[0].webSockets.origins[0]", "routes[1].methods[0]", "routes[1].handler", "routes[2].action", "redirect[0].status"}
	if !slices.Equal(paths, want) {
		t.Errorf("%q\n%v", paths, err)
	}
	if first := list[1].Error(); first != "limits.queue: -5 is negative; write 'unlimited' for no limit" {
		t.Error(first)
	}
	if err := conf.Validate(&conf.Config{}); err != nil {
		t.Error(err)
	}
}

func TestAListenersURLComesApart(t *testing.T) {
	for url, want := range map[string]string{
		"http://127.0.0.1:4000": "tcp 127.0.0.1:4000", "http://:0": "tcp :0", ":80": "tcp :80", "localhost": "tcp localhost:80", "HTTP://[::1]:80/": "tcp [::1]:80",
		"http://[fe80::1%eth0]:80": "tcp [fe80::1%eth0]:80", "unix:///run/leat.sock": "unix /run/leat.sock", "unix://leat.sock": "unix leat.sock", "unix:/run/x": "unix /run/x",
	} {
		network, address, err := conf.ParseListen(url)
		if got := network + " " + address; err != nil || got != want {
			t.Errorf("%s: %s %v", url, got, err)
		}
	}
}

func TestToRequireASubprotocolOfNoneIsAMistake(t *testing.T) {
	const want = "no handshake could succeed, for there is no subprotocol to offer; name one in webSockets.protocol, or write requireProtocol: false"
	none := conf.WebSockets{Protocols: []string{}, RequireProtocol: conf.On}
	for _, c := range []*conf.Config{
		{WebSockets: none},
		{WebSockets: none, Routes: []conf.Route{{Handler: "action"}, {Action: "x"}}},
		{WebSockets: conf.WebSockets{Protocols: []string{}}, Routes: []conf.Route{{Handler: "action", WebSockets: conf.WebSockets{RequireProtocol: conf.On}}}},
	} {
		conf.Fill(c)
		if err := conf.Validate(c); err == nil || !strings.HasSuffix(err.Error(), ": "+want) || strings.Count(err.Error(), want) != 1 {
			t.Error(err)
		}
	}
	named := &conf.Config{WebSockets: none, Routes: []conf.Route{{Handler: "action", WebSockets: conf.WebSockets{Protocols: []string{"chat"}}}, {}}}
	if err := conf.Validate(named); err != nil {
		t.Error(err)
	}
	if _, _, err := conf.Parse([]byte(`{ web: { webSockets: { protocol: [], requireProtocol: true } } }`), "web.json5"); err == nil || err.Error() != "web.json5:1:38: webSockets.requireProtocol: "+want {
		t.Error(err)
	}
}
