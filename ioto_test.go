package leat_test

import (
	"fmt"
	"go/ast"
	"go/format"
	"go/parser"
	"go/token"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// theirs are the functions, events, flags, message types, directives and keys
// of the documents that docs/ioto.md is about, each in its document's order.
var theirs = []struct {
	document string
	names    []string
}{
	{"Using Ioto to Stream Responses", []string{
		"action routine", "webAddAction", "ioto->webHost", "Web *web", "rStartEvent", "REventProc", "rYieldFiber", "webWriteFmt",
		"rGetTicks", "rResumeFiber", "web->fiber", "TPS", "fetch", "resp.body.getReader", "ArrayBuffer", "TextDecoder", "enc.decode", "JSON.parse",
		"webExtendTimeout",
	}},
	{"Server WebSockets", []string{
		"routes", "match", "methods", "handler", "web.json5", "limits.maxMessage", "limits.maxFrame",
		"webSockets.ping", "webSockets.protocol", "webSockets.validateUTF", "ioStart", "webAddAction", "Web *web", "webAsync", "onRead", "webWait",
		"onEvent", "WebSocket *ws", "event", "buf", "len", "arg", "ssize", "WS_EVENT_OPEN", "WS_EVENT_CLOSE", "WS_EVENT_ERROR", "WS_EVENT_MESSAGE",
		"WS_EVENT_PARTIAL_MESSAGE", "printf", "webSocketSend", "web->webSocket", "webSocketSendBlock", "webSocketSendClose", "webFinalize",
		"timeouts.request", "timeouts.inactivity", "webUpdateDeadline",
	}},
	{"WebSockets", []string{
		"WebSockFilter", "AddInputFilter", "WebSocketFilter", "Connection: Upgrade", "Upgrade: websocket", "Sec-WebSocket-Protocol",
		"Sec-WebSocket-Key", "Sec-WebSocket-Version", "Sec-WebSocket-Accept", "X-Inactivity-Timeout", "X-Request-Timeout",
		"IgnoreEncodingErrors", "ioto.conf", "LimitWebSocketsMessage", "LimitWebSocketsFrame", "LimitWebSocketsPacket", "HttpPacket.last",
		"PreserveFrames", "httpSetWebSocketPreserveFrames", "WebSocketsPing", "InactivityTimeout", "RequestTimeout",
		"<Route ^/websock/{controller}$>", "WebSocketsProtocol", "AddFilter", "webSocketFilter", "AddHandler", "espHandler", "Source", "Target",
		"run $1", "LimitWebSockets", "httpGetPacket", "httpGetWebSocketCloseReason", "httpGetWebSocketProtocol", "httpSend", "httpSendBlock",
		"httpSendClose", "httpSetConnNotifier", "httpSetWebSocketProtocols", "httpWebSocketOrderlyClosed", "espSetNotifier", "esp.h",
		"testCallback", "HttpStream", "HTTP_EVENT_READABLE", "HttpPacket", "stream->readq", "mprGetBufStart", "packet->content", "mprGetDate",
		"HTTP_EVENT_APP_CLOSE", "HTTP_EVENT_ERROR", "getStream", "ESP_EXPORT", "esp_controller_websock", "HttpRoute", "MprModule",
		"espDefineAction", "packet->type", "packet->last", "MprBuf", "WS_MSG_CONT", "WS_MSG_TEXT", "WS_MSG_BINARY", "WS_MSG_CLOSE",
		"WS_MSG_PING", "WS_MSG_PONG", "mprGetBufLength", "ssize", "cchar", "HTTP_BUFFER", "HTTP_BLOCK", "HTTP_NON_BLOCK", "sfmt", "slen",
		"memset", "sizeof", "HTTP_MORE",
	}},
	{"Echo Stream Response", []string{
		"echo.New", "e.GET", "echo.Context", "c.Response()", "c.Response().Header().Set", "echo.HeaderContentType", "echo.MIMEApplicationJSON",
		"c.Response().WriteHeader", "json.NewEncoder", "Encode", "c.Response().Flush", "time.Sleep", "e.Logger.Fatal", "e.Start",
		"c.Response().Write", "text/event-stream", "Cache-Control: no-cache", "Connection: keep-alive", "time.NewTicker", "pingTicker.Stop",
		"c.Request()", "c.Request().Context().Done()", "select", "event: ping", "event: update", "data:", "new EventSource",
		"eventSource.addEventListener", "event.data", "eventSource.onerror", "eventSource.close()", "os.Open", "file.Stat", "file.Close",
		"fileInfo.Size", "echo.HeaderContentDisposition", "echo.HeaderContentLength", "file.Read", "return nil", "return err",
		"echo.MIMETextPlain", "fmt.Sprintf", "time.Now", "fmt.Println",
	}},
}

// A wordRow is a row of docs/ioto.md: their word, ours, and a line of example.
type wordRow struct {
	line                  int
	heading               string
	theirs, ours, example []string // what is in code in each cell
	words                 string   // the cell of ours
}

var codeSpan = regexp.MustCompile("`([^`]+)`")

func spans(text string) (all []string) {
	for _, m := range codeSpan.FindAllStringSubmatch(text, -1) {
		all = append(all, m[1])
	}
	return all
}

func wordRows(t *testing.T) (rows []wordRow) {
	t.Helper()
	heading, n := "", 0
	for line := range strings.Lines(read(t, "docs/ioto.md")) {
		n++
		if title, ok := strings.CutPrefix(line, "## "); ok {
			heading = strings.TrimSpace(title)
		}
		cells := strings.Split(strings.TrimSpace(line), "|")
		switch {
		case !strings.HasPrefix(line, "|"), strings.HasPrefix(line, "|---"), strings.HasPrefix(line, "| theirs |"):
			continue
		case len(cells) != 5:
			t.Errorf("docs/ioto.md:%d: %d cells", n, len(cells)-2)
			continue
		}
		row := wordRow{n, heading, spans(cells[1]), spans(cells[2]), spans(cells[3]), strings.TrimSpace(cells[2])}
		if plain := strings.TrimSpace(cells[3]); plain == "nothing" {
			row.example = []string{}
		} else if len(row.example) != 1 || plain != "`"+row.example[0]+"`" {
			t.Errorf("docs/ioto.md:%d: the last cell is no line of example", n)
		}
		if strings.Contains(cells[1], "action routine") {
			row.theirs = append(row.theirs, "action routine")
		}
		rows = append(rows, row)
	}
	return rows
}

func TestEveryWordOfTheDocumentsHasItsPlaceInLeat(t *testing.T) {
	rows := wordRows(t)
	for _, d := range theirs {
		for _, name := range d.names {
			whole := regexp.MustCompile(`(^|[^\w.>-])` + regexp.QuoteMeta(name) + `($|[^\w-])`)
			i := slices.IndexFunc(rows, func(r wordRow) bool { return slices.ContainsFunc(r.theirs, whole.MatchString) })
			if i < 0 {
				t.Errorf("%s: %s has no place in docs/ioto.md", d.document, name)
			} else if rows[i].words == "" {
				t.Errorf("docs/ioto.md:%d: nothing stands beside %s", rows[i].line, name)
			}
		}
	}
}

// frame holds what the examples of docs/ioto.md take for granted.
const frame = `package words

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"time"

	"github.com/leat-dev/leat"
)

var (
	srv  *leat.Server
	w    http.ResponseWriter
	r    *http.Request
	resp *http.Response
	s    *leat.Stream
	ws   *leat.Socket
	m    leat.Message
	o    *leat.SocketOptions
	h    http.Handler
	ctx  context.Context
	file *os.File
	buf  []byte
	data any
	temp int
	n    int
	code int
	err  error

	reason    string
	room      map[*leat.Socket]bool
	onMessage func(*leat.Socket, leat.Message)
	onClose   func(*leat.Socket, int, string, error)

	_ = bufio.NewReader
	_ = json.NewEncoder
	_ = fmt.Sprintf
	_ = io.Copy
	_ = time.Now
)
`

func TestEveryLeatWordBesideThemExistsAndItsExamplesCompile(t *testing.T) {
	types := publicTypes(t)
	var program strings.Builder
	program.WriteString(frame)
	code := func(line int, statement string) {
		fmt.Fprintf(&program, "\nfunc _() {\n//line docs/ioto.md:%d\n%s\n}\n", line, statement)
	}
	for _, row := range wordRows(t) {
		for _, span := range row.ours {
			if statement := ours(t, row.line, span, types); statement != "" {
				code(row.line, statement)
			}
		}
		for _, m := range namedKey.FindAllStringSubmatch(row.words, -1) {
			if !strings.Contains(read(t, "docs/web-json5.md"), "\n| `"+m[1]) {
				t.Errorf("docs/ioto.md:%d: there is no key %s", row.line, m[1])
			}
		}
		for _, example := range row.example {
			switch {
			case row.heading == "In the browser":
				readsOfTheBrowser(t, row.line, example)
			case configExample.MatchString(example):
				loadsSomewhere(t, row.line, example)
			default:
				code(row.line, statementOf(t, row.line, example))
			}
		}
	}
	n := 0
	for line := range strings.Lines(read(t, "docs/ioto.md")) {
		if n++; !strings.HasPrefix(line, "|") {
			for _, span := range spans(line) {
				if statement := ours(t, n, span, types); statement != "" {
					code(n, statement)
				}
			}
		}
	}
	compiles(t, program.String())
}

// publicTypes are the exported types of the package.
func publicTypes(t *testing.T) (names []string) {
	t.Helper()
	for _, typ := range publicDoc(t).Types {
		names = append(names, typ.Name)
	}
	return names
}

var (
	typeMember    = regexp.MustCompile(`^([A-Z]\w*)\.([A-Z]\w*)$`)
	packageMember = regexp.MustCompile(`^\*?leat\.([A-Z]\w*)$`)
	errorName     = regexp.MustCompile(`^Err[A-Z]\w*$`)
	keyName       = regexp.MustCompile(`^(limits|timeouts|webSockets|cache|log)\.[a-zA-Z]+$`)
	actionURL     = regexp.MustCompile(`^/(api|ws)/\w+$`)
	namedKey      = regexp.MustCompile("(?:key|group) `([^`]+)`")
	configExample = regexp.MustCompile(`^[a-zA-Z]+: `)
)

// ours is a statement that compiles if a word of Leat exists, or "" for what
// is no word of the package. A key it looks up.
func ours(t *testing.T, line int, span string, types []string) string {
	t.Helper()
	switch {
	case keyName.MatchString(span):
		if !strings.Contains(read(t, "docs/web-json5.md"), "\n| `"+span+"` ") {
			t.Errorf("docs/ioto.md:%d: there is no key %s", line, span)
		}
	case actionURL.MatchString(span):
		if !strings.Contains(read(t, "docs/actions.md"), "| `"+span) {
			t.Errorf("docs/ioto.md:%d: there is no action %s", line, span)
		}
	case configExample.MatchString(span):
		loadsSomewhere(t, line, span)
	case errorName.MatchString(span):
		return "_ = leat." + span
	case typeMember.MatchString(span):
		m := typeMember.FindStringSubmatch(span)
		if slices.Contains(types, m[1]) {
			return "_ = new(leat." + m[1] + ")." + m[2]
		}
		t.Errorf("docs/ioto.md:%d: there is no type %s", line, m[1])
	case packageMember.MatchString(span):
		if name := strings.TrimPrefix(strings.TrimPrefix(span, "*"), "leat."); slices.Contains(types, name) {
			return "_ = new(leat." + name + ")"
		}
		return "_ = " + span
	case strings.Contains(span, "leat.") && span != "/leat.js":
		t.Errorf("docs/ioto.md:%d: %s is more than a name", line, span)
	}
	return ""
}

// statementOf is an example as it may stand alone in a function: what it
// declares is used.
func statementOf(t *testing.T, line int, example string) string {
	t.Helper()
	if e, err := parser.ParseExpr(example); err == nil {
		if _, call := e.(*ast.CallExpr); !call {
			if receive, ok := e.(*ast.UnaryExpr); !ok || receive.Op != token.ARROW {
				return "_ = " + example
			}
		}
		return example
	}
	src := "package p; func _() { " + example + " }"
	f, err := parser.ParseFile(token.NewFileSet(), "", src, parser.SkipObjectResolution)
	if err != nil {
		t.Errorf("docs/ioto.md:%d: %s: %v", line, example, err)
		return ""
	}
	for _, statement := range f.Decls[0].(*ast.FuncDecl).Body.List {
		var names []ast.Expr
		switch s := statement.(type) {
		case *ast.AssignStmt:
			if s.Tok == token.DEFINE {
				names = s.Lhs
			}
		case *ast.DeclStmt:
			for _, spec := range s.Decl.(*ast.GenDecl).Specs {
				if v, ok := spec.(*ast.ValueSpec); ok {
					for _, name := range v.Names {
						names = append(names, name)
					}
				}
			}
		}
		for _, name := range names {
			example += "; _ = " + name.(*ast.Ident).Name
		}
	}
	return example
}

// loadsSomewhere loads a key as one of the server or of a route.
func loadsSomewhere(t *testing.T, line int, key string) {
	t.Helper()
	_, err := loadText(t, "{ "+key+" }")
	if err == nil {
		return
	}
	if _, inRoute := loadText(t, "{ routes: [{ "+matched(key)+key+" }] }"); inRoute != nil {
		t.Errorf("docs/ioto.md:%d: %s: %v, and in a route: %v", line, key, err, inRoute)
	}
}

// matched is the match that an action's tokens need.
func matched(key string) string {
	if strings.Contains(key, "{controller}") {
		return "match: '/ws/{controller}', "
	}
	return ""
}

// readsOfTheBrowser says whether leat.js has what an example takes from it.
func readsOfTheBrowser(t *testing.T, line int, example string) {
	t.Helper()
	for _, m := range regexp.MustCompile(`\bof (\w+)\(`).FindAllStringSubmatch(example, -1) {
		if !strings.Contains(read(t, "internal/site/files/leat.js"), "\nexport function "+m[1]+"(") {
			t.Errorf("docs/ioto.md:%d: leat.js has no %s", line, m[1])
		}
	}
}

// compiles reports each line of a package that does not.
func compiles(t *testing.T, program string) {
	t.Helper()
	if _, err := format.Source([]byte(program)); err != nil {
		t.Fatal(err)
	}
	// The name keeps ./... away from it.
	dir, err := os.MkdirTemp(".", "_words") //nolint:usetesting // in the module, so that the import resolves
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	file := filepath.Join(dir, "words.go")
	if err := os.WriteFile(file, []byte(program), 0o600); err != nil {
		t.Fatal(err)
	}
	if out, err := exec.Command("go", "build", "-gcflags=-e", file).CombinedOutput(); err != nil {
		t.Errorf("%v\n%s", err, out)
	}
}
