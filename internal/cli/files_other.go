//go:build !unix

package cli

// allowFiles does nothing: there is no limit to raise.
func allowFiles(int) error { return nil }
