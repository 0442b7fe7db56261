//go:build !unix

package source

import (
	"os"
	"syscall"
)

// ownGroup is nothing: what a command starts is not followed here.
func ownGroup() *syscall.SysProcAttr { return nil }

// terminate ends p at once: there is nothing to ask it by.
func terminate(p *os.Process) {
	_ = p.Kill() // it may have ended by now
}

func there(*os.Process) bool { return false }

func kill(*os.Process) {}

const openFlags = os.O_RDONLY
