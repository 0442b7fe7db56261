//go:build !unix

package leat_test

import "syscall"

// smallReceiver does nothing here.
func smallReceiver(_, _ string, _ syscall.RawConn) error { return nil }
