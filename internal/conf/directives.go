package conf

import "strings"

// A directive is one of Appweb's, and what stands in its place here.
type directive struct {
	name string
	key  string // of the table
	doc  string
}

// directiveTable lists the directives of the WebSockets library document
// first, then others that are often met.
var directiveTable = []directive{
	{"IgnoreEncodingErrors", "webSockets.validateUTF", "`webSockets.validateUTF: false`"},
	{"InactivityTimeout", "timeouts.inactivity", "`timeouts.inactivity`"},
	{"RequestTimeout", "timeouts.request", "`timeouts.request`"},
	{"LimitWebSockets", "limits.webSockets", "`limits.webSockets`: simultaneous WebSockets; one more gets 503 with `Retry-After`. Appweb reads it, 25 by default, and does not hold to it"},
	{"LimitWebSocketsFrame", "limits.maxFrame", "`limits.maxFrame`: the largest frame that is sent; incoming frames have no such limit. Appweb's default is 4K"},
	{"LimitWebSocketsMessage", "limits.maxMessage", "`limits.maxMessage`: in and out; beyond it 1009"},
	{"LimitWebSocketsPacket", "limits.maxPacket", "`limits.maxPacket`: the largest piece of a message that a callback gets; the last piece is marked. Appweb's default is 8K; here it is whole messages"},
	{"PreserveFrames", "webSockets.preserveFrames", "`webSockets.preserveFrames: true`"},
	{"WebSocketsProtocol", "webSockets.protocol", "`webSockets.protocol`: a name or a list"},
	{"WebSocketsPing", "webSockets.ping", "`webSockets.ping`"},
	{"AddFilter", "webSockets.enable", "`AddFilter webSocketFilter` is `webSockets.enable`"},
	{"AddInputFilter", "webSockets.enable", "`AddInputFilter webSocketFilter` too"},
	{"Route", "match", "`<Route ^/websock/{controller}$>` is `match: '/websock/{controller}'`; a `match` that begins with `^` is a regular expression (RE2)"},
	{"Target", "action", "`Target run $1` is `action: '{controller}'`, or `'$1'` for a group of a regular expression"},
	{"AddHandler", "handler", "`handler`"},
	{"SetHandler", "handler", "`handler`"},
	{"Methods", "methods", "`methods`"},
	{"Header", "headers", "`headers`"},
	{"Redirect", "redirect", "`redirect`"},
	{"Documents", "documents", "`documents`"},
	{"DirectoryIndex", "index", "`index`"},
	{"Listen", "listen", "`listen`"},
	{"LimitConnections", "limits.connections", "`limits.connections`"},
	{"LimitKeepAlive", "limits.requests", "`limits.requests`"},
	{"LimitRequestBody", "limits.body", "`limits.body`"},
	{"LimitRequestHeader", "limits.header", "`limits.header`"},
	{"LimitUpload", "limits.upload", "`limits.upload`"},
	{"LimitSessions", "limits.sessions", "`limits.sessions`"},
	{"RequestParseTimeout", "timeouts.parse", "`timeouts.parse`"},
	{"SessionTimeout", "timeouts.session", "`timeouts.session`"},
	{"ExitTimeout", "timeouts.drain", "`timeouts.drain`"},
	{"UploadDir", "upload.dir", "`upload.dir`"},
	{"ErrorLog", "log.path", "`log.path`"},
	{"UserAccount", "user", "`user`"},
	{"GroupAccount", "group", "`group`"},
}

// directiveKey is the key in the place of a directive, or nothing.
func directiveKey(name string) string {
	for _, d := range directiveTable {
		if strings.EqualFold(name, d.name) {
			return d.key
		}
	}
	return ""
}
