package deflate_test

import (
	"bytes"
	"compress/flate"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"unsafe"

	"github.com/leat-dev/leat/internal/deflate"
)

// inflate gives a message in these pieces to f and answers what comes out.
func inflate(f *deflate.Inflater, pieces ...[]byte) ([]byte, error) {
	defer f.Release()
	var all []byte
	for i, src := range pieces {
		for more := true; more; {
			var out []byte
			var err error
			if out, src, more, err = f.Next(src, i == len(pieces)-1); err != nil {
				return all, err
			}
			all = append(all, out...)
		}
		if len(src) > 0 {
			return all, errors.New("there is a rest and no more to come")
		}
	}
	return all, nil
}

// everyCut inflates b whole, byte by byte and in two at every place, with and
// without an empty piece at the end.
func everyCut(t *testing.T, b []byte) (string, error) {
	t.Helper()
	fresh := func() *deflate.Inflater {
		f := deflate.NewInflater(false, 15, 0)
		return &f
	}
	want, wantErr := inflate(fresh(), b)
	check := func(how string, pieces ...[]byte) {
		t.Helper()
		got, err := inflate(fresh(), pieces...)
		if (err == nil) != (wantErr == nil) || err == nil && !bytes.Equal(got, want) {
			t.Fatalf("% x %s: %q, %v; whole %q, %v", b, how, got, err, want, wantErr)
		}
	}
	for i := range b {
		check(fmt.Sprint("cut at ", i), b[:i], b[i:])
	}
	check("byte by byte", slices.Collect(slices.Chunk(b, 1))...)
	check("with an empty end", b, nil)
	return string(want), wantErr
}

func unhex(t testing.TB, s string) []byte {
	t.Helper()
	b, err := hex.DecodeString(strings.ReplaceAll(s, " ", ""))
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func TestInflaterReadsTheExamplesOfRFC7692(t *testing.T) {
	for _, c := range []struct{ name, hex, want string }{
		{"7.2.3.1 one block", "f2 48 cd c9 c9 07 00", "Hello"},
		{"7.2.3.3 no compression", "00 05 00 fa ff 48 65 6c 6c 6f 00", "Hello"},
		{"7.2.3.4 BFINAL", "f3 48 cd c9 c9 07 00 00", "Hello"},
		{"7.2.3.5 two blocks", "f2 48 05 00 00 00 ff ff ca c9 c9 07 00", "Hello"},
		{"7.2.3.6 an empty message", "00", ""},
		{"7.2.1 a block behind BFINAL", "f3 48 cd c9 c9 07 00 f2 48 cd c9 c9 07 00", "HelloHello"},
		{"BFINAL without the byte that should follow", "f3 48 cd c9 c9 07 00", "Hello"},
		{"an empty block with BFINAL", "03 00 00", ""},
		{"no byte at all", "", ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			if got, err := everyCut(t, unhex(t, c.hex)); got != c.want || err != nil {
				t.Errorf("%q, %v", got, err)
			}
		})
	}
}

func TestInflaterSharesTheWindowOfSection7_2_3_2(t *testing.T) {
	first, second := unhex(t, "f2 48 cd c9 c9 07 00"), unhex(t, "f2 00 11 00 00")
	f := deflate.NewInflater(true, 15, 0)
	for _, b := range [][]byte{first, second, second} {
		if got, err := inflate(&f, b); string(got) != "Hello" || err != nil {
			t.Errorf("%q, %v", got, err)
		}
		if f.Holds() {
			t.Error("memory of the pool is held between messages")
		}
	}
	f = deflate.NewInflater(false, 15, 0)
	if _, err := inflate(&f, first); err != nil {
		t.Error(err)
	}
	if got, err := inflate(&f, second); !errors.Is(err, deflate.ErrCorrupt) {
		t.Errorf("without context takeover: %q, %v", got, err)
	}
}

func TestInflaterRefusesWhatIsCorrupt(t *testing.T) {
	for _, c := range []struct{ name, hex string }{
		{"the reserved type", "06"},
		{"a stored length without its complement", "00 05 00 fa fe 48 65 6c 6c 6f 00"},
		{"cut in a symbol", "f2 48 cd c9 c9"},
		{"cut in a stored block's length", "00 05 00"},
		{"cut in a stored block", "00 06 00 f9 ff 48"},
		{"a whole flush that should have lost its tail", "f2 48 cd c9 c9 07 00 00 00 ff ff"},
		{"too many codes", "fc ff ff"},
		{"a distance before the beginning", "f2 00 11 00 00"},
		{"a distance code of 30", "4b 84 f9 00 00"},
		{"text", "48 65 6c 6c 6f"},
	} {
		t.Run(c.name, func(t *testing.T) {
			got, err := everyCut(t, unhex(t, c.hex))
			var corrupt *deflate.CorruptError
			if !errors.Is(err, deflate.ErrCorrupt) || !errors.As(err, &corrupt) || corrupt.Text == "" {
				t.Errorf("%q, %v", got, err)
			}
		})
	}
}

func TestInflaterStaysInError(t *testing.T) {
	f := deflate.NewInflater(false, 15, 0)
	_, _, _, first := f.Next([]byte{6}, false)
	if first == nil || f.Holds() {
		t.Fatal(first, f.Holds())
	}
	if _, _, more, err := f.Next(unhex(t, "f2 48 cd c9 c9 07 00"), true); err != first || more { //nolint:errorlint // the very same
		t.Error(err)
	}
}

func TestInflaterStopsABombAtItsLimit(t *testing.T) {
	const limit = 1 << 20
	bomb := deflate.Append(nil, make([]byte, 32<<20), true, 15)
	f := deflate.NewInflater(false, 15, limit)
	given, src := 0, bomb
	for {
		out, rest, more, err := f.Next(src, true)
		given, src = given+len(out), rest
		if err != nil {
			var tooLarge *deflate.LimitError
			if !errors.As(err, &tooLarge) || tooLarge.Limit != limit || len(out) != 0 {
				t.Errorf("%d bytes, %v", len(out), err)
			}
			break
		}
		if !more || len(out) > 1<<16 {
			t.Fatalf("%d bytes, more is %v", len(out), more)
		}
	}
	if given != limit {
		t.Errorf("%d bytes are given out, want all %d up to the limit", given, limit)
	}
	if f.Holds() {
		t.Error("memory of the pool is held after an error")
	}
	for _, n := range []int{limit - 1, limit, limit + 1} {
		f := deflate.NewInflater(false, 15, limit)
		got, err := inflate(&f, deflate.Append(nil, make([]byte, n), true, 15))
		if (err == nil) != (n <= limit) || err == nil && len(got) != n {
			t.Errorf("%d bytes: %d, %v", n, len(got), err)
		}
	}
}

// A message that is too large first, and corrupt behind that, is too large; and
// the other way round. Where it is cut does not matter.
func TestWhatIsWrongFirstCounts(t *testing.T) {
	corrupt := unhex(t, "06")
	for _, c := range []struct {
		name  string
		good  int // bytes, of which 100 may be
		large bool
	}{
		{"a byte too many", 101, true},
		{"far too many", 200_000, true},
		{"as many as may be", 100, false},
		{"none", 0, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			sent := append(deflate.Append(nil, bytes.Repeat([]byte("Hello"), c.good)[:c.good], true, 15), 0, 0, 0xff, 0xff)
			sent = append(sent, corrupt...)
			for i := range sent {
				f := deflate.NewInflater(false, 15, 100)
				got, err := inflate(&f, sent[:i], sent[i:])
				var tooLarge *deflate.LimitError
				if errors.As(err, &tooLarge) != c.large || errors.Is(err, deflate.ErrCorrupt) == c.large {
					t.Errorf("cut at %d: %v", i, err)
				}
				if c.large && len(got) != 100 {
					t.Errorf("cut at %d: %d bytes are given out, want the 100 that may be", i, len(got))
				}
			}
		})
	}
}

func TestLimitIsPerMessage(t *testing.T) {
	f := deflate.NewInflater(true, 15, 5)
	for range 3 {
		if got, err := inflate(&f, deflate.Append(nil, []byte("Hello"), true, 15)); string(got) != "Hello" || err != nil {
			t.Fatalf("%q, %v", got, err)
		}
	}
}

// samples are payloads of several natures.
func samples(r *rand.Rand) map[string][]byte {
	var json bytes.Buffer
	for json.Len() < 200_000 {
		fmt.Fprintf(&json, `{"time":%d,"cpu":%.2f,"name":"sensor-%d","state":"running"},`, 1700000000000+r.Int64N(1e9), r.Float64()*100, r.IntN(50))
	}
	noise := make([]byte, 150_000)
	for i := range noise {
		noise[i] = byte(r.Uint32())
	}
	return map[string][]byte{
		"empty": {}, "one byte": {7}, "Hello": []byte("Hello"), "zeros": make([]byte, 300_000),
		"json": json.Bytes(), "1 KiB of json": json.Bytes()[:1024], "100 B of json": json.Bytes()[:100], "4 KiB of json": json.Bytes()[:4096],
		"noise": noise, "letters": bytes.Map(func(c rune) rune { return 'a' + c&15 }, noise), "300 B of noise": noise[:300],
		"twice noise": append(slices.Clone(noise[:20_000]), noise[:20_000]...),
	}
}

// cut cuts b at random.
func cut(r *rand.Rand, b []byte) (pieces [][]byte) {
	for len(b) > 0 && r.IntN(8) > 0 {
		n := r.IntN(len(b) + 1)
		if r.IntN(2) > 0 {
			n = min(n, r.IntN(20))
		}
		pieces = append(pieces, b[:n])
		b = b[n:]
	}
	return append(pieces, b)
}

// What the standard library compresses is inflated, whatever its level, blocks
// and flushes, and the cuts.
func TestInflaterReadsWhatCompressFlateWrites(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	for name, payload := range samples(r) {
		for level := flate.HuffmanOnly; level <= 9; level++ {
			var b bytes.Buffer
			w, err := flate.NewWriter(&b, level)
			if err != nil {
				t.Fatal(err)
			}
			pieces := [][]byte{payload}
			if len(payload) > 10_000 {
				pieces = cut(r, payload)
			}
			for _, p := range pieces {
				w.Write(p)
				w.Flush()
			}
			sent := bytes.TrimSuffix(b.Bytes(), []byte{0, 0, 0xff, 0xff})
			f := deflate.NewInflater(false, 15, int64(max(1, len(payload))))
			if got, err := inflate(&f, cut(r, sent)...); !bytes.Equal(got, payload) || err != nil {
				t.Errorf("%s, level %d: %d bytes of %d, %v", name, level, len(got), len(payload), err)
			}
		}
	}
}

// standard inflates a message by the standard library.
func standard(sent, context []byte) ([]byte, error) {
	whole := slices.Concat(sent, []byte{0, 0, 0xff, 0xff, 1, 0, 0, 0xff, 0xff})
	return io.ReadAll(flate.NewReaderDict(bytes.NewReader(whole), context))
}

// What we compress is read by the standard library, and never refers back
// further than the window.
func TestCompressorKeepsItsWindow(t *testing.T) {
	r := rand.New(rand.NewPCG(3, 4))
	all := samples(r)
	for bits := 8; bits <= 15; bits++ {
		for _, context := range []bool{false, true} {
			t.Run(fmt.Sprintf("%d bits, context %v", bits, context), func(t *testing.T) {
				c := deflate.NewCompressor(context, bits)
				f := deflate.NewInflater(context, bits, 0)
				f.SetWindow(1 << bits)
				var sentBefore []byte
				for range 2 {
					for name, payload := range all {
						sent := c.Append([]byte("before"), payload, true)[len("before"):]
						got, err := inflate(&f, cut(r, sent)...)
						if !bytes.Equal(got, payload) || err != nil {
							t.Fatalf("%s: %d bytes of %d, %v", name, len(got), len(payload), err)
						}
						if !context {
							sentBefore = nil
						}
						if got, err := standard(sent, sentBefore); !bytes.Equal(got, payload) || err != nil {
							t.Fatalf("%s, by compress/flate: %d bytes of %d, %v", name, len(got), len(payload), err)
						}
						sentBefore = append(sentBefore, payload...)
						sentBefore = sentBefore[max(0, len(sentBefore)-1<<15):]
					}
				}
			})
		}
	}
}

func TestContextMakesAlikeMessagesSmaller(t *testing.T) {
	c, alone := deflate.NewCompressor(true, 15), deflate.NewCompressor(false, 15)
	var with, without int
	for i := range 20 {
		payload := fmt.Appendf(nil, `{"time":%d,"cpu":%d.%d,"name":"sensor","state":"running"}`, 1700000000000+int64(i)*1000, 10+i, i)
		with += len(c.Append(nil, payload, true))
		without += len(alone.Append(nil, payload, true))
	}
	if with*2 > without {
		t.Errorf("%d bytes with context, %d without", with, without)
	}
}

func TestPiecesOfAMessageFollowOneAnother(t *testing.T) {
	for _, context := range []bool{false, true} {
		c := deflate.NewCompressor(context, 15)
		f := deflate.NewInflater(context, 15, 0)
		for range 3 {
			var frames [][]byte
			for i, piece := range []string{"Hello, ", "", strings.Repeat("world", 1000), ""} {
				frames = append(frames, c.Append(nil, []byte(piece), i == 3))
			}
			got, err := inflate(&f, frames...)
			if want := "Hello, " + strings.Repeat("world", 1000); string(got) != want || err != nil {
				t.Errorf("%q, %v", got, err)
			}
		}
	}
}

func TestEmptyMessageIsTheByteOfSection7_2_3_6(t *testing.T) {
	if got := deflate.Append(nil, nil, true, 15); !bytes.Equal(got, []byte{0}) {
		t.Errorf("% x", got)
	}
}

func TestIdleDirectionsAreSmall(t *testing.T) {
	if n, m := unsafe.Sizeof(deflate.Inflater{}), unsafe.Sizeof(deflate.Compressor{}); n > 72 || m > 32 {
		t.Errorf("an Inflater is %d bytes, a Compressor %d", n, m)
	}
}

func TestNothingIsAllocatedInTheSteadyState(t *testing.T) {
	payload := samples(rand.New(rand.NewPCG(1, 2)))["4 KiB of json"]
	for _, n := range []int{100, 1024, 4096} {
		for _, bits := range []int{15, 12} {
			c := deflate.NewCompressor(false, bits)
			f := deflate.NewInflater(false, bits, 1<<20)
			dst := make([]byte, 0, 8192)
			allocs := testing.AllocsPerRun(200, func() {
				dst = c.Append(dst[:0], payload[:n], true)
				out, _, more, err := f.Next(dst, true)
				if err != nil || more || len(out) != n {
					t.Fatal(len(out), more, err)
				}
				f.Release()
			})
			if allocs > 0 && !raceEnabled {
				t.Errorf("%d bytes, %d bits: %v allocations", n, bits, allocs)
			}
		}
	}
}

// Whatever the bytes: the same verdict and the same output as the standard
// library's, the same for every cut, and never beyond the limit.
func FuzzInflater(f *testing.F) {
	r := rand.New(rand.NewPCG(5, 6))
	for _, payload := range samples(r) {
		f.Add(deflate.Append(nil, payload[:min(len(payload), 3000)], true, 15), []byte{1, 2, 3, 100}, int64(4000))
	}
	for _, s := range []string{
		"f2 48 cd c9 c9 07 00", "00 05 00 fa ff 48 65 6c 6c 6f 00", "f3 48 cd c9 c9 07 00 00", "f2 48 05 00 00 00 ff ff ca c9 c9 07 00", "00", "",
	} {
		f.Add(unhex(f, s), []byte{1}, int64(3))
	}
	f.Fuzz(func(t *testing.T, sent, where []byte, limit int64) {
		limit = limit&0xfffff + 1
		z := deflate.NewInflater(false, 15, limit)
		got, err := inflate(&z, sent)
		if int64(len(got)) > limit {
			t.Fatalf("%d bytes of at most %d", len(got), limit)
		}
		var pieces [][]byte
		rest := sent
		for _, w := range where {
			n := min(int(w), len(rest))
			pieces, rest = append(pieces, rest[:n]), rest[n:]
		}
		z = deflate.NewInflater(false, 15, limit)
		again, againErr := inflate(&z, append(pieces, rest)...)
		if errors.Is(err, deflate.ErrCorrupt) != errors.Is(againErr, deflate.ErrCorrupt) || (err == nil) != (againErr == nil) || err == nil && !bytes.Equal(got, again) {
			t.Fatalf("whole: %d bytes, %v; in cuts: %d, %v", len(got), err, len(again), againErr)
		}
		compare(t, sent, got, err)
	})
}

// compare holds a verdict to that of the standard library, which stops at a
// block that is marked as the last: where it has not come to the end of what it
// was given, it has no say.
func compare(t *testing.T, sent, got []byte, err error) {
	t.Helper()
	if len(sent) == 0 {
		return
	}
	src := bytes.NewReader(slices.Concat(sent, []byte{0, 0, 0xff, 0xff, 1, 0, 0, 0xff, 0xff}))
	want, wantErr := io.ReadAll(flate.NewReader(src))
	var tooLarge *deflate.LimitError
	switch {
	case errors.As(err, &tooLarge):
		if int64(len(got)) != tooLarge.Limit {
			t.Fatalf("%v after %d bytes", err, len(got))
		}
		if int64(len(want)) <= tooLarge.Limit && wantErr == nil && src.Len() == 0 {
			t.Fatalf("%v, and yet only %d bytes", err, len(want))
		}
	case wantErr == nil && src.Len() == 0 && (err != nil || !bytes.Equal(got, want)):
		t.Fatalf("% x: %d bytes, %v; compress/flate has %d", sent, len(got), err, len(want))
	case err == nil && wantErr != nil:
		t.Fatalf("% x: %d bytes, but compress/flate says %v", sent, len(got), wantErr)
	}
}

func BenchmarkInflate(b *testing.B) {
	all := samples(rand.New(rand.NewPCG(1, 2)))
	for _, name := range []string{"100 B of json", "1 KiB of json", "4 KiB of json", "json"} {
		b.Run(name, func(b *testing.B) {
			sent := deflate.Append(nil, all[name], true, 15)
			f := deflate.NewInflater(false, 15, 0)
			b.SetBytes(int64(len(all[name])))
			b.ReportAllocs()
			for b.Loop() {
				src := sent
				for more := true; more; {
					var err error
					if _, src, more, err = f.Next(src, true); err != nil {
						b.Fatal(err)
					}
				}
				f.Release()
			}
		})
		b.Run(name+" by compress/flate", func(b *testing.B) {
			sent := append(deflate.Append(nil, all[name], true, 15), 0, 0, 0xff, 0xff, 1, 0, 0, 0xff, 0xff)
			r := flate.NewReader(nil)
			src := bytes.NewReader(nil)
			b.SetBytes(int64(len(all[name])))
			b.ReportAllocs()
			for b.Loop() {
				src.Reset(sent)
				r.(flate.Resetter).Reset(src, nil)
				io.Copy(io.Discard, r)
			}
		})
	}
}

func BenchmarkCompress(b *testing.B) {
	all := samples(rand.New(rand.NewPCG(1, 2)))
	for _, name := range []string{"100 B of json", "1 KiB of json", "4 KiB of json", "json"} {
		for _, context := range []bool{false, true} {
			b.Run(fmt.Sprintf("%s, context %v", name, context), func(b *testing.B) {
				c := deflate.NewCompressor(context, 15)
				dst := c.Append(nil, all[name], true)
				b.SetBytes(int64(len(all[name])))
				b.ReportAllocs()
				for b.Loop() {
					dst = c.Append(dst[:0], all[name], true)
				}
				b.ReportMetric(float64(len(dst))/float64(len(all[name])), "ratio")
			})
		}
	}
}
