package topic

import (
	"crypto/rand"
	"strconv"
	"strings"
)

// An ID is a position: "epoch-seq".
type ID struct {
	Epoch string
	Seq   uint64
}

// String is the id as readers see it.
func (id ID) String() string { return string(id.Append(nil)) }

// Append appends the id to dst.
func (id ID) Append(dst []byte) []byte {
	return strconv.AppendUint(append(append(dst, id.Epoch...), '-'), id.Seq, 10)
}

// ParseID reads an id. It answers false for what is none.
func ParseID(text string) (ID, bool) {
	i := strings.LastIndexByte(text, '-')
	if i <= 0 || len(text) > 64 {
		return ID{}, false
	}
	seq, err := strconv.ParseUint(text[i+1:], 10, 64)
	if err != nil || text[i+1] == '+' {
		return ID{}, false
	}
	return ID{text[:i], seq}, true
}

// newEpoch is a name for the ids of one life of a hub.
func newEpoch() string { return strings.ToLower(rand.Text()[:8]) }
