//go:build amd64 || arm64

package engine_test

import (
	"testing"

	"github.com/leat-dev/leat/internal/engine"
	"github.com/leat-dev/leat/internal/engine/enginetest"
)

func TestTheEventEngineKeepsTheContract(t *testing.T) {
	t.Parallel()
	for name, loops := range map[string]int{"one loop": 1, "four loops": 4} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			enginetest.Test(t, engine.NewLoops(loops, nil))
		})
	}
}
