package protocol_test

import (
	"errors"
	"fmt"
	"slices"
	"strings"
)

// Autobahn does not look at what follows.

// maskCases are about RFC 6455, 5.1 and 5.3: a client masks every frame, a server
// none.
func maskCases() []testCase {
	wrong := func(b0 byte, payload string) piece { return frame{b0: b0, payload: payload, flip: true} }
	all := []testCase{
		breaks(1002, "mask.1", "text whose masking is the other side's", send(wrong(fin|opText, hello))),
		breaks(1002, "mask.2", "a ping whose masking is the other side's", send(wrong(fin|opPing, ""))),
		breaks(1002, "mask.3", "a close whose masking is the other side's", send(wrong(fin|opClose, "\x03\xe8"))),
		breaks(1002, "mask.4", "wrong masking after a good message", together(text(hello), wrong(fin|opText, hello), ping("")), getsText(hello)),
		breaks(1002, "mask.5", "wrong masking of the rest of a message", send(first(hello), wrong(fin|opMore, hello))),
		holds("mask.6", "a key of zeros", send(head{b0: fin | opText, length: 5, payload: "Hello"}), getsText("Hello")),
	}
	var fresh steps
	for range 100 {
		fresh = append(fresh, send(binry("a")), getsBinary("a"))
	}
	keys := holds("mask.7", "each frame of a client has a key of its own", fresh, func(l *link) error {
		seen := map[[4]byte]bool{}
		for _, k := range l.keys {
			seen[k] = true
		}
		if len(seen) < 99 {
			return errors.New("keys come again (RFC 6455, 5.3)")
		}
		return nil
	})
	keys.only = asClient
	served := breaks(1002, "mask.8", "an unmasked frame shows by its second byte", send(raw([]byte{fin | opText, 5})))
	served.only = asServer
	dialed := breaks(1002, "mask.9", "a masked frame shows by its second byte", send(raw([]byte{fin | opText, 0x85})))
	dialed.only = asClient
	return append(all, keys, served, dialed)
}

// lengthCases are about RFC 6455, 5.2: the shortest form, and no more than 63
// bits. A length is judged before the payload comes.
func lengthCases() []testCase {
	in2, in8 := byte(126), byte(127)
	bad := func(id, name string, length byte, extended string) testCase {
		return breaks(1002, "length."+id, name, send(head{b0: fin | opBinary, length: length, extended: extended}))
	}
	return []testCase{
		bad("1", "0 in two bytes", in2, "\x00\x00"),
		bad("2", "125 in two bytes", in2, "\x00\x7d"),
		bad("3", "5 in eight bytes", in8, "\x00\x00\x00\x00\x00\x00\x00\x05"),
		bad("4", "126 in eight bytes", in8, "\x00\x00\x00\x00\x00\x00\x00\x7e"),
		bad("5", "65535 in eight bytes", in8, "\x00\x00\x00\x00\x00\x00\xff\xff"),
		bad("6", "2^63", in8, "\x80\x00\x00\x00\x00\x00\x00\x00"),
		bad("7", "2^64-1", in8, "\xff\xff\xff\xff\xff\xff\xff\xff"),
		breaks(1002, "length.8", "2^63 octet by octet", octets(head{b0: fin | opText, length: in8, extended: "\x80\x00\x00\x00\x00\x00\x00\x00"})),
		breaks(1002, "length.9", "a ping of 5 bytes in two", send(head{b0: fin | opPing, length: in2, extended: "\x00\x05"})),
		breaks(1002, "length.10", "a ping of 126 bytes of which the head came", send(head{b0: fin | opPing, length: in2, extended: "\x00\x7e"})),
		breaks(1002, "length.11", "5 in two bytes, in the rest of a message", send(first("a"), head{b0: fin, length: in2, extended: "\x00\x05"})),
		breaks(1002, "length.12", "2^63 after a good message", together(text(hello), head{b0: fin | opText, length: in8, extended: "\x80\x00\x00\x00\x00\x00\x00\x00"}), getsText(hello)),
		breaks(1009, "length.13", "2^63-1 is a length, but too long", send(head{b0: fin | opBinary, length: in8, extended: "\x7f\xff\xff\xff\xff\xff\xff\xff"})),
		holds("length.14", "126 in two bytes", send(head{b0: fin | opBinary, length: in2, extended: "\x00\x7e", payload: bytesOf(126)}), getsBinary(bytesOf(126))),
		holds("length.15", "65536 in eight bytes", send(head{b0: fin | opBinary, length: in8, extended: "\x00\x00\x00\x00\x00\x01\x00\x00", payload: bytesOf(65536)}), getsBinary(bytesOf(65536))),
	}
}

// limitCases are about a message that is too large: it is refused as soon as that
// shows (RFC 6455, 7.4.1 and 10.4).
func limitCases() []testCase {
	exact := pattern(1000)
	ones := func(n int) piece { return fragments{opBinary, pattern(n), 1} }
	all := with(setup{maxMessage: 1000},
		holds("limit.1", "a message of the limit", send(text(exact)), getsText(exact)),
		breaks(1009, "limit.2", "a byte more", send(text(pattern(1001)))),
		breaks(1009, "limit.3", "a byte more, of which the head came", send(head{b0: fin | opBinary, length: 126, extended: "\x03\xe9"})),
		breaks(1009, "limit.4", "a byte more, of which the beginning came", send(head{b0: opBinary, length: 126, extended: "\x03\xe9", payload: "abc"})),
		breaks(1009, "limit.5", "a byte more after a good message, and a ping",
			together(text(exact), binry(pattern(1001)), ping("")), getsText(exact)),
		holds("limit.6", "fragments of the limit", send(first(exact[:400]), middle(exact[400:]), last("")), getsText(exact)),
		breaks(1009, "limit.7", "fragments of a byte more", send(first(exact[:400]), last(exact[400:]+"+"))),
		breaks(1009, "limit.8", "fragments of a byte more, of which the last one's head came",
			send(first(exact[:400]), head{b0: 0, length: 126, extended: "\x02\x59"})),
		breaks(1009, "limit.9", "fragments of a byte", send(ones(1001))),
		holds("limit.10", "as many as may be", send(ones(1000)), getsBinary(exact)),
		holds("limit.11", "control frames do not count", send(first(exact[:999]), ping(exact[:125]), pong(exact[:125]), last("+")),
			getsPong(exact[:125]), getsText(exact[:999]+"+")),
		holds("limit.12", "messages do not add up", together(text(exact), text(exact), text(exact)), getsText(exact), getsText(exact), getsText(exact)),
		breaks(1009, "limit.13", "a tebibyte", send(head{b0: fin | opBinary, length: 127, extended: "\x00\x00\x01\x00\x00\x00\x00\x00"})),
	)
	return append(all, with(setup{},
		breaks(1009, "limit.14", "a byte more than 16 MiB, of which the head came",
			send(head{b0: fin | opBinary, length: 127, extended: "\x00\x00\x00\x00\x01\x00\x00\x01"})),
		breaks(1009, "limit.15", "frames of 1 MiB that become too much", send(fragments{opText, pattern(16<<20 + 1), 1 << 20})),
	)...)
}

// sendingCases are about what the echo sends, as its options have it.
func sendingCases() []testCase {
	deflated := setup{
		maxFrame: 1000,
		offer:    "permessage-deflate; client_no_context_takeover; server_no_context_takeover",
		answer:   "permessage-deflate; client_no_context_takeover; server_no_context_takeover",
	}
	kept := setup{frames: true}
	packeted := setup{maxPacket: 1000, takeover: true, offer: "permessage-deflate", answer: "permessage-deflate"}
	one := func(p string) step { return gets(event{op: opBinary, data: p, frames: 1, most: len(p)}) }
	return slices.Concat(
		with(setup{maxFrame: 1000},
			holds("sending.1", "a message of the frame's limit is one frame", send(binry(pattern(1000))), one(pattern(1000))),
			holds("sending.2", "a byte more is two", send(binry(pattern(1001))), gets(event{op: opBinary, data: pattern(1001), frames: 2, most: 1000})),
			holds("sending.3", "64 KiB are 66", send(text(pattern(1<<16))), gets(event{op: opText, data: pattern(1 << 16), frames: 66, most: 1000})),
		),
		with(deflated, holds("sending.4", "64 KiB, compressed, are more than one",
			send(zipped{op: opText, payload: pattern(1 << 16)}), getsText(pattern(1<<16)), func(l *link) error {
				if l.latest.frames < 2 || l.latest.most > 1000 || !l.latest.zipped {
					return fmt.Errorf("%d frames of up to %d bytes, compressed: %t", l.latest.frames, l.latest.most, l.latest.zipped)
				}
				return nil
			})),
		with(kept,
			holds("sending.5", "each frame comes back by itself", send(frame{b0: opBinary, payload: "a"}), inFrame(opBinary, "a"),
				send(middle("bc")), inFrame(opMore, "bc"), send(last("d")), inFrame(fin|opMore, "d"), send(text("e")), inFrame(fin|opText, "e")),
			breaks(1007, "sending.6", "text is checked over frames that come back by themselves",
				send(first("caf\xc3")), inFrame(opText, "caf\xc3"), send(last("a"))),
		),
		with(setup{maxPacket: 1000},
			holds("sending.9", "a message of a packet is a frame", send(text(pattern(1000))), gets(event{op: opText, data: pattern(1000), frames: 1, most: 1000})),
			holds("sending.10", "a message comes back packet by packet", send(first(pattern(1500)), ping("")), getsPong(""), inFrame(opText, pattern(1000)),
				send(last(strings.Repeat("€", 500))), func(l *link) error {
					return rest(l, pattern(1500)[1000:]+strings.Repeat("€", 500))
				}),
			holds("sending.11", "packets end inside a character", send(fragments{opText, strings.Repeat("€", 5000), 7}), getsText(strings.Repeat("€", 5000))),
			breaks(1007, "sending.12", "text is checked over packets", send(first(pattern(1200))), inFrame(opText, pattern(1000)), send(last("\xff"))),
		),
		with(packeted,
			holds("sending.13", "packets of what was compressed", send(zipped{op: opText, payload: pattern(100_000)}),
				gets(event{op: opText, data: pattern(100_000), zipped: true})),
		),
		with(setup{anyText: true},
			holds("sending.7", "text that is not UTF-8, where it may be so", send(text("a\xff")), getsText("a\xff")),
			breaks(1007, "sending.8", "a reason that is not UTF-8 may not", send(closing(1000, "a\xff"))),
		),
	)
}

// rest is the rest of a message of which some frames have been read.
func rest(l *link, payload string) error {
	for {
		b0, b, err := l.readFrame()
		if err != nil {
			return err
		}
		if b0&15 != opMore || !strings.HasPrefix(payload, string(b)) {
			return fmt.Errorf("want a part of the rest, got %#x %.80q", b0, b)
		}
		if payload = payload[len(b):]; b0&fin != 0 {
			if payload != "" {
				return fmt.Errorf("%d bytes are missing", len(payload))
			}
			return nil
		}
	}
}

// inFrame is one data frame, of a message or the whole.
func inFrame(b0 byte, payload string) step {
	return func(l *link) error {
		got, b, err := l.readFrame()
		if err != nil {
			return err
		}
		if got != b0 || string(b) != payload {
			return fmt.Errorf("want a frame %#x %q, got %#x %q", b0, payload, got, b)
		}
		return nil
	}
}

// zippedCases are about permessage-deflate beside its agreement (RFC 7692, 6 and 7).
func zippedCases() []testCase {
	// packed is a whole message of these compressed bytes.
	packed := func(b string) piece { return frame{b0: fin | rsv1 | opText, payload: b} }
	zip := func(s string) piece { return zipped{op: opText, payload: s} }
	kept := setup{takeover: true, offer: "permessage-deflate", answer: "permessage-deflate"}
	alone := setup{
		offer:  "permessage-deflate; client_no_context_takeover; server_no_context_takeover",
		answer: "permessage-deflate; client_no_context_takeover; server_no_context_takeover",
	}
	narrow := setup{
		takeover: true,
		offer:    "permessage-deflate; client_max_window_bits=9; server_max_window_bits=9",
		answer:   "permessage-deflate; client_max_window_bits=9; server_max_window_bits=9",
	}
	small := func(n int64) setup {
		s := alone
		s.maxMessage = n
		return s
	}
	const (
		helloAgain = "\xf2\x00\x11\x00\x00"             // 7692, 7.2.3.2: refers to what was before
		bfinal     = "\xf3\x48\xcd\xc9\xc9\x07\x00\x00" // 7.2.3.4
		reserved   = "\x06"                             // a block of the type that there is not
	)
	long := pattern(5000)
	var all []testCase
	for _, how := range []setup{kept, alone} {
		word := " kept"
		if !how.takeover {
			word = " alone"
		}
		all = append(all, with(how,
			holds("deflate.1"+word, "a compressed message", send(zip(long)), gets(event{op: opText, data: long, zipped: true})),
			holds("deflate.2"+word, "a plain message among compressed ones", send(zip(long), text(long), zip(long)), getsText(long), getsText(long), getsText(long)),
			holds("deflate.3"+word, "compressed fragments with pings between them",
				send(frame{b0: rsv1 | opText, payload: "\xf2\x48"}, ping("1"), middle("\xcd\xc9"), ping("2"), last("\xc9\x07\x00")),
				getsPong("1"), getsPong("2"), getsText("Hello")),
			holds("deflate.4"+word, "compressed fragments, octet by octet", octets(zipped{op: opBinary, payload: long, size: 100}), getsBinary(long)),
			holds("deflate.5"+word, "empty fragments around compressed bytes",
				send(frame{b0: rsv1 | opText}, middle("\xf2\x48\xcd\xc9\xc9\x07\x00"), last("")), getsText("Hello")),
			holds("deflate.6"+word, "the RFC's message in a stored block", send(packed("\x00\x05\x00\xfa\xffHello\x00")), getsText("Hello")),
			holds("deflate.7"+word, "the RFC's message in two blocks", send(packed("\xf2\x48\x05\x00\x00\x00\xff\xff\xca\xc9\xc9\x07\x00")), getsText("Hello")),
			holds("deflate.8"+word, "the RFC's message in a last block", send(packed(bfinal)), getsText("Hello")),
			holds("deflate.9"+word, "a message after a last block", send(packed(bfinal), zip("Hello")), getsText("Hello"), getsText("Hello")),
			holds("deflate.10"+word, "an empty message of one byte", send(packed("\x00")), getsText("")),
			holds("deflate.11"+word, "an empty message of no byte", send(packed("")), getsText("")),
			holds("deflate.12"+word, "plain fragments", send(first("a"), ping(""), last("b")), getsPong(""), getsText("ab")),
			breaks(1002, "deflate.13"+word, "RSV1 on a ping", send(frame{b0: fin | rsv1 | opPing, payload: "a"})),
			breaks(1002, "deflate.14"+word, "RSV1 on a pong", send(frame{b0: fin | rsv1 | opPong, payload: "a"})),
			breaks(1002, "deflate.15"+word, "RSV1 on a close", send(frame{b0: fin | rsv1 | opClose, payload: "\x03\xe8"})),
			breaks(1002, "deflate.16"+word, "RSV1 on the end of a plain message", send(first("a"), frame{b0: fin | rsv1, payload: "\x00"})),
			breaks(1002, "deflate.17"+word, "RSV1 on the end of a compressed message",
				send(frame{b0: rsv1 | opText, payload: "\xf2\x48\xcd"}, frame{b0: fin | rsv1, payload: "\xc9\xc9\x07\x00"})),
			breaks(1002, "deflate.18"+word, "RSV2 on a compressed message", send(frame{b0: fin | rsv1 | rsv2 | opText, payload: "\x00"})),
			breaks(1002, "deflate.19"+word, "RSV3 on a compressed message", send(frame{b0: fin | rsv1 | rsv3 | opText, payload: "\x00"})),
			breaks(1002, "deflate.20"+word, "RSV2 on a plain message", send(frame{b0: fin | rsv2 | opText, payload: "a"})),
			breaks(1007, "deflate.21"+word, "a block of no type", send(packed(reserved))),
			breaks(1007, "deflate.22"+word, "a block of no type, in a message that goes on", send(frame{b0: rsv1 | opText, payload: reserved})),
			breaks(1007, "deflate.23"+word, "a stored block whose lengths differ", send(packed("\x00\x05\x00\xfa\xfeHello\x00"))),
			breaks(1007, "deflate.24"+word, "a stored block that is cut", send(packed("\x00\x05\x00\xfa\xffHel"))),
			breaks(1007, "deflate.25"+word, "a block that is cut", send(packed("\xf2\x48"))),
			breaks(1007, "deflate.26"+word, "bytes from before the beginning", send(packed(helloAgain))),
			breaks(1007, "deflate.27"+word, "text that is not UTF-8 behind the compression", send(zip("Hello\xff"))),
			breaks(1007, "deflate.28"+word, "text that ends inside a character behind the compression", send(zip("caf\xc3"))),
			breaks(1007, "deflate.29"+word, "corrupt data after a good message, and a ping",
				together(zip(hello), packed(reserved), ping("")), getsText(hello)),
			breaks(1007, "deflate.30"+word, "text that is not UTF-8, in a compressed message that goes on",
				send(frame{b0: rsv1 | opText, payload: "\x00\x02\x00\xfd\xffa\xff"})),
			holds("deflate.31"+word, "a compressed mebibyte of binary", send(zipped{op: opBinary, payload: pattern(1 << 20), size: 0}), getsBinary(pattern(1<<20))),
		)...)
	}
	all = append(all, with(kept,
		holds("deflate.40", "a message that refers to the one before", send(packed("\xf2\x48\xcd\xc9\xc9\x07\x00"), packed(helloAgain)), getsText("Hello"), getsText("Hello")),
		holds("deflate.41", "a message that refers over a plain one", send(packed("\xf2\x48\xcd\xc9\xc9\x07\x00"), text("plain"), packed(helloAgain)),
			getsText("Hello"), getsText("plain"), getsText("Hello")),
	)...)
	all = append(all, with(alone,
		breaks(1007, "deflate.42", "a message that refers to the one before, against the agreement",
			send(packed("\xf2\x48\xcd\xc9\xc9\x07\x00"), packed(helloAgain)), getsText("Hello")),
	)...)
	all = append(all, with(narrow,
		holds("deflate.43", "a window of 512 bytes", send(zip(long), zip(long), zip(long[:700])), getsText(long), getsText(long), getsText(long[:700])),
		holds("deflate.44", "a message that refers back by the whole window", send(packed(referring(600, 512))), getsText(pattern(600)+pattern(600)[600-512:][:3])),
		breaks(1007, "deflate.45", "a message that refers back by a byte more", send(packed(referring(600, 513)))),
	)...)
	all = append(all, with(small(64<<10),
		holds("deflate.50", "a message that inflates to the limit", send(zip(strings.Repeat("a", 64<<10))), getsText(strings.Repeat("a", 64<<10))),
		breaks(1009, "deflate.51", "a message that inflates to a byte more", send(zip(strings.Repeat("a", 64<<10+1)))),
		breaks(1009, "deflate.52", "a bomb of 16 MiB", send(zip(strings.Repeat("a", 16<<20)))),
		breaks(1009, "deflate.53", "a bomb in fragments of a byte", send(zipped{op: opText, payload: strings.Repeat("a", 1<<20), size: 1})),
		breaks(1009, "deflate.54", "a bomb that goes on", send(zipped{op: opText, payload: strings.Repeat("a", 1<<20), open: true})),
		breaks(1009, "deflate.55", "a bomb after a good message", together(zip(hello), zip(strings.Repeat("a", 1<<20)), ping("")), getsText(hello)),
		breaks(1009, "deflate.56", "compressed bytes that cannot fit, of which the head came",
			send(head{b0: fin | rsv1 | opBinary, length: 127, extended: "\x00\x00\x00\x00\x00\x10\x00\x00"})),
		breaks(1009, "deflate.57", "a plain message that is too large", send(head{b0: fin | opBinary, length: 127, extended: "\x00\x00\x00\x00\x00\x01\x00\x01"})),
	)...)
	return all
}

// referring is n bytes of the pattern, compressed, and three more that lie so far
// back.
func referring(n, back int) string {
	var w bitWriter
	w.bits(2, 3)
	for _, c := range []byte(pattern(n)) {
		w.literal(int(c))
	}
	w.match(3, back)
	w.literal(256)
	w.bits(0, 3)
	w.align()
	return string(w.b)
}
