// Package leat is a web server for live data: streams (NDJSON, Server-Sent
// Events) from any net/http handler, and a server around them that is driven
// by web.json5.
package leat
