package buffer_test

import (
	"bytes"
	"testing"

	"github.com/leat-dev/leat/internal/buffer"
)

func TestABufferHasRoomAndIsAtMostTwiceAsLarge(t *testing.T) {
	for _, n := range []int{-1, 0, 1, 4095, 4096, 4097, 4608, 4609, 9216, 9217, 64 << 10, 73728, 73729, 1 << 20, 4 << 20, 4<<20 + 4<<17, 4<<20 + 4<<17 + 1, 10 << 20} {
		b := buffer.Get(n)
		if len(b.B) != 0 || cap(b.B) < n || n > 4608 && cap(b.B) > 2*n {
			t.Errorf("%d bytes: %d, room for %d", n, len(b.B), cap(b.B))
		}
		b.Free()
	}
}

func TestWhatIsFreedIsLentAgain(t *testing.T) {
	for _, n := range []int{1, 4 << 10, 64<<10 + 14, 4<<20 + 14} {
		allocs := testing.AllocsPerRun(100, func() {
			b := buffer.Get(n)
			if len(b.B) != 0 || cap(b.B) < n {
				t.Fatal(n, len(b.B), cap(b.B))
			}
			b.B = append(b.B, 1, 2, 3)
			b.Free()
		})
		if allocs > 0 && !underRace {
			t.Errorf("%d bytes: %v allocations", n, allocs)
		}
	}
}

func TestABufferGrowsWithItsBytes(t *testing.T) {
	var b *buffer.Buffer
	var want []byte
	for i := range 3000 {
		piece := bytes.Repeat([]byte{byte(i)}, i)
		b = b.Grow(len(piece))
		if cap(b.B)-len(b.B) < len(piece) {
			t.Fatalf("no room for %d", len(piece))
		}
		b.B, want = append(b.B, piece...), append(want, piece...)
	}
	if !bytes.Equal(b.B, want) {
		t.Error("wrong bytes")
	}
	b.Free()
}

func TestPiecesAreAppended(t *testing.T) {
	var b *buffer.Buffer
	var want []byte
	for i := range 300 {
		one, two := bytes.Repeat([]byte{byte(i)}, i), bytes.Repeat([]byte{'x'}, i%7)
		pieces := [][]byte{one, nil, two}
		b, want = b.Append(pieces...), append(append(want, one...), two...)
	}
	if b = b.Append(); !bytes.Equal(b.B, want) {
		t.Error("wrong bytes")
	}
	b.Free()
	mine := []byte("mine, yours")
	if b := buffer.Shared(mine[:4]).Append([]byte("!")); string(b.B) != "mine!" || string(mine) != "mine, yours" {
		t.Errorf("%q, and what is shared is %q", b.B, mine)
	}
	var head [15]byte
	long := make([]byte, 1000)
	if n := testing.AllocsPerRun(100, func() {
		var b *buffer.Buffer
		b = b.Append(head[:2], long)
		b.Append(long).Free()
	}); n > 0 && !underRace {
		t.Errorf("%v allocations", n)
	}
}

func TestWhatAppendHasMadeIsTakenBackAsWhatItIs(t *testing.T) {
	for _, n := range []int{1, 4607, 4608, 5000, 9215, 9216, 70_000, 5 << 20} {
		(&buffer.Buffer{B: make([]byte, n)}).Free()
		for _, m := range []int{4608, 9216, 73728} {
			b := buffer.Get(m)
			if cap(b.B) < m {
				t.Fatalf("%d bytes are lent as %d", cap(b.B), m)
			}
			b.Free()
		}
	}
	var none *buffer.Buffer
	none.Free()
}

func TestSharedMemoryIsNeverWrittenToNorLent(t *testing.T) {
	for _, n := range []int{0, 1, 100, 4608, 9216, 73728} {
		mine := bytes.Repeat([]byte{'m'}, n+100_000)
		was := bytes.Clone(mine)
		b := buffer.Shared(mine[:n])
		if b.Grow(0) != b || !bytes.Equal(b.B, was[:n]) {
			t.Errorf("%d bytes are not what is shared", n)
		}
		b.Free()
		for range 100 { // all that a pool might have
			lent := buffer.Get(n)
			lent.B = append(lent.B, bytes.Repeat([]byte{'x'}, n)...)
		}
		_ = append(b.B, "appended"...)
		b = b.Grow(10)
		b.B = append(b.B, "grown"...)
		if !bytes.Equal(b.B[:n], was[:n]) || string(b.B[n:]) != "grown" {
			t.Errorf("%d bytes have grown to something else", n)
		}
		b.Free()
		if !bytes.Equal(mine, was) {
			t.Errorf("%d bytes: what is shared has been written to", n)
		}
	}
}
