package ws_test

import (
	"bytes"
	"errors"
	"fmt"
	"slices"
	"testing"

	"github.com/leat-dev/leat/internal/wire/ws"
)

// model tells the story of b that story tells, frame by frame, by the letter of
// RFC 6455 and without regard for speed. Of an error it tells the code.
func model(o ws.ReaderOptions, b []byte) (told []string, code int) {
	var msg []byte
	kind, zipped, begun, announced := 0, false, false, uint64(0)
	kinds := []string{"continuation", "text", "binary", 8: "close", 9: "ping", 10: "pong"}
	for len(b) > 0 {
		fin, rsv1, op := b[0]&0x80 != 0, b[0]&0x40 != 0, int(b[0]&15)
		control := op >= 8
		if b[0]&0x30 != 0 || rsv1 && (!o.Deflate || op == 0 || control) || op > 10 || op > 2 && op < 8 {
			return told, 1002
		}
		if control && !fin || op == 0 && kind == 0 || op != 0 && !control && kind != 0 {
			return told, 1002
		}
		if len(b) == 1 {
			break
		}
		masked, length := b[1]&0x80 != 0, uint64(b[1]&0x7f)
		if masked != o.Server || control && length > 125 {
			return told, 1002
		}
		at, least := 2, uint64(0)
		if n := map[uint64]int{126: 2, 127: 8}[length]; n > 0 {
			if len(b) < 2+n {
				break
			}
			length, least, at = 0, map[int]uint64{2: 126, 8: 65536}[n], 2+n
			for _, c := range b[2:at] {
				length = length<<8 | uint64(c)
			}
		}
		if length < least || length>>63 == 1 {
			return told, 1002
		}
		if !control {
			if op != 0 {
				announced, zipped = 0, rsv1
			}
			limit := uint64(o.MaxMessage)
			if zipped {
				limit += limit/8 + 1024
			}
			if announced += length; o.MaxMessage > 0 && announced > limit {
				return told, 1009
			}
		}
		var k ws.Key
		if masked {
			if len(b) < at+4 {
				break
			}
			k, at = ws.Key(b[at:at+4]), at+4
		}
		n := int(min(length, uint64(len(b)-at)))
		payload, whole := slowMask(b[at:at+n], k), uint64(n) == length
		b = b[at+n:]
		if control {
			if !whole {
				break
			}
			if op == 8 {
				if code := modelClose(payload); code != 0 {
					return told, code
				}
			}
			told = append(told, fmt.Sprintf("%s %q", kinds[op], payload))
			if op == 8 {
				b = nil
			}
			continue
		}
		begun = true
		if op != 0 {
			kind = op
		}
		msg = append(msg, payload...)
		last := fin && whole
		if kind == 1 && !zipped && !o.AnyText && (firstWrong(msg) < len(msg) || last && !bytes.Equal(msg, bytes.ToValidUTF8(msg, []byte("?")))) {
			return told, 1007
		}
		if last {
			told = append(told, fmt.Sprintf("%s %q compressed=%v", kinds[kind], msg, zipped))
			kind, msg, begun = 0, nil, false
		}
	}
	if begun {
		told = append(told, fmt.Sprintf("begun %q", msg))
	}
	return told, 0
}

func modelClose(p []byte) (code int) {
	if len(p) == 0 {
		return 0
	}
	if len(p) == 1 {
		return 1002
	}
	switch c := int(p[0])<<8 | int(p[1]); {
	case c < 1000, c > 1003 && c < 1007, c > 1014 && c < 3000, c > 4999:
		return 1002
	}
	if !bytes.Equal(p[2:], bytes.ToValidUTF8(p[2:], []byte("?"))) {
		return 1007
	}
	return 0
}

// cutAt cuts b at the places that the bytes of where name.
func cutAt(b, where []byte) (cuts [][]byte) {
	for _, w := range where {
		n := min(int(w), len(b))
		cuts = append(cuts, b[:n])
		b = b[n:]
	}
	return append(cuts, b)
}

// The Reader and the model tell the same story, whatever the bytes and the cuts.
func FuzzReader(f *testing.F) {
	for _, rule := range rules {
		o := rule.options
		f.Add(frames(false, rule.frames...), []byte{1, 2, 3}, false, o.Deflate, o.AnyText, o.MaxMessage)
		f.Add(frames(true, rule.frames...), []byte{2, 1, 5, 1}, true, o.Deflate, o.AnyText, o.MaxMessage)
	}
	f.Add([]byte("\x82\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01\x02\x03\x04"), []byte{}, true, false, false, int64(100))
	f.Fuzz(func(t *testing.T, b, where []byte, server, deflate, anyText bool, limit int64) {
		o := ws.ReaderOptions{Server: server, Deflate: deflate, AnyText: anyText, MaxMessage: limit % (1 << 40)}
		b = b[:min(len(b), 1<<10)]
		want, code := model(o, b)
		if code != 0 {
			want = append(want, fmt.Sprint(code))
		}
		for _, cuts := range [][][]byte{{b}, cutAt(b, where)} {
			got := story(o, cuts...)
			if code != 0 && len(got) > 0 {
				got[len(got)-1] = got[len(got)-1][:min(4, len(got[len(got)-1]))]
			}
			if !slices.Equal(got, want) {
				t.Fatalf("% x:\n got %q\nwant %q", b, got, want)
			}
		}
		checkYield(t, o, cutAt(b, where))
	})
}

// checkYield checks that a Reader yields no more than it is given, and that an
// error stays.
func checkYield(t *testing.T, o ws.ReaderOptions, cuts [][]byte) {
	t.Helper()
	r := ws.NewReader(o)
	given, yielded := 0, 0
	var failed error
	for _, cut := range cuts {
		given += len(cut)
		cut = bytes.Clone(cut)
		for {
			before := len(cut)
			ev, rest, err := r.Next(cut)
			if failed != nil && !errors.Is(err, failed) {
				t.Fatalf("after %v: %v", failed, err)
			}
			if failed = err; len(rest) > before || len(rest) == before && ev.Kind != ws.More {
				t.Fatalf("%+v took nothing of %d bytes", ev, before)
			}
			yielded += len(ev.Payload)
			if cut = rest; ev.Kind == ws.More {
				break
			}
		}
	}
	if yielded > given {
		t.Fatalf("%d bytes of %d", yielded, given)
	}
}
