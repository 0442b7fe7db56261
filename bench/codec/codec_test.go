package codec_test

import (
	"fmt"
	"testing"

	gobwas "github.com/gobwas/ws"

	"github.com/leat-dev/leat/bench/load"
	"github.com/leat-dev/leat/internal/deflate"
	"github.com/leat-dev/leat/internal/wire/ws"
)

var sizes = []int{64, 1 << 10, 4 << 10, 64 << 10}

// sample is a message that compresses as JSON does.
func sample(n int) []byte { return load.JSON(n) }

func sizeName(n int) string {
	if n < 1<<10 {
		return fmt.Sprintf("%dB", n)
	}
	return fmt.Sprintf("%dKiB", n>>10)
}

// A message, read, unmasked, assembled and answered, costs no memory.
func TestMessagesUpTo4KiBAllocateNothing(t *testing.T) {
	for _, deflated := range []bool{false, true} {
		for _, size := range []int{1, 125, 126, 1 << 10, 4 << 10} {
			message := sample(max(size, 20))[:size]
			sent := frame(message, deflated)
			in := make([]byte, len(sent))
			r := ws.NewReader(ws.ReaderOptions{Server: true, Deflate: deflated, MaxMessage: 1 << 20})
			a := ws.Assembler{Buf: make([]byte, 0, 4<<10)}
			f := deflate.NewInflater(false, 15, 1<<20)
			c := deflate.NewCompressor(false, 15)
			var z, out []byte
			echo := func(message []byte) {
				if deflated {
					z = c.Append(z[:0], message, true)
					message = z
				}
				out = ws.AppendFrame(out[:0], ws.Header{Fin: true, RSV1: deflated, Opcode: ws.OpBinary}, message)
			}
			take := func(b []byte) {
				for {
					ev, rest, err := r.Next(b)
					if err != nil {
						t.Fatal(err)
					}
					if b = rest; ev.Kind == ws.More {
						return
					}
					if err := giveLeat(&ev, &a, &f, echo); err != nil {
						t.Fatal(err)
					}
				}
			}
			n := testing.AllocsPerRun(200, func() {
				copy(in, sent)
				cut := len(in) / 3
				take(in[:cut])
				take(in[cut:])
			})
			// The race detector makes sync.Pool forget on purpose.
			if n > 0 && (!deflated || !raceEnabled) {
				t.Errorf("%d bytes, deflate %v: %v allocations", size, deflated, n)
			}
		}
	}
}

func BenchmarkMask(b *testing.B) {
	for _, size := range sizes {
		p := make([]byte, size)
		bench := func(name string, mask func()) {
			b.Run(name+"/"+sizeName(size), func(b *testing.B) {
				b.SetBytes(int64(size))
				for b.Loop() {
					mask()
				}
			})
		}
		bench("leat", func() { ws.Mask(p, ws.Key{1, 2, 3, 4}) })
		bench("gobwas", func() { gobwas.Cipher(p, [4]byte{1, 2, 3, 4}, 0) })
		bench("bytewise", func() {
			k := [4]byte{1, 2, 3, 4}
			for i := range p {
				p[i] ^= k[i&3]
			}
		})
	}
}

// A message of a client is read, unmasked and handed on.
func BenchmarkRead(b *testing.B) {
	each(b, func(b *testing.B, l library, deflated bool, size int) {
		m := &memory{in: frame(sample(size), deflated), times: b.N}
		n := 0
		b.ResetTimer()
		if err := l.read(m, deflated, func([]byte) { n++ }); !ended(err) || n != b.N {
			b.Fatal(n, err)
		}
	})
}

// A server's message is written.
func BenchmarkWrite(b *testing.B) {
	each(b, func(b *testing.B, l library, deflated bool, size int) {
		message := sample(size)
		b.ResetTimer()
		if err := l.write(&memory{}, deflated, message, b.N); err != nil {
			b.Fatal(err)
		}
	})
}

func each(b *testing.B, run func(b *testing.B, l library, deflated bool, size int)) {
	for _, deflated := range []bool{false, true} {
		for _, size := range sizes {
			for _, l := range libraries {
				// Messages below 512 bytes go plain by default.
				if deflated && (l.plain || size < 512) {
					continue
				}
				name := l.name + "/" + sizeName(size)
				if deflated {
					name = "deflate/" + name
				}
				b.Run(name, func(b *testing.B) {
					b.SetBytes(int64(size))
					b.ReportAllocs()
					run(b, l, deflated, size)
				})
			}
		}
	}
}
