package main

import (
	"time"

	"github.com/leat-dev/leat/bench/load"
)

// kindNames are how kinds of connections are called in the tables.
var kindNames = map[string]string{load.WebSocket: "WebSocket", load.SSE: "SSE", load.NDJSON: "NDJSON"}

// deliveries is a topic of n readers, by one message after the other and with
// eight under way.
func deliveries(quick bool, needs ability, kind string, n int) work {
	name := deliveriesName(needs, kind, n)
	return work{name, needs, quick, each, func(s running) (f []figure, _ any, _ error) {
		d := deliveriesTo(s, needs, kind, n)
		d.Count, d.Depths = max(24, 60_000/n), []int{1, 8}
		passes, err := d.Run()
		for _, p := range passes {
			row := name
			if p.Depth > 1 {
				row += ", 8 under way"
			}
			f = append(f, deliveryFigures(row, p)...)
			if p.Depth > 1 && n == manyReaders && needs != topicRecords {
				f = append(f, figure{readerTable, kindNames[kind], p.Reader})
			}
		}
		return f, passes, err
	}}
}

// deliveriesAt is a topic of n readers that has 1,000 messages a second.
func deliveriesAt(quick, once bool, needs ability, kind string, n int) work {
	name := deliveriesName(needs, kind, n) + ", 1,000 a second"
	return work{name, needs, quick, once, func(s running) (f []figure, _ any, _ error) {
		d := deliveriesTo(s, needs, kind, n)
		d.Rate, d.Time = 1000, max(time.Second, s.measure)
		passes, err := d.Run()
		for _, p := range passes {
			f = deliveryFigures(name, p)
		}
		return f, passes, err
	}}
}

func deliveriesName(needs ability, kind string, n int) string {
	name := kindNames[kind]
	if needs == topicRecords {
		name += " records"
	}
	return name + ", " + thousands(n) + " readers"
}

func deliveriesTo(s running, needs ability, kind string, n int) load.Deliveries {
	scheme, path := "http", "/topic?bare"
	if kind == load.WebSocket {
		scheme = "ws"
	}
	if needs == topicRecords {
		path = "/topic"
	}
	return load.Deliveries{
		URL: s.url(scheme, path), Kind: kind, Conns: n, Publish: s.url("http", "/topic"),
		Within: needs == topicRecords, Size: 128, PID: s.pid,
	}
}

func deliveryFigures(row string, r load.DeliveryResult) []figure {
	return []figure{
		{deliverTable, row, r.CPU},
		{lateTable, row, r.P99 / 1e3},
		{segmentTable, row, r.Segments},
	}
}
