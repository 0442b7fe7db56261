package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"time"
)

// A running server gets a work.
type running struct {
	options
	server string
	addr   string
	pid    int
}

func (s *running) url(scheme, path string) string { return scheme + "://" + s.addr + path }

// try starts a server, loads it, and ends it.
func try(ctx context.Context, o options, w work, server string) (figures []figure, result any, err error) {
	addr, err := freeAddress()
	if err != nil {
		return nil, nil, err
	}
	name, engine := program(server)
	args := []string{"-addr", addr}
	if w.needs == deflate {
		args = append(args, "-deflate")
	}
	if w.needs == files {
		args = append(args, "-files", o.files)
	}
	cmd := exec.CommandContext(ctx, filepath.Join(o.bin, name), args...)
	if engine != "" {
		cmd.Env = append(os.Environ(), "LEAT_ENGINE="+engine)
	}
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	if err := cmd.Start(); err != nil {
		return nil, nil, err
	}
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		_ = cmd.Wait() // that it was ended is no news
	}()
	if err = await(addr, ended); err == nil {
		figures, result, err = w.run(running{o, server, addr, cmd.Process.Pid})
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
	return figures, result, err
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
