package topic

// The names of controls.
const (
	Open     = "open"
	Resumed  = "resumed"
	Gap      = "gap"
	Reset    = "reset"
	Position = "position"
)

// A Control is what a reader is told of its stream itself.
type Control struct {
	Name    string
	ID      ID               // the position behind it
	From    string           // of a gap and a reset: where the reader was
	To      ID               // of a gap: the last that may be missing
	Missed  map[string]int64 // how many, by topic
	Counts  map[string]int64 // and the count of the topic behind them
	AtLeast bool             // more than Missed are
	Reason  string           // of a gap and a reset
	Terms   *Terms           // of the first of a stream; else nil
}

// The reasons of gaps and resets.
const (
	ReasonSlow    = "slow"
	ReasonHistory = "history"
	ReasonEpoch   = "epoch"
	ReasonFuture  = "future"
	ReasonUnknown = "unknown"
)

func newGap() *Control {
	return &Control{Name: Gap, Missed: map[string]int64{}, Counts: map[string]int64{}}
}
