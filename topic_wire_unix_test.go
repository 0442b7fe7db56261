//go:build unix

package leat_test

import "syscall"

// smallReceiver has the system keep little of what has come.
func smallReceiver(_, _ string, c syscall.RawConn) error {
	var err error
	if e := c.Control(func(fd uintptr) {
		err = syscall.SetsockoptInt(int(fd), syscall.SOL_SOCKET, syscall.SO_RCVBUF, 2048)
	}); e != nil {
		return e
	}
	return err
}
