package cli

import (
	"cmp"
	"errors"
	"net/url"
	"regexp"
	"slices"
	"sync"
	"syscall"

	"github.com/leat-dev/leat"
)

// A tally counts reasons. Its methods may be called from any goroutine; the zero
// tally is empty.
type tally struct {
	mu     sync.Mutex
	counts map[string]int
	total  int
}

// mostReasons is how many reasons a tally tells apart: some servers number their
// refusals.
const mostReasons = 20

const otherReasons = "other reasons"

func (t *tally) add(reason string) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.counts == nil {
		t.counts = map[string]int{}
	}
	if _, known := t.counts[reason]; !known && len(t.counts) >= mostReasons {
		reason = otherReasons
	}
	t.counts[reason]++
	t.total++
}

func (t *tally) sum() int {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.total
}

// A reasonCount is how often there was a reason.
type reasonCount struct {
	Reason string `json:"reason"`
	Count  int    `json:"count"`
}

// list is the reasons, the most frequent first.
func (t *tally) list() []reasonCount {
	t.mu.Lock()
	defer t.mu.Unlock()
	list := []reasonCount{}
	for reason, n := range t.counts {
		list = append(list, reasonCount{reason, n})
	}
	slices.SortFunc(list, func(a, b reasonCount) int {
		return cmp.Or(cmp.Compare(b.Count, a.Count), cmp.Compare(a.Reason, b.Reason))
	})
	return list
}

// reason is what went wrong, without what differs from connection to connection:
// URLs and ports.
func reason(err error) string {
	var refused *leat.DialError
	if errors.As(err, &refused) {
		err = refused.Err
	}
	var inURL *url.Error
	if errors.As(err, &inURL) {
		err = inURL.Err
	}
	switch {
	case errors.Is(err, syscall.EADDRNOTAVAIL):
		return "no local port is left for this address"
	case errors.Is(err, syscall.EMFILE), errors.Is(err, syscall.ENFILE):
		return "this machine gives no more descriptors"
	}
	return visible(ports.ReplaceAllString(err.Error(), ""))
}

// ports finds what package net puts in front of an error.
var ports = regexp.MustCompile(`\b(?:dial|read|write) (?:tcp|udp)[46]?(?: [^\s:]\S*)?: `)
