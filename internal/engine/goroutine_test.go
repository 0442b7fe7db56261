package engine_test

import (
	"testing"

	"github.com/leat-dev/leat/internal/engine"
	"github.com/leat-dev/leat/internal/engine/enginetest"
)

func TestTheGoroutineEngineKeepsTheContract(t *testing.T) {
	enginetest.Test(t, engine.Goroutines{})
}
