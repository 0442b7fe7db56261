//go:build unix

package source

import (
	"os"
	"syscall"
)

// ownGroup makes a command the first of a process group.
func ownGroup() *syscall.SysProcAttr { return &syscall.SysProcAttr{Setpgid: true} }

// terminate asks the group of p to end.
func terminate(p *os.Process) {
	_ = syscall.Kill(-p.Pid, syscall.SIGTERM) // it may have ended by now
}

// there answers whether the group of p, which has ended itself, has anyone left
// whom a signal reaches. Orphans come to this process where it is the first one,
// as in a container; no one else would reap them.
func there(p *os.Process) bool {
	for {
		if pid, err := syscall.Wait4(-p.Pid, nil, syscall.WNOHANG, nil); err != nil && err != syscall.EINTR || pid == 0 {
			return syscall.Kill(-p.Pid, 0) == nil
		}
	}
}

// kill ends the group of p.
func kill(p *os.Process) {
	_ = syscall.Kill(-p.Pid, syscall.SIGKILL) // it may have ended by now
}

// openFlags: a pipe without a writer does not hold up who opens it.
const openFlags = os.O_RDONLY | syscall.O_NONBLOCK
