package cli

import (
	"os"
	"time"

	"golang.org/x/sys/unix"
)

// A metronome wakes its one user to within some 0.1 ms. A timer of Go's may be
// late by a whole one here, since epoll counts in milliseconds, and lateness
// would be taken for the server's.
type metronome struct {
	fd    int
	timer *os.File
	read  [8]byte
}

func newMetronome() (*metronome, error) {
	fd, err := unix.TimerfdCreate(unix.CLOCK_MONOTONIC, unix.TFD_NONBLOCK|unix.TFD_CLOEXEC)
	if err != nil {
		return nil, os.NewSyscallError("timerfd_create", err)
	}
	return &metronome{fd: fd, timer: os.NewFile(uintptr(fd), "timer")}, nil
}

// wait returns after d, or once the metronome is stopped: then with false.
func (m *metronome) wait(d time.Duration) bool {
	spec := unix.ItimerSpec{Value: unix.NsecToTimespec(max(1, int64(d)))} // 0 would disarm it
	if err := unix.TimerfdSettime(m.fd, 0, &spec, nil); err != nil {
		return false
	}
	_, err := m.timer.Read(m.read[:])
	return err == nil
}

// stop ends a wait. It may be called from any goroutine.
func (m *metronome) stop() { _ = m.timer.SetReadDeadline(time.Unix(1, 0)) } // a timer has deadlines

func (m *metronome) close() { _ = m.timer.Close() } // nothing was written to it
