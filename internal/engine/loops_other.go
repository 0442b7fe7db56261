//go:build !linux || !(amd64 || arm64)

package engine

// New answers the engine of this system.
func New(func(Link)) Engine { return Goroutines{} }
