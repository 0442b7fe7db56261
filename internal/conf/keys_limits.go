package conf

var limitSection = section{
	title: "Limits",
	intro: "Each limit has a clear answer: a status, or a record or close code with the limit's name.",
	rows: []row{
		{
			path: "limits.connections", in: inServer, kind: count, def: "unlimited", ioto: "100",
			why:   "a hundred readers of one live page would be all that it had",
			field: func(s *scope) any { return &s.limits.Connections },
			doc:   "Simultaneous connections. One more is answered 503 with `Retry-After`. Unlimited means up to the system's limit of descriptors.",
		},
		{
			path: "limits.requests", in: inServer, kind: count, def: "1000",
			field: func(s *scope) any { return &s.limits.Requests },
			doc:   "Requests on one connection, which closes after the last of them.",
		},
		{
			path: "limits.header", in: inServer, kind: size, def: "10K",
			field: func(s *scope) any { return &s.limits.Header },
			doc:   "Request line and headers. More is answered 431.",
		},
		{
			path: "limits.body", in: inServer | inRoute, kind: size, def: "100K",
			field: func(s *scope) any { return &s.limits.Body },
			doc:   "A request's body. More is answered 413.",
		},
		{
			path: "limits.queue", in: inServer | inRoute, kind: size, def: "256KB", ioto: "none",
			why:   "memory has to be bounded where a reader stops reading",
			field: func(s *scope) any { return &s.limits.Queue },
			doc: "What may wait for one slow reader in the server's memory. Beyond it a stream waits, or gets `ErrSlowReader`. " +
				"So does a WebSocket, but that one message up to `limits.maxMessage` is always taken when nothing waits.",
		},
		{
			path: "limits.sendBuffer", in: inServer | inRoute, kind: size, def: "64KB", ioto: "the kernel's, up to 4 MiB",
			why:   "the kernel's memory counts too",
			field: func(s *scope) any { return &s.limits.SendBuffer },
			doc:   "What may wait for one slow reader in the kernel.",
		},
		{
			path: "limits.webSockets", in: inServer | inRoute, kind: count, def: "unlimited",
			field: func(s *scope) any { return &s.limits.WebSockets },
			doc:   "Simultaneous WebSockets; a route that sets it counts its own. One more is answered 503 with `Retry-After`.",
		},
		{
			path: "limits.maxMessage", in: inServer | inRoute, kind: size, def: "1MB", ioto: "100K (its documents say MAXINT)",
			why:   "a message is held in memory whole, so its size has to be bounded",
			field: func(s *scope) any { return &s.limits.MaxMessage },
			doc: "The largest WebSocket message, in and out, before it is compressed and after. " +
				"One that comes in closes the WebSocket with 1009 as soon as it grows larger; one to be sent gets `ErrTooLarge`.",
		},
		{
			path: "limits.maxFrame", in: inServer | inRoute, kind: frameSize, def: "131072", ioto: "100K (its documents say 131072)",
			why:   "what the documents state",
			field: func(s *scope) any { return &s.limits.MaxFrame },
			doc:   "The largest WebSocket frame that is sent, 125 at least; a larger message goes as several. A frame that comes in is bounded by `limits.maxMessage` alone.",
		},
		{
			path: "limits.maxPacket", in: inServer | inRoute, kind: size, def: "none", keep: true,
			field: func(s *scope) any { return &s.limits.MaxPacket },
			doc: "The largest piece of a WebSocket message that a callback gets: a larger message comes in pieces, of which the last is marked. " +
				"Without the key, and with `'unlimited'`, it gets whole messages.",
		},
		{
			path: "limits.topics", in: inServer, kind: count, def: "10000",
			field: func(s *scope) any { return &s.limits.Topics },
			doc:   "Topics that exist at once. To publish to one more is refused.",
		},
		{
			path: "limits.topicMemory", in: inServer, kind: size, def: "64MB",
			field: func(s *scope) any { return &s.limits.TopicMemory },
			doc:   "What the history of all topics holds together. Beyond it the oldest messages go.",
		},
		{
			path: "limits.topicsPerReader", in: inServer, kind: count, def: "100",
			field: func(s *scope) any { return &s.limits.TopicsPerReader },
			doc:   "Topics and patterns that one reader may name. A request for more is refused.",
		},
		{
			path: "limits.patterns", in: inServer, kind: count, def: "16",
			field: func(s *scope) any { return &s.limits.Patterns },
			doc:   "Patterns among them: names with `*` or `>`.",
		},
		{
			path: "limits.streamsPerAddress", in: inServer, kind: count, def: "unlimited",
			field: func(s *scope) any { return &s.limits.StreamsPerAddress },
			doc:   "Readers of topics from one address at once, long polls that wait among them. One more is refused. Of IPv6 a /64 counts as one address, here and below.",
		},
		{
			path: "limits.topicsPerAddress", in: inServer, kind: count, def: "1000",
			field: func(s *scope) any { return &s.limits.TopicsPerAddress },
			doc:   "Topics that one address may make by publishing to them. One more is refused. A topic that has gone still counts; about once an hour the counts of all addresses begin anew.",
		},
		{
			path: "limits.publishesPerAddress", in: inServer, kind: count, def: "unlimited",
			field: func(s *scope) any { return &s.limits.PublishesPerAddress },
			doc:   "Messages a second that one address may publish. One more is refused.",
		},
		{
			path: "limits.upload", in: inServer | inRoute, kind: size, def: "20MB", state: later,
			doc: "An uploaded file, and the body of a PUT.",
		},
		{
			path: "limits.uploads", in: inServer | inRoute, kind: countOrZero, def: "unlimited", state: later,
			doc: "The parts of an upload. 0 is unlimited too.",
		},
		{
			path: "limits.sessions", in: inServer, kind: count, def: "20", state: later,
			doc: "Simultaneous sessions.",
		},
		{
			path: "limits.digest", in: inServer, kind: count, def: "1000", state: later,
			doc: "Nonces that digest authentication keeps track of.",
		},
	},
}

var timeoutSection = section{
	title: "Timeouts",
	intro: "`never` is no timeout at all; it has no hidden limit.",
	rows: []row{
		{
			path: "timeouts.parse", in: inServer, kind: duration, def: "10 secs", ioto: "5 secs",
			why:   "a phone on a slow network may need longer",
			field: func(s *scope) any { return &s.timeouts.Parse },
			doc:   "From a request's first byte, or the connection's start, to the end of its headers.",
		},
		{
			path: "timeouts.inactivity", in: inServer | inRoute, kind: duration, def: "5 mins",
			field: func(s *scope) any { return &s.timeouts.Inactivity },
			doc:   "How long a connection may be idle, kept-alive or in a request. Every byte in either direction counts.",
		},
		{
			path: "timeouts.request", in: inServer | inRoute, kind: duration, def: "5 mins; a stream: never", keep: true, ioto: "5 mins",
			why:   "it would cut live streams; set by the file or the route it bounds them too",
			field: func(s *scope) any { return &s.timeouts.Request },
			doc:   "The whole life of a request. A stream or WebSocket is bounded only by a file or route that sets this key.",
		},
		{
			path: "timeouts.write", in: inServer | inRoute, kind: duration, def: "30 secs", ioto: "`timeouts.inactivity`",
			why:   "a reader that is gone should not be waited for that long",
			field: func(s *scope) any { return &s.timeouts.Write },
			doc:   "How long a reader may take no byte of what waits for it.",
		},
		{
			path: "timeouts.heartbeat", in: inServer | inRoute, kind: duration, def: "25 secs", ioto: "none",
			why:   "proxies cut a silent stream after a minute, and a vanished reader is found only by a write",
			field: func(s *scope) any { return &s.timeouts.Heartbeat },
			doc:   "When nothing was sent for so long, a stream sends a sign of life that readers skip. `never` turns it off.",
		},
		{
			path: "timeouts.drain", in: inServer, kind: duration, def: "10 secs", ioto: "none",
			why:   "streams get a clean end",
			field: func(s *scope) any { return &s.timeouts.Drain },
			doc:   "How long a server that was told to stop waits for requests and streams to end.",
		},
		{
			path: "timeouts.session", in: inServer, kind: duration, def: "30 mins", state: later,
			doc: "How long a session lives after its last use.",
		},
		{
			path: "timeouts.digest", in: inServer, kind: duration, def: "60 secs", state: later,
			doc: "How long a nonce of digest authentication is good.",
		},
		{
			path: "timeouts.tls", in: inServer, kind: duration, def: "30 secs", state: later,
			doc: "How long a TLS handshake may take.",
		},
	},
}
