package engine

import "sync"

// bulkSize is what is read at once of a peer that sends much.
const bulkSize = 64 << 10

var bulks = sync.Pool{New: func() any { return new([bulkSize]byte) }}
