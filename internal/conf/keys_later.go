package conf

var logSection = section{
	title: "Log",
	intro: "Beside `web`, as in Ioto.",
	rows: []row{
		{
			path: "log.path", in: atTop, kind: logPath, state: later,
			field: func(s *scope) any { return &s.config.Log.Path },
			doc:   "Where the log goes.",
		},
		{
			path: "log.types", in: atTop, kind: text, state: later,
			field: func(s *scope) any { return &s.config.Log.Types },
			doc:   "What the log holds: of `error,info,trace,debug,raw,all`.",
		},
		{path: "log.format", in: atTop, kind: text, state: unneeded, why: "the log is text on a terminal and JSON otherwise", doc: "In Ioto, the form of a line."},
		{path: "log.sources", in: atTop, kind: text, state: unneeded, why: "Leat's log has one source", doc: "In Ioto, the modules that log."},
		{path: "log.show", in: atTop, kind: text, state: later, doc: "In Ioto, the parts of requests and responses that are logged: of `HBhb`."},
	},
}

var protectSection = section{
	title: "Keys that protect",
	intro: "They restrict access or protect data, and are not yet in effect. **A server does not start with one of them**, unless its value asks for nothing: " +
		"`false`, `null`, `''`, the role `'public'`, or all that stands beside `enable: false`. Until then, let a proxy in front of the server do what they ask for.",
	rows: []row{
		{path: "role", in: inRoute, kind: text, plain: []string{"public"}, state: protects, doc: "The role that a user needs."},
		{path: "authType", in: inRoute, kind: chosen("basic", "digest"), state: protects, doc: "How a user of this route logs in."},
		{path: "algorithm", in: inRoute, kind: chosen("SHA-256", "MD5"), state: protects, doc: "The algorithm of digest authentication."},
		{path: "xsrf", in: inRoute, kind: flag, state: protects, doc: "Whether requests that change something need a token."},
		{path: "validate", in: inRoute, kind: flag, state: protects, doc: "Whether requests are checked against their signature."},
		{path: "auth.enable", in: inServer, kind: flag, state: protects, doc: "`false` takes the rest of `auth` out of use."},
		{path: "auth.realm", in: inServer, kind: text, state: protects, doc: "The realm that a login names."},
		{path: "auth.authType", in: inServer, kind: chosen("basic", "digest"), state: protects, doc: "How users log in."},
		{path: "auth.algorithm", in: inServer, kind: chosen("SHA-256", "MD5"), state: protects, doc: "The algorithm of digest authentication."},
		{path: "auth.secret", in: inServer, kind: text, state: protects, doc: "The key of digest nonces."},
		{path: "auth.requireTlsForBasic", in: inServer, kind: flag, state: protects, doc: "Whether basic authentication needs TLS."},
		{path: "auth.track", in: inServer, kind: flag, state: protects, doc: "Whether a nonce is good only once."},
		{path: "auth.roles", in: inServer, kind: anything, state: protects, doc: "Roles, and the abilities or roles that each has."},
		{path: "auth.users", in: inServer, kind: anything, state: protects, doc: "Users, with `password` and `role`."},
		{path: "auth.login", in: inServer, kind: text, state: protects, doc: "The URL that logs a user in."},
		{path: "auth.logout", in: inServer, kind: text, state: protects, doc: "The URL that logs a user out."},
		{path: "signatures.enable", in: inServer, kind: flag, state: protects, doc: "Whether requests are checked against signatures."},
		{path: "signatures.path", in: inServer, kind: text, state: protects, doc: "The file of the signatures."},
		{path: "signatures.strict", in: inServer, kind: flag, state: protects, doc: "Whether a request without a signature is refused."},
		{path: "tls.enable", in: atTop, kind: flag, state: protects, doc: "`false` takes the rest of `tls` out of use."},
		{path: "tls.authority", in: atTop, kind: text, state: protects, doc: "The file of the authorities' certificates."},
		{path: "tls.certificate", in: atTop, kind: text, state: protects, doc: "The file of the server's certificate."},
		{path: "tls.key", in: atTop, kind: text, state: protects, doc: "The file of its key."},
		{path: "tls.ciphers", in: atTop, kind: texts, state: protects, doc: "The ciphers that are allowed."},
		{path: "tls.verify.client", in: atTop, kind: flag, state: protects, doc: "Whether a client needs a certificate."},
		{path: "tls.verify.issuer", in: atTop, kind: flag, state: protects, doc: "Whether its issuer is checked."},
		{path: "tls.renegotiate", in: atTop, kind: flag, state: protects, doc: "Read by no version of Ioto's server."},
		{path: "tls.ticket", in: atTop, kind: anything, state: protects, doc: "Read by no version of Ioto's server."},
		{path: "user", in: atTop | inServer, kind: text, state: protects, doc: "The user as whom the server goes on once it listens."},
		{path: "group", in: atTop | inServer, kind: text, state: protects, doc: "The group as which it goes on."},
	},
}

var laterSection = section{
	title: "Sessions, uploads, profiles",
	rows: []row{
		{path: "sessions.cookie", in: inServer, kind: text, def: "-web-session-", state: later, doc: "The name of the session's cookie."},
		{path: "sessions.sameSite", in: inServer, kind: chosen("Lax", "Strict", "None"), def: "Lax", state: later, doc: "Its `SameSite`."},
		{path: "sessions.httpOnly", in: inServer, kind: flag, def: "true", state: later, doc: "Its `HttpOnly`."},
		{path: "upload.dir", in: inServer, kind: text, state: later, doc: "The folder of files while they are uploaded."},
		{path: "profile", in: atTop, kind: text, state: later, doc: "The name of the profile to use."},
		{path: "profiles", in: atTop, kind: anything, state: later, doc: "Keys that a profile replaces."},
		{path: "conditional", in: atTop, kind: anything, state: later, doc: "Keys that a condition replaces."},
	},
}

const noFibers = "Leat has no fibers, and no limit on how many requests are answered at once but `limits.connections`"

var iotoSection = section{
	title: "Known from Ioto and not needed",
	rows: []row{
		{path: "limits.fibers", in: atTop, kind: countOrZero, state: unneeded, why: noFibers, doc: "Fibers, which is requests at once; 4 unless set, 0 is unlimited."},
		{path: "limits.fiberPoolMin", in: atTop, kind: countOrZero, state: unneeded, why: noFibers, doc: "Fibers that are kept."},
		{path: "limits.fiberPoolMax", in: atTop, kind: countOrZero, state: unneeded, why: noFibers, doc: "Fibers that are kept."},
		{path: "limits.fiberStack", in: atTop, kind: sizeOrZero, state: unneeded, why: noFibers, doc: "A fiber's first stack."},
		{path: "limits.stack", in: atTop, kind: sizeOrZero, state: unneeded, why: noFibers, doc: "Its old name."},
		{path: "limits.fiberStackMax", in: atTop, kind: sizeOrZero, state: unneeded, why: noFibers, doc: "A fiber's largest stack."},
		{path: "limits.fiberStackGrow", in: atTop, kind: sizeOrZero, state: unneeded, why: noFibers, doc: "By how much it grows."},
		{path: "limits.fiberStackReset", in: atTop, kind: sizeOrZero, state: unneeded, why: noFibers, doc: "To what it shrinks."},
		{path: "limits.buffer", in: inServer, kind: sizeOrZero, state: unneeded, why: "a response is not buffered", doc: "The first size of a response buffer."},
		{path: "fiberBlocks", in: inServer, kind: flag, state: unneeded, why: "a panic in an action never ends the server", doc: "Whether a fault in an action is caught."},
		{path: "sessions.enable", in: inServer, kind: flag, state: unneeded, why: "Ioto does not read it either", doc: "In Ioto's samples."},
		{path: "upload.remove", in: inServer, kind: flag, state: unneeded, why: "Ioto does not read it either; uploads are always removed", doc: "In Ioto's documents."},
		{path: "$schema", in: atTop | inServer, kind: text, doc: "For editors: the JSON Schema of this file, as `leat check --schema` prints it."},
	},
}
