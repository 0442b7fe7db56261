package main

import (
	"slices"
	"strings"
)

// An ability is what a work needs of a server.
type ability string

const (
	anything   ability = ""
	webSockets ability = "webSockets" // /ws echoes
	deflate    ability = "deflate"    // with -deflate
	closure    ability = "closure"    // /ws-closure keeps its request
	streams    ability = "streams"    // /sse and /ndjson
	files      ability = "files"      // of the folder -files
	plain      ability = "plain"      // /plain

	// Readers of /topic, to which posts to it are delivered.
	topicSockets ability = "topicSockets"
	topicEvents  ability = "topicEvents"
	topicLines   ability = "topicLines"
	topicRecords ability = "topicRecords" // all of them without ?bare, as records
)

var abilities = map[string][]ability{
	"leat":    {webSockets, deflate, closure, streams, files, plain, topicSockets, topicEvents, topicLines, topicRecords},
	"gws":     {webSockets, deflate, plain, topicSockets},
	"coder":   {webSockets, deflate, plain},
	"gorilla": {webSockets, deflate, plain},
	"nbio":    {webSockets, deflate},
	"gobwas":  {webSockets},
	"stdlib":  {streams, files, plain, topicEvents, topicLines},
	"gosse":   {topicEvents},
	"echov4":  {streams, files, plain},
	"floor":   {webSockets, streams, topicSockets, topicEvents, topicLines},
}

// can says whether a server does what a work needs. One that is not listed
// echoes.
func can(server string, a ability) bool {
	name, _ := program(server)
	list, ok := abilities[name]
	if !ok {
		list = []ability{webSockets, deflate}
	}
	return a == anything || slices.Contains(list, a)
}

// program splits the name of a server into that of its program and that of the
// engine that Leat shall use: leat@goroutine.
func program(server string) (name, engine string) {
	name, engine, _ = strings.Cut(server, "@")
	return name, engine
}
