//go:build amd64 || arm64

package engine

import (
	"testing"
	"unsafe"
)

func TestAnIdleConnectionIsSmall(t *testing.T) {
	if size := unsafe.Sizeof(conn{}); size > 160 {
		t.Errorf("%d bytes", size)
	}
}
