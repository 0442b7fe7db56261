package topic

import "time"

// A Slow says what becomes of a reader that a log has left behind.
type Slow uint8

// What becomes of a slow reader.
const (
	SlowGap    Slow = iota // it goes on with what is kept, and is told what it missed
	SlowLatest             // of what waits it gets the latest of each key
	SlowEnd                // it is told, and ends
)

// A Rule bounds the log of a topic. Topics may share one, which does not change.
type Rule struct {
	Count   int           // messages that are kept; 0: none but for who reads already
	Bytes   int64         // that are counted for them
	Age     time.Duration // 0: for ever
	Slow    Slow
	MaxRate float64 // messages of a key that a reader gets in a second; 0: all
}
