package load

import (
	"bytes"
	"fmt"
	"strconv"
	"strings"
	"syscall"
)

// A poster publishes by posts on one connection, and does not wait for answers: so
// they stay in order, however many are under way.
type poster struct {
	fd   int
	of   *Deliveries
	head string // up to the length
	out  []byte // not sent yet
	owed int    // answers
	in   []byte // of answers
	buf  []byte
}

// owedMost is how much may wait for the server.
const owedMost = 64 << 20

func newPoster(d *Deliveries) (*poster, error) {
	t, err := parseTarget(d.Publish, "http")
	if err != nil {
		return nil, err
	}
	lines := d.Headers
	if len(lines) == 0 {
		lines = []string{"Content-Type: application/json"}
	}
	fd, err := syscall.Socket(syscall.AF_INET, syscall.SOCK_STREAM|syscall.SOCK_CLOEXEC, 0)
	if err != nil {
		return nil, fmt.Errorf("socket: %w", err)
	}
	p := &poster{fd: fd, of: d, buf: make([]byte, 64<<10)}
	p.head = "POST " + t.path + " HTTP/1.1\r\nHost: " + t.host + "\r\n" + strings.Join(lines, "\r\n") + "\r\nContent-Length: "
	_ = syscall.SetsockoptInt(fd, syscall.IPPROTO_TCP, syscall.TCP_NODELAY, 1)
	if err = syscall.Connect(fd, &t.addr); err == nil {
		err = syscall.SetNonblock(fd, true)
	}
	if err != nil {
		p.close()
		return nil, fmt.Errorf("connect to publish: %w", err)
	}
	return p, nil
}

func (p *poster) close() { _ = syscall.Close(p.fd) }

func (p *poster) post(message []byte) error {
	body := p.of.body(message)
	p.out = append(p.out, p.head+strconv.Itoa(len(body))+"\r\n\r\n"...)
	p.out = append(p.out, body...)
	p.owed++
	return p.poll()
}

// poll sends what the socket takes, and reads what has come of the answers. Each
// has to be one of success.
func (p *poster) poll() error {
	if len(p.out) > 0 {
		n, e := write(p.fd, p.out)
		switch {
		case e != 0 && e != syscall.EAGAIN:
			return fmt.Errorf("publish: %w", e)
		case e == 0:
			p.out = p.out[n:]
		}
		if len(p.out) > owedMost {
			return fmt.Errorf("the server does not take what is published: %d bytes wait", len(p.out))
		}
	}
	for p.owed > 0 {
		n, e := read(p.fd, p.buf)
		if e == syscall.EAGAIN {
			return nil
		}
		if e != 0 || n == 0 {
			return fmt.Errorf("the server closed the connection of what is published (%d)", e)
		}
		p.in = append(p.in, p.buf[:n]...)
		if err := p.answers(); err != nil {
			return err
		}
	}
	return nil
}

// answers takes whole answers.
func (p *poster) answers() error {
	for {
		end := bytes.Index(p.in, []byte("\r\n\r\n"))
		if end < 0 {
			return nil
		}
		head := p.in[:end+4]
		if !bytes.HasPrefix(head, []byte("HTTP/1.1 2")) {
			return fmt.Errorf("the server answers %.200q to what is published", p.in)
		}
		n, _ := strconv.Atoi(field(head, "content-length")) // none is 0
		if len(p.in) < len(head)+n {
			return nil
		}
		p.in = p.in[len(head)+n:]
		p.owed--
	}
}
