package conf

import (
	"cmp"
	"fmt"
	"net/url"
	"slices"
	"strings"

	"github.com/leat-dev/leat/internal/json5"
	"github.com/leat-dev/leat/internal/wire/ws"
)

var socketSection = section{
	title: "WebSockets",
	intro: "`limits.webSockets`, `limits.maxMessage`, `limits.maxFrame` and `limits.maxPacket` are for WebSockets alone; `limits.queue`, `limits.sendBuffer`, " +
		"`timeouts.write`, `timeouts.inactivity` and `timeouts.request` hold for them as for streams. " +
		"What a route sets replaces the server's, in either direction: a route may turn on what the server turns off.",
	rows: []row{
		{
			path: "webSockets.enable", in: inServer | inRoute, kind: toggle, def: "true",
			field: func(s *scope) any { return &s.sockets.Enable },
			doc:   "Whether an action may turn a request into a WebSocket. Where it may not, the handshake is answered 403.",
		},
		{
			path: "webSockets.ping", in: inServer | inRoute, kind: duration, def: "never",
			field: func(s *scope) any { return &s.sockets.Ping },
			doc:   "How long nothing may come in before a ping asks whether the peer is there. A peer that stays silent as long again, or for `timeouts.write` if that is less, is closed with 1001.",
		},
		{
			path: "webSockets.protocol", in: inServer | inRoute, kind: protocols, def: "chat",
			field: func(s *scope) any { return &s.sockets.Protocols },
			doc: "The subprotocol, or a list of them: the first that the client offers too is chosen, and without one the WebSocket opens all the same. " +
				"`[]` is none.",
		},
		{
			path: "webSockets.requireProtocol", in: inServer | inRoute, kind: toggle, def: "false", ioto: "`true` for a client that offers others",
			why:   "RFC 6455 has the client decide, which may do without",
			field: func(s *scope) any { return &s.sockets.RequireProtocol },
			doc:   "Whether a client has to offer one of these subprotocols. The handshake of another is answered 400.",
		},
		{
			path: "webSockets.validateUTF", in: inServer | inRoute, kind: toggle, def: "true", ioto: "`false` (its documents say `true`)",
			why:   "what the documents state",
			field: func(s *scope) any { return &s.sockets.ValidateUTF },
			doc:   "Whether a text message has to be UTF-8, as RFC 6455 demands. One that is not closes the WebSocket with 1007, at its first wrong byte.",
		},
		{
			path: "webSockets.preserveFrames", in: inServer | inRoute, kind: toggle, def: "false",
			field: func(s *scope) any { return &s.sockets.PreserveFrames },
			doc:   "Whether a callback gets each frame as it came, in place of whole messages.",
		},
		{
			path: "webSockets.origins", in: inServer | inRoute, kind: origins, def: "the server's own", keep: true, ioto: "all",
			why:   "any page that a visitor opens could speak in the visitor's name",
			field: func(s *scope) any { return &s.sockets.Origins },
			doc: "The origins of pages that may open a WebSocket beside the server's own: `'https://app.example.com'`, `'https://*.example.com'` " +
				"for all names below, `'http://localhost:*'` for all ports, `'null'` for pages without an origin, `'*'` for all. " +
				"Others are answered 403. Who sends no `Origin` is no browser, and may.",
		},
		{
			path: "webSockets.deflate", in: inServer | inRoute, kind: toggle, def: "true", ioto: "none",
			why:   "text shrinks to a fraction, and an idle WebSocket holds no memory for it",
			field: func(s *scope) any { return &s.sockets.Deflate },
			doc:   "Whether messages are compressed where the peer can (RFC 7692).",
		},
	},
}

var (
	protocol = texted("subprotocol", stringSchema, func(v val, name string) any {
		switch {
		case name == "":
			return v.wrong("write [] for none", "it is empty")
		case strings.Contains(name, ",") && v.Kind == json5.String:
			parts := strings.Split(name, ",")
			for i := range parts {
				parts[i] = "'" + strings.TrimSpace(parts[i]) + "'"
			}
			return v.wrong("write ["+strings.Join(parts, ", ")+"]", "%s is not one name", v.quote())
		case !isToken(name):
			return v.wrong("write letters, digits, '-', '.' and '_', as in 'chat.v2'", "%s is not the name of a subprotocol", v.quote())
		}
		return name
	})

	// protocols are those of a handshake: none comes twice (RFC 6455, 4.1).
	protocols = &kind{
		name:   "name or list of names",
		schema: listed("", protocol).schema,
		read: func(v val) any {
			var seen []string
			twice := false
			for _, item := range v.list() {
				if item.Kind == json5.String && item.Text != "" && slices.Contains(seen, item.Text) {
					item.wrong("remove one of the two", "%s is there already", item.quote())
					twice = true
				}
				seen = append(seen, item.Text)
			}
			list := listed("", protocol).read(v)
			if twice {
				return nil
			}
			return list
		},
	}

	origins = listed("origin or list of them", texted("origin", stringSchema, func(v val, text string) any {
		err := ws.CheckOriginPattern(text)
		if err == nil {
			return text
		}
		if u, err := url.Parse(text); err == nil && u.Host != "" && ws.CheckOriginPattern(u.Scheme+"://"+u.Host) == nil {
			return v.wrong("write '"+u.Scheme+"://"+u.Host+"'", "%s is more than an origin", v.quote())
		}
		problem, hint := err.Error(), ""
		if i := strings.LastIndex(problem, "; "); i >= 0 {
			problem, hint = problem[:i], problem[i+2:]
		}
		return v.wrong(hint, "%s", problem)
	}))

	// frameSize is a size that a control frame fits in (RFC 6455, 5.5).
	frameSize = &kind{
		name:   size.name,
		schema: size.schema,
		read: func(v val) any {
			n, ok := size.read(v).(int64)
			switch {
			case !ok:
				return nil
			case n != Unlimited && n < 125:
				return v.wrong("write 125 or more", "%s is less than a control frame holds", v.quote())
			}
			return n
		},
	}
)

// agreeSockets looks at what the keys of WebSockets say together, in each route
// that may have some: to demand one of no subprotocols is to refuse everybody.
func (r *reader) agreeSockets(c *Config) {
	if len(c.Routes) == 0 {
		r.protocolToRequire("", c.WebSockets)
	}
	for i := range c.Routes {
		if c.Routes[i].Handler != "action" {
			continue
		}
		w := c.Routes[i].WebSockets
		own := w.RequireProtocol != 0 || w.Protocols != nil
		w.RequireProtocol = cmp.Or(w.RequireProtocol, c.WebSockets.RequireProtocol)
		if w.Protocols == nil {
			w.Protocols = c.WebSockets.Protocols
		}
		if own {
			r.protocolToRequire(fmt.Sprintf("routes[%d].", i), w)
		} else {
			r.protocolToRequire("", w)
		}
	}
}

func (r *reader) protocolToRequire(prefix string, w WebSockets) {
	if w.RequireProtocol != On || w.Protocols == nil || len(w.Protocols) > 0 {
		return
	}
	path := prefix + "webSockets.requireProtocol"
	if _, here := r.at[path]; !here && len(r.at) > 0 {
		path = prefix + "webSockets.protocol"
	}
	if slices.ContainsFunc(r.errs, func(e *Error) bool { return e.Path == path }) {
		return
	}
	r.report(r.at[path], path, "name one in webSockets.protocol, or write requireProtocol: false", "no handshake could succeed, for there is no subprotocol to offer")
}
