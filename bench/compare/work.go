package main

import "github.com/leat-dev/leat/bench/load"

// A work is one load that every server gets.
type work struct {
	name string
	load load.Echo
}

var works = []work{
	{"64 B", load.Echo{Conns: 100, Size: 64}},
	{"64 B, 16 under way", load.Echo{Conns: 100, Size: 64, Depth: 16}},
	{"64 B, 5,000 a second in all", load.Echo{Conns: 100, Size: 64, Rate: 5000}},
	{"1 KiB", load.Echo{Conns: 1000, Size: 1 << 10}},
	{"1 KiB, 16 under way", load.Echo{Conns: 100, Size: 1 << 10, Depth: 16}},
	{"64 KiB", load.Echo{Conns: 50, Size: 64 << 10}},
	{"64 KiB, 16 under way", load.Echo{Conns: 8, Size: 64 << 10, Depth: 16}},
	{"1 MiB", load.Echo{Conns: 8, Size: 1 << 20}},
	{"1 MiB, 16 under way", load.Echo{Conns: 2, Size: 1 << 20, Depth: 16}},
	{"1 KiB JSON, deflate", load.Echo{Conns: 100, Size: 1 << 10, Deflate: true}},
}
