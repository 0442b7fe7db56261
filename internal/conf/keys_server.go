package conf

var serverSection = section{
	title: "Server",
	rows: []row{
		{
			path: "name", in: inServer, kind: hostName,
			field: func(s *scope) any { return &s.config.Name },
			doc:   "The host name of the server, used where a redirect needs one. A server on loopback answers it beside `localhost`.",
		},
		{
			path: "hosts", in: inServer, kind: hostNames,
			field: func(s *scope) any { return &s.config.Hosts },
			doc:   "Further host names that a server on loopback answers; others get 421, against DNS rebinding.",
		},
		{
			path: "listen", in: inServer, kind: listen, def: "http://127.0.0.1:4000", ioto: "`http://:80` and `https://:443`",
			why:   "a server that was not told to is not open to the network",
			field: func(s *scope) any { return &s.config.Listen },
			doc: "Where the server listens: `http://host:port` (an empty host is every interface, port 0 any free port, IPv6 in brackets) or `unix:///run/leat.sock`. " +
				"`https://` is not yet in effect and an error.",
		},
		{
			path: "documents", in: inServer, kind: folder, def: "site",
			field: func(s *scope) any { return &s.config.Documents },
			doc:   "The folder of the files, relative to this file. `@site` is the folder `site`.",
		},
		{
			path: "index", in: inServer, kind: fileName, def: "index.html",
			field: func(s *scope) any { return &s.config.Index },
			doc:   "The file that answers for a folder.",
		},
		{
			path: "mime", in: inServer, kind: mediaTypes,
			field: func(s *scope) any { return &s.config.MIME },
			doc:   "Content types by extension, before the built-in ones: `{ '.log': 'text/plain' }`.",
		},
		{
			path: "headers", in: inServer | inRoute, kind: headers,
			field: func(s *scope) any { return s.headers },
			doc:   "Headers of every response. A route's own come in addition and win.",
		},
		{
			path: "dotFiles", in: inServer | inRoute, kind: flag, def: "false", ioto: "`true`",
			why:   "`.git` and `.env` are seldom meant to be read",
			field: func(s *scope) any { return s.dotFiles },
			doc:   "Whether files and folders whose name begins with a dot are served. `.well-known` always is.",
		},
		{
			path: "halfClose", in: inServer | inRoute, kind: chosen(HalfCloseEnd, HalfCloseIgnore), def: HalfCloseEnd,
			field: func(s *scope) any { return s.halfClose },
			doc: "What it means when a reader closes its half of a connection. `'end'` ends the stream. `'ignore'` is for balancers that do so early: " +
				"a failed write or heartbeat then ends it.",
		},
		{
			path: "redirect", in: inServer, kind: redirectList,
			doc: "Redirects, tried in order and before the routes; see below.",
		},
		{
			path: "routes", in: inServer, kind: routeList,
			doc: "Which handler answers which path; the first entry that matches. Without this key the actions of the program answer, then files.",
		},
		{
			path: "topics", in: inServer, kind: topicList,
			doc: "What topics keep, and who may read and publish; the first entry that matches, see below. It makes no topic: one appears when it is first published to.",
		},
		{
			path: "state", in: inServer, kind: stateFolder,
			field: func(s *scope) any { return &s.config.State },
			doc: "The folder that keeps the history of topics over a restart, relative to this file. It must not be in `documents`. " +
				"Without it a restart begins anew, and readers that come back are told so.",
		},
	},
}

var routeSection = section{
	title: "Routes",
	intro: "The keys of an entry of `routes`. An entry may also have `headers`, `dotFiles`, `halfClose` and those keys of `limits`, `timeouts` and `webSockets` " +
		"that are marked *route*: they replace the server's for that route.",
	rows: []row{
		{
			path: "match", in: inRoute, kind: match,
			field: func(s *scope) any { return &s.route.Match },
			doc: "The paths that the route answers. Without it: all. `/status` is that path, `/api/` all that begin so, `/user/{id}` has a token for one segment, " +
				"and what begins with `^` is a regular expression (RE2) in which `{name}` stands for `([^/]+)`.",
		},
		{
			path: "methods", in: inRoute, kind: methods, def: "GET, POST",
			field: func(s *scope) any { return &s.route.Methods },
			doc:   "The methods that are answered, in any case; others get 405. HEAD comes with GET, and OPTIONS is always answered.",
		},
		{
			path: "handler", in: inRoute, kind: handler, def: "file",
			field: func(s *scope) any { return &s.route.Handler },
			doc: "What answers: files of `documents`, an action of the program, or topics, by the name that follows the match. " +
				"A route with an `action` needs no handler.",
		},
		{
			path: "action", in: inRoute, kind: filled,
			field: func(s *scope) any { return &s.route.Action },
			doc: "The name of the action, in which `{name}` is a token of the match and `$1` a group. " +
				"Without it the action is the one whose own URL matches the path.",
		},
		{
			path: "redirect", in: inRoute, kind: filled,
			field: func(s *scope) any { return &s.route.Redirect },
			doc:   "A URL to which every request is redirected, with 302.",
		},
		{
			path: "trim", in: inRoute, kind: text,
			field: func(s *scope) any { return &s.route.Trim },
			doc:   "A text that is cut from the front of the path before the handler sees it.",
		},
		{
			path: "cache.maxAge", in: inRoute, kind: maxAge,
			field: func(s *scope) any { return &s.route.Cache.MaxAge },
			doc:   "For how long a client may keep the answer: `max-age` of `Cache-Control`.",
		},
		{
			path: "cache.directives", in: inRoute, kind: directiveText,
			field: func(s *scope) any { return &s.route.Cache.Directives },
			doc:   "What else `Cache-Control` holds: `'public'`, `['no-cache', 'private']`.",
		},
		{
			path: "cache.extensions", in: inRoute, kind: extensions,
			field: func(s *scope) any { return &s.route.Cache.Extensions },
			doc:   "The extensions of the files that this is for: `['js', 'css']`. Without it: all.",
		},
		{
			path: "compressed", in: inRoute, kind: flag, def: "false",
			field: func(s *scope) any { return &s.route.Compressed },
			doc:   "Whether a file is answered with its sibling that ends in `.br`, `.zst` or `.gz`, where there is one that the client takes.",
		},
		{
			path: "attachment", in: inRoute, kind: flag, def: "false",
			field: func(s *scope) any { return &s.route.Attachment },
			doc:   "Whether a browser is told to save the file in place of showing it.",
		},
		{
			path: "stream", in: inRoute, kind: flag, state: unneeded,
			why: "an action always reads a request body as it comes",
			doc: "In Ioto, whether the request body is handed to the action unbuffered.",
		},
	},
}

var redirectSection = section{
	title: "Redirects",
	intro: "The keys of an entry of `redirect`. A URL has the form `[http|https][://][host][:port][/path][?query][#hash]`, and any part may be missing.",
	rows: []row{
		{
			path: "from", in: inRedirect, kind: text,
			field: func(s *scope) any { return &s.redirect.From },
			doc:   "The requests to redirect: those that are equal in every part that is given.",
		},
		{
			path: "to", in: inRedirect, kind: filled,
			field: func(s *scope) any { return &s.redirect.To },
			doc:   "Where they go: the parts that are given replace the request's.",
		},
		{
			path: "status", in: inRedirect, kind: status, def: "302",
			field: func(s *scope) any { return &s.redirect.Status },
			doc:   "301, 302, 303, 307 or 308.",
		},
	},
}
