package load

import (
	"bytes"
	"errors"
	"fmt"
	"runtime"
	"strconv"
	"time"
)

// A Download is a load of readers of one file, again and again.
type Download struct {
	URL   string
	Conns int
	Size  int // of the file, whose content is that of File
	Warm  time.Duration
	Time  time.Duration // of the measurement, behind Warm
	PID   int           // of the server's process
}

// downloader is the handler of a loop of downloads.
type downloader struct {
	loop  *loop
	want  []byte
	total int64 // bytes that came
}

// Run puts the load on the server, and says what a MiB has cost. Every byte is
// compared.
func (d *Download) Run() (Result, error) {
	if d.Conns < 1 || d.Size < 1 {
		return Result{}, errors.New("want readers, and how long the file is")
	}
	t, err := parseTarget(d.URL, "http")
	if err != nil {
		return Result{}, err
	}
	h := &downloader{want: File(d.Size)}
	if h.loop, err = newLoop(t, h, getRequest(&t)); err != nil {
		return Result{}, err
	}
	defer h.loop.close()
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	if err := h.loop.connect(d.Conns); err != nil {
		return Result{}, err
	}
	if err := h.loop.pollFor(d.Warm); err != nil {
		return Result{}, err
	}
	begin, before := markNow(d.PID), h.total
	if err := h.loop.pollFor(d.Time); err != nil {
		return Result{}, err
	}
	if h.total == before {
		return Result{}, errors.New("nothing came in time")
	}
	r := spent(begin, markNow(d.PID), h.total-before)
	const mib = 1 << 20
	r.Messages, r.CPU, r.Own, r.Rate = r.Messages/mib, r.CPU*mib, r.Own*mib, r.Rate/mib
	if d.PID > 0 {
		r.Memory = float64(memory(d.PID))
	}
	return r, nil
}

func (h *downloader) opened(_ *conn, head []byte) error {
	return wantOK(head, map[string]string{"content-length": strconv.Itoa(len(h.want))})
}

func (h *downloader) ended(*conn) error { return errEnded }

func (h *downloader) read(c *conn, b []byte) error {
	end := c.offset + len(b)
	if end > len(h.want) || !bytes.Equal(b, h.want[c.offset:end]) {
		return fmt.Errorf("what comes behind byte %d is not the file", c.offset)
	}
	h.total += int64(len(b))
	if c.offset = end; end == len(h.want) {
		c.offset = 0
		h.loop.again(c)
	}
	return nil
}
