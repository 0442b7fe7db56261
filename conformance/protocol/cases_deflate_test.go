package protocol_test

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
)

// sizes are those of a compressed message and of the frames it comes in; 0: one.
var sizes = [][2]int{
	{16, 0},
	{64, 0},
	{256, 0},
	{1 << 10, 0},
	{4 << 10, 0},
	{8 << 10, 0},
	{16 << 10, 0},
	{32 << 10, 0},
	{64 << 10, 0},
	{128 << 10, 0},
	{8 << 10, 256},
	{16 << 10, 256},
	{32 << 10, 256},
	{64 << 10, 256},
	{128 << 10, 256},
	{128 << 10, 1 << 10},
	{128 << 10, 4 << 10},
	{128 << 10, 32 << 10},
}

// deflateBytes is how much a case compresses in all, in at most 1000 messages.
const deflateBytes = 128 << 10 / scale

func deflateCases() []testCase {
	var all []testCase
	plain := setup{offer: "permessage-deflate; client_max_window_bits", answer: "permessage-deflate", takeover: true}
	for i, d := range datas {
		for j, size := range sizes {
			var s steps
			for some := range slices.Chunk(slices.Collect(d.messages(size[0])), 20) {
				var pieces []piece
				for _, m := range some {
					pieces = append(pieces, zipped{op: d.op, payload: m, size: size[1]})
				}
				s = append(s, together(pieces...))
				for _, m := range some {
					s = append(s, gets(event{op: d.op, data: m, zipped: d.small && size[0] >= 256}))
				}
			}
			all = append(all, with(plain, holds(fmt.Sprintf("12.%d.%d", i+1, j+1), sizeName(d.name, size), s))...)
		}
	}
	for i, a := range agreements {
		for j, size := range sizes {
			var pieces []piece
			var echoes steps
			for m := range datas[0].messages(size[0]) {
				pieces = append(pieces, zipped{op: opText, payload: m, size: size[1]})
				echoes = append(echoes, gets(event{op: opText, data: m, zipped: size[0] >= 256}))
			}
			all = append(all, with(a, holds(fmt.Sprintf("13.%d.%d", i+1, j+1), sizeName(a.offer, size), send(pieces...), echoes))...)
		}
	}
	return all
}

func sizeName(what string, size [2]int) string {
	name := fmt.Sprintf("%s, %d bytes a message", what, size[0])
	if size[1] > 0 {
		name += fmt.Sprintf(", in frames of %d", size[1])
	}
	return name
}

// agreements are what a client offers and what a server answers in 13.1 to 13.7.
var agreements = []setup{
	{takeover: true, offer: "permessage-deflate", answer: "permessage-deflate"},
	{
		takeover: true, offer: "permessage-deflate; server_no_context_takeover; client_no_context_takeover",
		answer: "permessage-deflate; server_no_context_takeover; client_no_context_takeover",
	},
	{
		takeover: true, offer: "permessage-deflate; server_max_window_bits=9; client_max_window_bits=9",
		answer: "permessage-deflate; server_max_window_bits=9; client_max_window_bits=9",
	},
	{
		takeover: true, offer: "permessage-deflate; server_max_window_bits=15; client_max_window_bits=15",
		answer: "permessage-deflate; server_max_window_bits=15; client_max_window_bits=15",
	},
	{
		takeover: true, offer: "permessage-deflate; server_no_context_takeover; client_no_context_takeover; server_max_window_bits=9; client_max_window_bits=9",
		answer: "permessage-deflate; client_no_context_takeover; server_no_context_takeover; client_max_window_bits=9; server_max_window_bits=9",
	},
	{
		takeover: true, offer: "permessage-deflate; server_no_context_takeover; server_max_window_bits=15; client_max_window_bits",
		answer: "permessage-deflate; client_no_context_takeover; client_max_window_bits=15",
	},
	{
		takeover: false, offer: "permessage-deflate; server_no_context_takeover; server_max_window_bits=9, " +
			"permessage-deflate; server_no_context_takeover, permessage-deflate",
		answer: "permessage-deflate; server_no_context_takeover; client_no_context_takeover; server_max_window_bits=10; client_max_window_bits=12",
	},
}

// A data is something to compress.
type data struct {
	name  string
	op    byte
	small bool // it becomes smaller
	all   string
}

// messages goes through the data, round and round.
func (d data) messages(size int) func(yield func(string) bool) {
	return func(yield func(string) bool) {
		at := 0
		for range min(max(deflateBytes/size, 2/scale+1), 1000/scale) {
			if at+size > len(d.all) {
				at = (at + size) % (len(d.all) - size)
			}
			if !yield(d.all[at : at+size]) {
				return
			}
			at += size
		}
	}
}

// datas are of the kinds that Autobahn has: JSON, a picture, prose, HTML and
// something that is compressed already.
var datas = func() []data {
	const n = 300 << 10
	r := rand.New(rand.NewPCG(7, 7))
	words := strings.Fields("the quick water of a leat runs down to the mill where the wheel turns and Gewässer fließen über Stein")
	make := func(part func(i int) string) string {
		var b strings.Builder
		for i := 0; b.Len() < n; i++ {
			b.WriteString(part(i))
		}
		return b.String()[:n]
	}
	word := func() string { return words[r.IntN(len(words))] }
	return []data{
		{"JSON", opText, true, make(func(i int) string {
			return fmt.Sprintf(`{"id":%d,"sensor":"s-%04x","value":%.4f,"unit":"m3/s","ok":%t},`, i, r.IntN(1<<16), r.NormFloat64(), i%7 > 0)
		})},
		{"a picture", opBinary, true, make(func(i int) string {
			return string([]byte{byte(i/512%256/4 + i%512/16 + r.IntN(4))})
		})},
		{"prose", opBinary, true, make(func(int) string { return word() + " " })},
		{"HTML", opText, true, make(func(i int) string {
			return fmt.Sprintf("<li class=\"row-%d\"><a href=\"/item/%d\">item %d</a></li>\n", i%2, r.IntN(10_000), i)
		})},
		{"noise", opBinary, false, make(func(i int) string {
			if i%2000 < 100 {
				return word()
			}
			return string([]byte{byte(r.Uint32())})
		})},
	}
}()
