package cli

import (
	"bufio"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"os"
	"strconv"
	"strings"
	"sync"
	"unicode"
	"unicode/utf8"

	"golang.org/x/term"

	"github.com/leat-dev/leat"
)

// A console is where a talk is typed and shown: a terminal where what comes
// stands above the line that is being typed, or a pipe, or something of both.
type console struct {
	std     stdio
	typed   bool // the input is a terminal
	shown   bool // so is where messages go; they must not control it
	colours bool

	editor *term.Terminal // nil where the line is not edited here

	mu      sync.Mutex
	restore func() // gives the terminal back; nil before and after
	data    []byte // the beginning of a message that comes in pieces
	size    int    // of what has come of it

	drawing sync.Mutex // held by who draws the line that is typed, with mu or without
	left    bool       // it is drawn no more
}

// What a terminal shows of a message.
const (
	mostText   = 64 << 10
	mostBinary = 512
)

// SGR sequences (ECMA-48, 8.3.117).
const (
	faint = "\x1b[2m"
	green = "\x1b[32m"
	cyan  = "\x1b[36m"
	plain = "\x1b[0m"
)

func newConsole(std stdio) *console {
	c := &console{std: std, typed: isTerminal(std.in), shown: isTerminal(std.out)}
	if c.typed && c.shown && os.Getenv("TERM") != "dumb" {
		c.colours = os.Getenv("NO_COLOR") == ""
		c.editor = term.NewTerminal(&keyboard{console: c}, c.paint(green, "> "))
		c.editor.History = history{c.editor.History}
	}
	return c
}

func isTerminal(v any) bool {
	f, ok := v.(*os.File)
	return ok && term.IsTerminal(int(f.Fd()))
}

// editing says whether the line that is typed is edited here.
func (c *console) editing() bool { return c.editor != nil }

// enter takes the terminal.
func (c *console) enter() {
	if c.editor == nil {
		return
	}
	in, out := c.std.in.(*os.File), c.std.out.(*os.File)
	draws, err := understandEscapes(out)
	if err != nil {
		c.editor, c.colours = nil, false
		return
	}
	state, err := term.MakeRaw(int(in.Fd()))
	if err != nil {
		draws()
		c.editor, c.colours = nil, false
		return
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.restore = func() {
		_ = term.Restore(int(in.Fd()), state) // it was so before
		draws()
	}
}

// leave gives the terminal back, without the prompt.
func (c *console) leave() {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.restore == nil {
		return
	}
	c.restore()
	c.restore = nil
	c.drawing.Lock()
	defer c.drawing.Unlock()
	c.left = true
	_, _ = io.WriteString(c.std.out, "\r\x1b[J") // the line's last row; a terminal that is gone hangs up
}

// note tells whoever sits there something that is no message.
func (c *console) note(text string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	switch terminal := isTerminal(c.std.err); {
	case terminal && c.restore != nil:
		_ = c.above(c.paint(faint, text) + "\n") // a terminal that is gone hangs up
	case terminal:
		fmt.Fprintln(c.std.err, c.paint(faint, text))
	default:
		fmt.Fprintln(c.std.err, text)
	}
}

// message shows a message, or as much of it as has come.
func (c *console) message(m leat.Message) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if !c.shown {
		c.data = append(c.data[:0], m.Data...)
		if m.Last && m.Type == leat.TextMessage {
			c.data = append(c.data, '\n')
		}
		_, err := c.std.out.Write(c.data)
		return err
	}
	most := mostText
	if m.Type == leat.BinaryMessage {
		most = mostBinary
	}
	c.size += len(m.Data)
	c.data = append(c.data, m.Data[:min(len(m.Data), most-len(c.data))]...)
	if !m.Last {
		return nil
	}
	err := c.above(c.drawn(m.Type))
	c.data, c.size = c.data[:0], 0
	return err
}

// drawn is the gathered message as a terminal shows it: what a server sends
// stands behind a mark, or is indented, so that it cannot pass for anything
// else.
func (c *console) drawn(kind leat.MessageType) string {
	mark, indent := "", ""
	if c.editing() {
		mark, indent = "< ", "  "
	}
	var b strings.Builder
	b.WriteString(mark)
	if kind == leat.BinaryMessage {
		fmt.Fprintf(&b, "%d bytes\n", c.size)
		b.WriteString(hex.Dump(c.data))
	} else {
		lines := strings.SplitAfter(string(wholeCharacters(c.data, c.size)), "\n")
		for i, line := range lines {
			if i > 0 {
				b.WriteString(indent)
			}
			text, newline := strings.CutSuffix(line, "\n")
			b.WriteString(visible(text))
			if newline {
				b.WriteByte('\n')
			}
		}
		b.WriteByte('\n')
	}
	text := c.paint(cyan, strings.TrimSuffix(b.String(), "\n")) + "\n"
	if c.size > len(c.data) {
		text += c.paint(faint, fmt.Sprintf("%sthese are the first %d of %d bytes; a pipe gets them all\n", indent, len(c.data), c.size))
	}
	return text
}

// above writes text above the line that is being typed.
func (c *console) above(text string) error {
	if c.restore == nil {
		_, err := io.WriteString(c.std.out, text)
		return err
	}
	c.fit()
	// The editor goes to the line's beginning by counting characters, and some
	// are two columns wide: the sequence goes all the way.
	_, err := io.WriteString(c.editor, "\r\x1b[J"+text)
	return err
}

// fit tells the editor how wide the terminal is.
func (c *console) fit() {
	out := c.std.out.(*os.File)
	if w, h, err := term.GetSize(int(out.Fd())); err == nil && w > 0 {
		_ = c.editor.SetSize(w, h) // an error is that of a write, which comes again
	}
}

func (c *console) paint(colour, text string) string {
	if !c.colours {
		return text
	}
	return colour + text + plain
}

// lines answers what reads the input's lines, without their ends.
func (c *console) lines() func() ([]byte, error) {
	if c.editing() {
		return c.editLine
	}
	in := bufio.NewReader(c.std.in)
	return func() ([]byte, error) {
		line, err := in.ReadBytes('\n')
		if err != nil && (len(line) == 0 || !errors.Is(err, io.EOF)) {
			return nil, err
		}
		if n := len(line); line[n-1] == '\n' {
			line = line[:n-1]
		}
		if n := len(line); n > 0 && line[n-1] == '\r' {
			line = line[:n-1]
		}
		return line, nil
	}
}

// mostTyped is the editor's own bound: it drops what is typed beyond.
const mostTyped = 4096

// editLine reads a line that is not empty. Ctrl-C ends the input, as Ctrl-D
// does.
func (c *console) editLine() ([]byte, error) {
	for {
		line, err := c.editor.ReadLine()
		switch {
		case err != nil && !errors.Is(err, term.ErrPasteIndicator):
			return nil, err
		case utf8.RuneCountInString(line) >= mostTyped:
			c.note(fmt.Sprintf("not sent: a line that is typed ends after %d characters; a pipe takes any", mostTyped))
		case line != "":
			return []byte(line), nil
		}
	}
}

// chunks answers what reads the input as it comes.
func (c *console) chunks() func() ([]byte, error) {
	buf := make([]byte, 64<<10)
	return func() ([]byte, error) {
		n, err := io.ReadAtLeast(c.std.in, buf, 1)
		return buf[:n], err
	}
}

// A keyboard is the terminal as the editor sees it.
type keyboard struct{ console *console }

// Read reads keys, and sees whether the terminal's size has changed.
func (k *keyboard) Read(b []byte) (int, error) {
	n, err := k.console.std.in.Read(b)
	k.console.fit()
	return n, err
}

// Write draws, until the terminal is given back: the editor may only begin then.
func (k *keyboard) Write(b []byte) (int, error) {
	c := k.console
	c.drawing.Lock()
	defer c.drawing.Unlock()
	if c.left {
		return len(b), nil
	}
	return c.std.out.Write(b)
}

// A history is without empty lines.
type history struct{ term.History }

func (h history) Add(line string) {
	if line != "" {
		h.History.Add(line)
	}
}

// wholeCharacters is data without a character that was cut because a message is
// longer.
func wholeCharacters(data []byte, size int) []byte {
	if size == len(data) {
		return data
	}
	for i := len(data) - 1; i >= 0 && i >= len(data)-utf8.UTFMax; i-- {
		if utf8.RuneStart(data[i]) {
			if !utf8.FullRune(data[i:]) {
				return data[:i]
			}
			break
		}
	}
	return data
}

// visible is text whose characters are all seen, and move nothing: those that
// control a terminal or the direction of writing are escaped.
func visible(text string) string {
	var b strings.Builder
	for len(text) > 0 {
		r, n := utf8.DecodeRuneInString(text)
		switch {
		case r == utf8.RuneError && n == 1:
			fmt.Fprintf(&b, `\x%02x`, text[0])
		case r == '\t':
			b.WriteByte('\t')
		case unicode.IsControl(r), unicode.Is(unicode.Bidi_Control, r), unicode.In(r, unicode.Zl, unicode.Zp):
			b.WriteString(strings.Trim(strconv.QuoteRuneToASCII(r), "'"))
		default:
			b.WriteString(text[:n])
		}
		text = text[n:]
	}
	return b.String()
}
