//go:build !windows

package cli

import "os"

// understandEscapes does nothing: terminals follow escape sequences.
func understandEscapes(*os.File) (restore func(), err error) { return func() {}, nil }
