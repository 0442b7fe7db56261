//go:build unix

package cli

import (
	"fmt"

	"golang.org/x/sys/unix"
)

// allowFiles raises the limit of descriptors as far as this process may, and says
// what would help where that is not enough for so many connections.
func allowFiles(connections int) error {
	need := uint64(connections) + spareFiles
	limit, soft, hard := fileLimit()
	if soft < need && hard < need {
		more := limit
		more.Cur, more.Max = mostFiles, mostFiles
		_ = unix.Setrlimit(unix.RLIMIT_NOFILE, &more) // root may
		limit, soft, hard = fileLimit()
	}
	if soft < need {
		limit.Cur = limit.Max
		_ = unix.Setrlimit(unix.RLIMIT_NOFILE, &limit) // what came of it is seen next
		_, soft, hard = fileLimit()
	}
	return enoughFiles(connections, soft, hard)
}

func enoughFiles(connections int, soft, hard uint64) error {
	need := uint64(connections) + spareFiles
	if soft >= need {
		return nil
	}
	who := ""
	if hard < need {
		who = ", as root"
	}
	return fmt.Errorf("--connections %d needs %d descriptors, and this process may have %d, for up to %d connections; raise the limit%s: ulimit -n %d",
		connections, need, soft, max(soft, spareFiles)-spareFiles, who, need)
}

const (
	spareFiles = 128     // for what is not a connection: names are looked up, connections that failed end
	mostFiles  = 1 << 20 // what Linux lets root have, unless told otherwise
)

// fileLimit is the limit that holds and the one up to which it may be raised.
// Where the system does not say them there are none.
func fileLimit() (limit unix.Rlimit, soft, hard uint64) {
	if err := unix.Getrlimit(unix.RLIMIT_NOFILE, &limit); err != nil {
		return limit, 1 << 62, 1 << 62
	}
	return limit, uint64(limit.Cur), uint64(limit.Max) //nolint:unconvert // they are signed on FreeBSD
}
