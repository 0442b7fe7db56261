package conf

var topicSection = section{
	title: "Topics",
	intro: "The keys of an entry of `topics`. Of each topic the first entry counts whose pattern matches its name; a topic that none matches has the defaults.\n\n" +
		"```json5\n" + `{
	topics: [
		{ match: 'machine.load', source: { command: 'vmstat 1' }, history: { age: '1 hr' } },
		{ match: 'room.*', publish: 'public', key: 'host', slow: 'latest' },
		{ match: '>', history: 'none' },
	],
	routes: [{ match: '/live/', handler: 'topic' }, {}],
}
` + "```",
	rows: []row{
		{
			path: "match", in: inTopic, kind: topicPattern, def: ">",
			field: func(s *scope) any { return &s.topic.Match },
			doc: "The topics that the entry is for. Dots divide a name into tokens; `*` stands for one token, and a last `>` for one or more. " +
				"Without it: all.",
		},
		{
			path: "history", in: inTopic, kind: noHistory,
			field: func(s *scope) any { return &s.topic.History.None },
			doc:   "What a topic keeps for readers that come later or come back. With `'none'`, or with 0 for one of its keys, a message is kept only until those have it who read now.",
		},
		{
			path: "history.count", in: inTopic, kind: countOrZero, def: "1000",
			field: func(s *scope) any { return &s.topic.History.Count },
			doc:   "How many messages a topic keeps.",
		},
		{
			path: "history.bytes", in: inTopic, kind: sizeOrZero, def: "1MB",
			field: func(s *scope) any { return &s.topic.History.Bytes },
			doc:   "How many bytes of messages a topic keeps.",
		},
		{
			path: "history.age", in: inTopic, kind: durationZero, def: "10 mins",
			field: func(s *scope) any { return &s.topic.History.Age },
			doc:   "How long a topic keeps a message.",
		},
		{
			path: "slow", in: inTopic, kind: chosen(SlowGap, SlowLatest, SlowDisconnect), def: SlowGap,
			field: func(s *scope) any { return &s.topic.Slow },
			doc: "What becomes of a reader that falls behind what is kept. `'gap'` goes on with the oldest message that is kept, and tells the reader what it missed. " +
				"`'latest'` sends the latest message of each key. `'disconnect'` ends the stream.",
		},
		{
			path: "key", in: inTopic, kind: filled,
			field: func(s *scope) any { return &s.topic.Key },
			doc:   "The member of JSON data that is a message's key where the publisher gives none.",
		},
		{
			path: "heartbeat", in: inTopic, kind: duration, def: "`timeouts.heartbeat`", keep: true,
			field: func(s *scope) any { return &s.topic.Heartbeat },
			doc:   "When nothing was sent for so long, a reader gets a sign of life. `never` turns it off.",
		},
		{
			path: "subscribe", in: inTopic, kind: access(), def: AccessPublic,
			field: func(s *scope) any { return &s.topic.Subscribe },
			doc:   "Who may read: everybody, nobody, or who has a token that says so. `'token'` needs `tokens.keys`.",
		},
		{
			path: "publish", in: inTopic, kind: access(), def: AccessNone,
			field: func(s *scope) any { return &s.topic.Publish },
			doc:   "Who may publish by HTTP or WebSocket. The program and `source` always may.",
		},
		{
			path: "maxRate", in: inTopic, kind: rate, def: "unlimited", keep: true,
			field: func(s *scope) any { return &s.topic.MaxRate },
			doc:   "How many messages of one key a reader gets in a second at most: the latest.",
		},
		{
			path: "source.command", in: inTopic, kind: command,
			field: func(s *scope) any { return &s.topic.Source.Command },
			doc: "A command whose lines of output are published. A text is run by `/bin/sh -c`, a list is a program and its arguments. " +
				"It needs a `match` that is one name, without `*` and `>`.",
		},
		{
			path: "source.file", in: inTopic, kind: systemFile,
			field: func(s *scope) any { return &s.topic.Source.File },
			doc:   "A file whose new lines are published, relative to this file. An entry has one of `source.command` and `source.file`.",
		},
	},
}

var tokenSection = section{
	title: "Tokens",
	intro: "Which tokens are good where a topic says `'token'`. A token is a JWT whose claim `leat` lists patterns of topics: " +
		"`{ exp: 1796049387, leat: { subscribe: ['room.*'], publish: ['room.kitchen'] } }`.",
	rows: []row{
		{
			path: "tokens.keys", in: inServer, kind: tokenKeyList,
			doc: "The keys that tokens may be signed with; see below.",
		},
		{
			path: "tokens.issuer", in: inServer, kind: filled,
			field: func(s *scope) any { return &s.config.Tokens.Issuer },
			doc:   "What the claim `iss` of every token has to be.",
		},
		{
			path: "tokens.audience", in: inServer, kind: filled,
			field: func(s *scope) any { return &s.config.Tokens.Audience },
			doc:   "What the claim `aud` of every token has to hold.",
		},
	},
}

var tokenKeySection = section{
	title: "Keys of tokens",
	intro: "The keys of an entry of `tokens.keys`. No secret stands in the file itself:\n\n" +
		"```json5\n" + `{
	topics: [{ match: 'room.*', subscribe: 'token', publish: 'token' }],
	tokens: {
		keys: [
			{ algorithm: 'HS256', env: 'LEAT_SECRET' },
			{ algorithm: 'ES256', file: 'public.pem', id: 'k1' },
		],
		issuer: 'https://login.example.com',
	},
}
` + "```",
	rows: []row{
		{
			path: "algorithm", in: inTokenKey, kind: chosen("HS256", "RS256", "ES256", "EdDSA"),
			field: func(s *scope) any { return &s.tokenKey.Algorithm },
			doc:   "How tokens are signed with it. A token that names another algorithm is refused.",
		},
		{
			path: "env", in: inTokenKey, kind: variable,
			field: func(s *scope) any { return &s.tokenKey.Env },
			doc:   "The environment variable that holds it: the secret of HS256, a public key in PEM of the others.",
		},
		{
			path: "file", in: inTokenKey, kind: systemFile,
			field: func(s *scope) any { return &s.tokenKey.File },
			doc:   "The file that holds it, relative to this file. An entry has one of `env` and `file`. The secret of HS256 must not be in `documents`.",
		},
		{
			path: "id", in: inTokenKey, kind: filled,
			field: func(s *scope) any { return &s.tokenKey.ID },
			doc:   "The `kid` of tokens that are signed with it.",
		},
	},
}
