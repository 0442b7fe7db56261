package main

import (
	"fmt"
	"strconv"
	"time"

	"github.com/leat-dev/leat/bench/load"
)

// A work is one load that every server gets that can.
type work struct {
	name  string
	needs ability
	quick bool // is in the comparison of five minutes
	once  bool // is in the first round only: what it measures hardly moves, or takes long
	run   func(r running) (figures []figure, result any, err error)
}

// A figure is a cell of a table.
type figure struct {
	table, row string
	value      float64
}

const (
	quick = true
	full  = false // in the full comparison only
	once  = true
	each  = false // in each round
)

// manyReaders are as many as the memory of a reader is told of.
const manyReaders = 10_000

// fileSize is that of the file to download.
const fileSize = 8 << 20

// idleConns are as many as a process with 20,000 descriptors can hold.
const idleConns = 19_500

var works = []work{
	echo("64 B", quick, webSockets, load.Echo{Conns: 100, Size: 64}),
	echo("64 B, 16 under way", quick, webSockets, load.Echo{Conns: 100, Size: 64, Depth: 16}),
	echo("64 B, 5,000 a second in all", quick, webSockets, load.Echo{Conns: 100, Size: 64, Rate: 5000}),
	echo("1 KiB, 1,000 connections", quick, webSockets, load.Echo{Conns: 1000, Size: 1 << 10}),
	echo("1 KiB, 16 under way", full, webSockets, load.Echo{Conns: 100, Size: 1 << 10, Depth: 16}),
	echo("64 KiB", quick, webSockets, load.Echo{Conns: 50, Size: 64 << 10}),
	echo("64 KiB, 16 under way", full, webSockets, load.Echo{Conns: 8, Size: 64 << 10, Depth: 16}),
	echo("1 MiB", quick, webSockets, load.Echo{Conns: 8, Size: 1 << 20}),
	echo("1 MiB, 16 under way", full, webSockets, load.Echo{Conns: 2, Size: 1 << 20, Depth: 16}),
	echo("1 KiB JSON, deflate", quick, deflate, load.Echo{Conns: 100, Size: 1 << 10, Deflate: true}),
	records("NDJSON, 500 readers, 20 ms", quick, load.Records{Kind: load.NDJSON, Conns: 500, Every: 20 * time.Millisecond}),
	records("SSE, 500 readers, 20 ms", quick, load.Records{Kind: load.SSE, Conns: 500, Every: 20 * time.Millisecond}),
	records("NDJSON, 5,000 readers, 1 s", full, load.Records{Kind: load.NDJSON, Conns: 5000, Every: time.Second}),
	download("a MiB of a file", quick, load.Download{Conns: 8, Size: fileSize}),
	handshakes("handshakes", quick, each, load.Handshakes{Open: 1000, Count: 5000}),
	handshakes("handshakes, 50,000", full, once, load.Handshakes{Open: 10_000, Count: 50_000}),
	deliveries(quick, topicSockets, load.WebSocket, 2000),
	deliveries(quick, topicEvents, load.SSE, 2000),
	deliveries(quick, topicLines, load.NDJSON, 2000),
	deliveries(full, topicSockets, load.WebSocket, manyReaders),
	deliveries(full, topicEvents, load.SSE, manyReaders),
	deliveries(full, topicLines, load.NDJSON, manyReaders),
	deliveries(full, topicRecords, load.WebSocket, manyReaders),
	deliveries(full, topicRecords, load.NDJSON, manyReaders),
	deliveriesAt(quick, each, topicSockets, load.WebSocket, 100),
	deliveriesAt(quick, each, topicEvents, load.SSE, 100),
	deliveriesAt(full, each, topicLines, load.NDJSON, 100),
	deliveriesAt(full, once, topicSockets, load.WebSocket, 500),
	deliveriesAt(full, once, topicEvents, load.SSE, 500),
	deliveriesAt(full, once, topicLines, load.NDJSON, 500),
	idle("WebSocket", full, webSockets, "/ws", load.WebSocket, 5000),
	idle("WebSocket", quick, webSockets, "/ws", load.WebSocket, 10_000),
	idle("WebSocket", full, webSockets, "/ws", load.WebSocket, idleConns),
	idle("WebSocket that keeps its request", full, closure, "/ws-closure", load.WebSocket, idleConns),
	idle("SSE", full, streams, "/sse", load.SSE, 5000),
	idle("SSE", quick, streams, "/sse", load.SSE, 10_000),
	idle("SSE", full, streams, "/sse", load.SSE, idleConns),
	idle("NDJSON", full, streams, "/ndjson", load.NDJSON, 5000),
	idle("NDJSON", full, streams, "/ndjson", load.NDJSON, 10_000),
	idle("NDJSON", full, streams, "/ndjson", load.NDJSON, idleConns),
	burst("a burst of 1 MiB", full, load.Burst{Conns: 8, Size: 1 << 20, Depth: 4, Time: 2 * time.Second, Limit: time.Minute}),
}

func echo(name string, quick bool, needs ability, e load.Echo) work {
	return work{name, needs, quick, each, func(s running) ([]figure, any, error) {
		e.URL, e.PID, e.Warm, e.Time = s.url("ws", "/ws"), s.pid, s.warm, s.measure
		r, err := e.Run()
		return []figure{{echoTable, name, r.CPU}, {memoryTable, name, mib(r.Memory)}}, r, err
	}}
}

func records(name string, quick bool, l load.Records) work {
	return work{name, streams, quick, each, func(s running) ([]figure, any, error) {
		// So long that each reader gets two.
		l.URL, l.PID, l.Warm, l.Time = s.url("http", "/"+l.Kind), s.pid, s.warm, max(s.measure, 2*l.Every)
		r, err := l.Run()
		return []figure{{streamTable, name, r.CPU}}, r, err
	}}
}

func download(name string, quick bool, d load.Download) work {
	return work{name, files, quick, each, func(s running) ([]figure, any, error) {
		d.URL, d.PID, d.Warm, d.Time = s.url("http", "/file"), s.pid, s.warm, s.measure
		r, err := d.Run()
		return []figure{{streamTable, name, r.CPU}}, r, err
	}}
}

// handshakes compares upgrading with a plain request as far as a server can.
func handshakes(name string, quick, once bool, h load.Handshakes) work {
	return work{name, anything, quick, once, func(s running) (f []figure, _ any, _ error) {
		if can(s.server, plain) {
			h.Plain = s.url("http", "/plain")
		} else {
			h.Plain = ""
		}
		if can(s.server, webSockets) {
			h.URL = s.url("ws", "/ws")
		} else {
			h.URL = ""
		}
		h.PID = s.pid
		r, err := h.Run()
		for _, row := range []struct {
			name string
			cost load.Result
		}{{"connect, one GET, end", r.Get}, {"connect, upgrade", r.Upgrade}, {"connect, upgrade, end", r.Storm}} {
			if row.cost.Messages > 0 {
				f = append(f, figure{connectTable, row.name + "; " + thousands(int(row.cost.Messages)), row.cost.CPU})
			}
		}
		if r.Get.CPU > 0 && r.Upgrade.CPU > 0 {
			f = append(f, figure{upgradeTable, "upgrade; " + thousands(h.Open), r.Upgrade.CPU / r.Get.CPU})
		}
		return f, r, err
	}}
}

func idle(name string, quick bool, needs ability, path, kind string, n int) work {
	return work{name + ", " + thousands(n) + " idle", needs, quick, once, func(s running) ([]figure, any, error) {
		scheme, later := "http", ", after another record"
		if kind == load.WebSocket {
			scheme, later = "ws", ", after an echo of 1 KiB"
		}
		i := load.Idle{URL: s.url(scheme, path), Kind: kind, Conns: n, Hold: s.hold, PID: s.pid}
		r, err := i.Run()
		of := name + ", " + thousands(n)
		f := []figure{
			{quietTable, of + ": slab for a socket, bytes", r.Slab},
			{quietTable, of + ": buffers for a socket, bytes", r.Buffers},
			{quietTable, of + ": CPU time, µs a second", r.Busy},
		}
		if n == idleConns {
			f = append([]figure{{idleTable, name, r.Before}, {idleTable, name + later, r.After}}, f...)
		}
		if s.full {
			f = append([]figure{{slopeTable, of, r.After}}, f...)
		}
		return f, r, err
	}}
}

func burst(name string, quick bool, b load.Burst) work {
	return work{name, webSockets, quick, once, func(s running) ([]figure, any, error) {
		b.URL, b.PID = s.url("ws", "/ws"), s.pid
		r, err := b.Run()
		return []figure{
			{burstTable, "before, MiB", mib(r.Before)},
			{burstTable, "at the most, MiB", mib(r.Peak)},
			{burstTable, "a second after it, MiB", mib(r.Second)},
			{burstTable, "at the end, MiB", mib(r.End)},
			{burstTable, "seconds to the end", r.Back},
		}, r, err
	}}
}

func mib(bytes float64) float64 { return bytes / (1 << 20) }

// thousands writes 19,500.
func thousands(n int) string {
	if n < 1000 {
		return strconv.Itoa(n)
	}
	return fmt.Sprintf("%s,%03d", thousands(n/1000), n%1000)
}
