package protocol_test

import (
	"cmp"
	"fmt"
	"strings"
)

func closeCases() []testCase {
	// closed is a case that has ended in order after its steps.
	closed := func(id, name string, code int, parts ...any) testCase {
		return testCase{id: id, name: name, steps: append(parts, getsClose(code), ends), code: cmp.Or(code, 1005)}
	}
	big := pattern(256 << 10)
	empty := frame{b0: fin | opClose}
	all := []testCase{
		holds("7.1.1", "a message, then a close", send(text(hello)), getsText(hello)),
		closed("7.1.1 together", "a message and a close in one write", 1000, together(text(hello), closing(1000, "")), getsText(hello)),
		closed("7.1.2", "two closes", 1000, together(closing(1000, ""), empty)),
		closed("7.1.3", "a ping after the close", 1000, together(closing(1000, ""), ping(""))),
		closed("7.1.4", "text after the close", 1000, together(closing(1000, ""), text(hello))),
		closed("7.1.5", "a close inside a message", 1000, together(first("fragment1"), closing(1000, ""), last("fragment2"))),
		closed("7.1.6", "256 KiB, a message, a close and a ping", 1000,
			together(text(big), text(hello), closing(1000, ""), ping("")), getsText(big), getsText(hello)),
		closed("7.1.6 frames", "256 KiB, a message, a close and a ping, frame by frame", 1000,
			send(text(big), text(hello), closing(1000, ""), ping("")), getsText(big), getsText(hello)),
		closed("7.1.4 garbage", "bytes that are no frame after the close", 1000, together(closing(1000, ""), raw("\xff\xff\xff\xffGET / HTTP/1.1\r\n\r\n"))),
		closed("7.1.4 much", "a mebibyte after the close", 1000, together(closing(1000, ""), binry(pattern(1<<20)))),
		closed("7.3.1", "an empty close", 0, send(empty)),
		breaks(1002, "7.3.2", "a close of one byte", send(frame{b0: fin | opClose, payload: "a"})),
		closed("7.3.3", "a close with a code", 1000, send(closing(1000, ""))),
		closed("7.3.4", "a close with a reason", 1000, send(closing(1000, hello))),
		closed("7.3.5", "a close with a reason of 123 bytes", 1000, send(closing(1000, strings.Repeat("*", 123)))),
		breaks(1002, "7.3.6", "a close with a reason of 124 bytes", send(closing(1000, strings.Repeat("*", 124)))),
		closed("7.3.4 octets", "a close, octet by octet", 1000, octets(closing(1000, hello))),
		breaks(1007, "7.5.1", "a reason that is not UTF-8", send(closing(1000, kosme+"\xed\xa0\x80edited"))),
		breaks(1007, "7.5.1 cut", "a reason that ends inside a character", send(closing(1000, "caf\xc3"))),
		breaks(1002, "7.5.1 code", "a code that is wrong, and a reason that is not UTF-8", send(closing(1005, "\xff"))),
	}
	for i, code := range []int{1000, 1001, 1002, 1003, 1007, 1008, 1009, 1010, 1011, 3000, 3999, 4000, 4999, 1012, 1013, 1014} {
		id := fmt.Sprintf("7.7.%d", i+1)
		all = append(
			all,
			closed(id, fmt.Sprintf("close %d", code), code, send(closing(code, ""))),
			closed(id+" reason", fmt.Sprintf("close %d with a reason", code), code, send(closing(code, "¡adiós!"))),
		)
	}
	for i, code := range []int{0, 999, 1004, 1005, 1006, 1016, 1100, 2000, 2999, 1015} {
		all = append(all, breaks(1002, fmt.Sprintf("7.9.%d", i+1), fmt.Sprintf("close %d", code), send(closing(code, ""))))
	}
	for i, code := range []int{5000, 65535} {
		all = append(all, breaks(1002, fmt.Sprintf("7.13.%d", i+1), fmt.Sprintf("close %d", code), send(closing(code, ""))))
	}
	stays := closed("7.1.1 waits", "the client leaves the end of TCP to its server", 1000, send(closing(1000, "")))
	stays.steps = steps{send(closing(1000, "")), getsClose(1000), quiet, ends}
	stays.only = asClient
	return append(all, stays)
}
