package peer_test

import (
	"encoding/json"
	"testing"

	"github.com/leat-dev/leat/bench/load"
	"github.com/leat-dev/leat/bench/peers/peer"
)

func TestRecordsAreWhatTheLoadExpects(t *testing.T) {
	for n := range 1000 {
		if got, _ := json.Marshal(peer.NewRecord(n)); string(got) != string(load.Record(uint32(n))) {
			t.Fatalf("%s, want %s", got, load.Record(uint32(n)))
		}
	}
}
