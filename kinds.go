package leat

import (
	"hash/maphash"
	"reflect"
	"sync/atomic"
	"time"

	"github.com/leat-dev/leat/internal/engine"
)

// A kind is what connections have in common that are bounded alike and whose
// callbacks are the same code, whatever that has captured.
type kind struct {
	budget, most int
	sendBuffer   int // that the kernel has been told; 0: none
	stall        time.Duration
	frames       bool // what is sent is whole frames
	code         uintptr
}

// codeOf tells the code of a function, 0 for nil.
func codeOf(fn any) uintptr { return reflect.ValueOf(fn).Pointer() }

// kinds keep the engine's options of some kinds, so that connections share them:
// with them the engine learns whether the callbacks of a kind take their time.
type kinds [16]atomic.Pointer[kept]

type kept struct {
	kind
	options engine.Options
}

func (k *kinds) options(of kind) *engine.Options {
	place := &k[maphash.Comparable(seed, of)%uint64(len(k))]
	if o := place.Load(); o != nil && o.kind == of {
		return &o.options
	}
	o := &kept{kind: of, options: engine.Options{Budget: of.budget, Most: of.most, SendBuffer: of.sendBuffer, Stall: of.stall}}
	if of.frames {
		o.options.Unit = frameLength
	}
	place.Store(o)
	return &o.options
}

// kind is that of a socket.
func (o *settings) kind() kind {
	k := kind{budget: o.queue, most: o.mostSent(), sendBuffer: o.sendBuffer, stall: o.write, frames: true, code: codeOf(o.message)}
	if o.message == nil {
		k.code = codeOf(o.writable)
	}
	return k
}
