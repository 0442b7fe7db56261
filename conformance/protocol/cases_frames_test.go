package protocol_test

import (
	"fmt"
	"strings"
)

const hello = "Hello, world!"

// bytesOf is n bytes that are no text.
func bytesOf(n int) string { return strings.Repeat("\xfe", n) }

func framingCases() []testCase {
	var all []testCase
	for i, n := range []int{0, 125, 126, 127, 128, 65535, 65536} {
		all = append(
			all,
			holds(fmt.Sprintf("1.1.%d", i+1), fmt.Sprintf("text of %d bytes", n), send(text(pattern(n))), getsText(pattern(n))),
			holds(fmt.Sprintf("1.2.%d", i+1), fmt.Sprintf("binary of %d bytes", n), send(binry(bytesOf(n))), getsBinary(bytesOf(n))),
			holds(fmt.Sprintf("1.1.%d octets", i+1), fmt.Sprintf("text of %d bytes, 1 to 31 at a time", n),
				chopped(1+n/2200, text(pattern(n))), getsText(pattern(n))),
		)
	}
	return append(
		all,
		holds("1.1.8", "text of 65536 bytes, 997 at a time", chopped(997, text(pattern(65536))), getsText(pattern(65536))),
		holds("1.2.8", "binary of 65536 bytes, 997 at a time", chopped(997, binry(bytesOf(65536))), getsBinary(bytesOf(65536))),
	)
}

func pingCases() []testCase {
	var pings []piece
	var pongs steps
	for i := range 10 {
		p := fmt.Sprintf("payload-%d", i)
		pings = append(pings, ping(p))
		pongs = append(pongs, getsPong(p))
	}
	odd := "\x00\xff\xfe\xfd\xfc\xfb\x00\xff"
	return []testCase{
		holds("2.1", "an empty ping", send(ping("")), getsPong("")),
		holds("2.2", "a ping with text", send(ping(hello)), getsPong(hello)),
		holds("2.3", "a ping with bytes that are no text", send(ping(odd)), getsPong(odd)),
		holds("2.4", "a ping of 125 bytes", send(ping(bytesOf(125))), getsPong(bytesOf(125))),
		breaks(1002, "2.5", "a ping of 126 bytes", send(ping(bytesOf(126)))),
		holds("2.6", "a ping of 125 bytes, octet by octet", octets(ping(bytesOf(125))), getsPong(bytesOf(125))),
		holds("2.7", "an empty pong that nobody asked for", send(pong(""))),
		holds("2.8", "a pong that nobody asked for", send(pong("unsolicited pong payload"))),
		holds("2.9", "such a pong, and a ping", send(pong("unsolicited"), ping("ping payload")), getsPong("ping payload")),
		holds("2.10", "ten pings", send(pings...), pongs),
		holds("2.11", "ten pings, octet by octet", octets(pings...), pongs),
		holds("2.10 together", "ten pings in one write", together(pings...), pongs),
		breaks(1002, "2.5 pong", "a pong of 126 bytes", send(pong(bytesOf(126)))),
	}
}

func reservedCases() []testCase {
	bad := func(b0 byte) piece { return frame{b0: fin | b0, payload: hello} }
	echo := getsText(hello)
	all := []testCase{
		breaks(1002, "3.1", "RSV 1, of three bits", send(bad(rsv3|opText))),
		breaks(1002, "3.2", "RSV 2 after a good message, and a ping", together(text(hello), bad(rsv2|opText), ping("")), echo),
		breaks(1002, "3.3", "RSV 3, frame by frame", send(text(hello), bad(rsv2|rsv3|opText), ping("")), echo),
		breaks(1002, "3.4", "RSV 4, octet by octet", octets(text(hello), bad(rsv1|opText), ping("")), echo),
		breaks(1002, "3.5", "RSV 5 on binary", send(bad(rsv1|rsv3|opBinary))),
		breaks(1002, "3.6", "RSV 6 on a ping", send(bad(rsv1|rsv2|opPing))),
		breaks(1002, "3.7", "RSV 7 on a close", send(frame{b0: fin | rsv1 | rsv2 | rsv3 | opClose})),
	}
	for i, rsv := range []byte{rsv3, rsv2, rsv1} {
		name := fmt.Sprintf("RSV %d on ", 1<<i)
		all = append(
			all,
			breaks(1002, fmt.Sprintf("3.6 %d", i), name+"a pong", send(bad(rsv|opPong))),
			breaks(1002, fmt.Sprintf("3.5 %d", i), name+"a continuation", send(first(hello), frame{b0: fin | rsv | opMore})),
			breaks(1002, fmt.Sprintf("3.1 %d", i), name+"text of which nothing but the first byte came", send(raw([]byte{fin | rsv | opText}))),
		)
	}
	return all
}

func opcodeCases() []testCase {
	var all []testCase
	for i, op := range []byte{3, 4, 5, 6, 7, 11, 12, 13, 14, 15} {
		id, name := fmt.Sprintf("4.%d.%d", 1+i/5, 1+i%5), fmt.Sprintf("opcode %d", op)
		empty, full := frame{b0: fin | op}, frame{b0: fin | op, payload: "reserved opcode payload"}
		switch i % 5 {
		case 0:
			all = append(all, breaks(1002, id, name, send(empty)))
		case 1:
			all = append(all, breaks(1002, id, name+" with a payload", send(full)))
		case 2:
			all = append(all, breaks(1002, id, name+" after a good message, and a ping", together(text(hello), empty, ping("")), getsText(hello)))
		case 3:
			all = append(all, breaks(1002, id, name+" with a payload after a good message, and a ping", send(text(hello), full, ping("")), getsText(hello)))
		case 4:
			all = append(all, breaks(1002, id, name+" with a payload after a good message, octet by octet", octets(text(hello), full, ping("")), getsText(hello)))
		}
		all = append(
			all,
			breaks(1002, id+" inside", name+" inside a message", send(first(hello), empty)),
			breaks(1002, id+" byte", name+", of which nothing but the first byte came", send(raw([]byte{fin | op}))),
		)
	}
	return all
}

func fragmentCases() []testCase {
	a, b := first("fragment1"), last("fragment2")
	echo := getsText("fragment1fragment2")
	stray := "non-continuation payload"
	openPing, openPong := frame{b0: opPing, payload: "fragment1"}, frame{b0: opPong, payload: "fragment1"}
	five := func(how func(...piece) step) []any {
		return []any{
			how(first("fragment1"), middle("fragment2"), ping("ping1")), getsPong("ping1"),
			how(middle("fragment3"), middle("fragment4"), ping("ping2")), getsPong("ping2"),
			how(last("fragment5")), getsText("fragment1fragment2fragment3fragment4fragment5"),
		}
	}
	return []testCase{
		breaks(1002, "5.1", "a ping in two fragments", together(openPing, b)),
		breaks(1002, "5.2", "a pong in two fragments", together(openPong, b)),
		holds("5.3", "text in two fragments", together(a, b), echo),
		holds("5.4", "text in two fragments, frame by frame", send(a, b), echo),
		holds("5.5", "text in two fragments, octet by octet", octets(a, b), echo),
		holds("5.6", "a ping between two fragments", together(a, ping("ping payload"), b), getsPong("ping payload"), echo),
		holds("5.7", "a ping between two fragments, frame by frame", send(a, ping("ping payload"), b), getsPong("ping payload"), echo),
		holds("5.8", "a ping between two fragments, octet by octet", octets(a, ping("ping payload"), b), getsPong("ping payload"), echo),
		breaks(1002, "5.9", "the end of no message, and text", together(last(stray), text(hello))),
		breaks(1002, "5.10", "the end of no message, and text, frame by frame", send(last(stray), text(hello))),
		breaks(1002, "5.11", "the end of no message, and text, octet by octet", octets(last(stray), text(hello))),
		breaks(1002, "5.12", "the middle of no message, and text", together(middle(stray), text(hello))),
		breaks(1002, "5.13", "the middle of no message, and text, frame by frame", send(middle(stray), text(hello))),
		breaks(1002, "5.14", "the middle of no message, and text, octet by octet", octets(middle(stray), text(hello))),
		breaks(1002, "5.15", "the middle of no message after a good one", together(a, b, middle("fragment3"), text("fragment4")), echo),
		breaks(1002, "5.16", "the middle of no message before a good one, twice",
			together(middle("1"), first("2"), last("3"), middle("1"), first("2"), last("3"))),
		breaks(1002, "5.17", "the end of no message before a good one, twice",
			together(last("1"), first("2"), last("3"), last("1"), first("2"), last("3"))),
		breaks(1002, "5.18", "text inside text", together(a, text("fragment2"))),
		holds("5.19", "pings among five fragments are answered at once", five(together)...),
		holds("5.20", "pings among five fragments are answered at once, frame by frame", five(send)...),
		holds("5.20 octets", "pings among five fragments are answered at once, octet by octet", five(octets)...),
		breaks(1002, "5.18 binary", "binary inside text", send(a, binry("fragment2"))),
		breaks(1002, "5.18 open", "the beginning of text inside text", send(a, first("fragment2"))),
		breaks(1002, "5.1 close", "a close in two fragments", send(frame{b0: opClose, payload: "\x03\xe8"}, last(""))),
		breaks(1002, "5.1 byte", "a fragmented ping of which nothing but the first byte came", send(raw([]byte{opPing}))),
		holds("5.8 pong", "a pong between two fragments", send(a, pong("asked by nobody"), b), echo),
		holds("5.3 binary", "binary in fragments, some empty",
			send(frame{b0: opBinary}, middle("\xff"), middle(""), middle("\xfe"), last("")), getsBinary("\xff\xfe")),
		holds("5.3 twice", "two messages in fragments, one behind the other", together(a, b, a, b), echo, echo),
	}
}

func autoFragmentCases() []testCase {
	return []testCase{
		holds("10.1.1", "text of 65536 bytes in frames of 1300",
			send(fragments{opText, pattern(65536), 1300}), getsText(pattern(65536))),
	}
}
