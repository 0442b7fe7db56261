package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net"
	"os/exec"
	"path/filepath"
	"syscall"
	"time"

	"github.com/leat-dev/leat/bench/load"
)

// once starts a server, loads it, and ends it.
func once(ctx context.Context, o options, e load.Echo, server string) (load.Result, error) {
	addr, err := freeAddress()
	if err != nil {
		return load.Result{}, err
	}
	args := []string{"-addr", addr}
	if e.Deflate {
		args = append(args, "-deflate")
	}
	cmd := exec.CommandContext(ctx, filepath.Join(o.bin, server), args...)
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	if err := cmd.Start(); err != nil {
		return load.Result{}, err
	}
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		_ = cmd.Wait() // that it was ended is no news
	}()
	var result load.Result
	if err = await(addr, ended); err == nil {
		e.URL, e.PID, e.Warm, e.Time = "ws://"+addr+"/ws", cmd.Process.Pid, o.warm, o.measure
		result, err = e.Run()
	}
	_ = cmd.Process.Signal(syscall.SIGTERM)
	select {
	case <-ended:
	case <-time.After(5 * time.Second):
		_ = cmd.Process.Kill()
		<-ended
	}
	if err != nil && stderr.Len() > 0 {
		err = fmt.Errorf("%w; the server says: %s", err, bytes.TrimSpace(stderr.Bytes()))
	}
	return result, err
}

// freeAddress is one that nobody listens on at the moment.
func freeAddress() (string, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return "", err
	}
	defer l.Close()
	return l.Addr().String(), nil
}

// await waits until somebody listens.
func await(addr string, ended <-chan struct{}) error {
	for range 500 {
		if c, err := net.Dial("tcp", addr); err == nil {
			return c.Close()
		}
		select {
		case <-ended:
			return errors.New("the server ended")
		case <-time.After(20 * time.Millisecond):
		}
	}
	return errors.New("the server does not listen")
}
