//go:build !unix

package engine

// A bare link is one that other systems know.
type bare struct{ source }

func bareOf(Link) *bare { return nil }

func (*bare) writeNow([]byte) int { return 0 }
