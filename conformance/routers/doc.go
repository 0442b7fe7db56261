// Package routers holds tests of Leat's streams under other people's routers:
// net/http, chi, Echo (v4 and v5) and gin, over HTTP/1.1 and HTTP/2, on a plain
// net/http server and on a Leat server.
package routers
