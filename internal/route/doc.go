// Package route says which rule matches a path.
//
// Rules are tried in the order of the list and the first that matches wins.
// What a rule matches is told by the look of its text:
//
//	""                      every path
//	"/status"               this path only; so does "/"
//	"/api/"                 every path that starts with /api/ (not /api itself)
//	"/user/{id}"            a token is one segment: /user/7, not /user/7/8
//	"/user/{id}/"           a prefix with a token: /user/7/, /user/7/mail
//	"^/(img|css)/"          a regular expression (RE2), not anchored at its end
//	"^/websock/{name}$"     where {name} stands for the group ([^/]+)
//
// Paths are decoded, and cleaned by [Clean] before they are matched.
package route
