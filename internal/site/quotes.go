package site

import (
	"math/rand/v2"
	"net/http"
	"strconv"
	"time"

	"github.com/leat-dev/leat"
)

// A quote is the data of one event of /api/quotes.
type quote struct {
	Text string `json:"text"`
	By   string `json:"by"`
}

// quotes streams random quotes as Server-Sent Events, one each four seconds or
// each ?every=. An event's id is the quote's number, so that a reader which
// comes back does not begin with the quote that it saw last.
func quotes(w http.ResponseWriter, r *http.Request) {
	every, ok := interval(w, r, 4*time.Second)
	if !ok {
		return
	}
	s, err := leat.SSE(w, r, nil)
	if err != nil {
		return
	}
	last, err := strconv.Atoi(s.LastEventID())
	if err != nil || last < 0 || last >= len(sayings) {
		last = -1
	}
	s.Every(every, func() error {
		last = another(last, len(sayings))
		return s.SendEvent(leat.Event{ID: strconv.Itoa(last), Name: "quote", Data: sayings[last]})
	})
}

// another returns a random number below n that is not last.
func another(last, n int) int {
	if last < 0 {
		return rand.IntN(n)
	}
	return (last + 1 + rand.IntN(n-1)) % n
}

// sayings are old enough to belong to everybody, or our own.
var sayings = []quote{
	{"Everything flows, and nothing stays.", "Heraclitus"},
	{"No one steps into the same river twice.", "Heraclitus"},
	{"The highest good is like water.", "Laozi, Tao Te Ching, 8"},
	{"Nothing in the world is softer than water, yet nothing is better at wearing down the hard.", "Laozi, Tao Te Ching, 78"},
	{"Constant dropping wears away a stone.", "Lucretius"},
	{"Still waters run deep.", "English proverb"},
	{"We never know the worth of water till the well is dry.", "Thomas Fuller, 1732"},
	{"The mill cannot grind with the water that is past.", "George Herbert, 1640"},
	{"All rivers run into the sea; yet the sea is not full.", "Ecclesiastes 1:7"},
	{"Filling the jug goes drop by drop.", "Folk saying"},
	{"Time is a sort of river of passing events, and strong is its current.", "Marcus Aurelius, Meditations, IV"},
	{"Make haste slowly.", "Suetonius, of Augustus"},
	{"The shortest answer is doing the thing.", "George Herbert, 1640"},
	{"If you would know the road ahead, ask those coming back.", "Folk saying"},
	{"What is measured is seen; what is seen is mended.", "A miller's rule"},
	{"A stream that waits for its slowest drop is a pond.", "A miller's rule"},
	{"Close the gate before you mend the wheel.", "A miller's rule"},
	{"Send it when you have it.", "A miller's rule"},
	{"The wheel does not ask the river for more than it can turn.", "A miller's rule"},
	{"A leak you know of is a channel.", "A miller's rule"},
}
