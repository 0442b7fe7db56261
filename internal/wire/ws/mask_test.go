package ws_test

import (
	"bytes"
	"fmt"
	"testing"

	"github.com/leat-dev/leat/internal/wire/ws"
)

// slowMask is RFC 6455, 5.3, word by word.
func slowMask(b []byte, key ws.Key) []byte {
	out := make([]byte, len(b))
	for i := range b {
		out[i] = b[i] ^ key[i%4]
	}
	return out
}

func TestMaskIsTheOneOfSection5_3AtEveryLengthAndCut(t *testing.T) {
	key := ws.Key{0x37, 0xfa, 0x21, 0x3d}
	plain := make([]byte, 1100)
	for i := range plain {
		plain[i] = byte(i * 7)
	}
	for n := range plain {
		b := bytes.Clone(plain[:n])
		ws.Mask(b, key)
		if want := slowMask(plain[:n], key); !bytes.Equal(b, want) {
			t.Fatalf("%d bytes: wrong", n)
		}
		for _, cut := range []int{0, 1, 2, 3, n / 2, n / 3} {
			cut = min(cut, n)
			ws.Mask(b[cut:], ws.Mask(b[:cut], key))
			if !bytes.Equal(b, plain[:n]) {
				t.Fatalf("%d bytes cut at %d: wrong", n, cut)
			}
			ws.Mask(b, key)
		}
	}
}

func FuzzMask(f *testing.F) {
	f.Add([]byte("Hello"), []byte{0x37, 0xfa, 0x21, 0x3d}, 2)
	f.Add(bytes.Repeat([]byte("a"), 1000), []byte{1, 2, 3, 4}, 257)
	f.Fuzz(func(t *testing.T, plain, k []byte, cut int) {
		if len(k) < 4 || cut < 0 || cut > len(plain) {
			return
		}
		b := bytes.Clone(plain)
		ws.Mask(b[cut:], ws.Mask(b[:cut], ws.Key(k)))
		if !bytes.Equal(b, slowMask(plain, ws.Key(k))) {
			t.Fatal("wrong")
		}
	})
}

func BenchmarkMask(b *testing.B) {
	for _, n := range []int{16, 64, 128, 256, 1024, 4096, 65536} {
		b.Run(fmt.Sprintf("%dB", n), func(b *testing.B) {
			p := make([]byte, n)
			key := ws.Key{1, 2, 3, 4}
			b.SetBytes(int64(n))
			b.ReportAllocs()
			for b.Loop() {
				key = ws.Mask(p, key)
			}
		})
	}
}
