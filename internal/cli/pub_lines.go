package cli

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"sync"
	"unicode/utf8"
)

// A payload is what one message holds.
type payload struct {
	data   []byte
	kind   payloadKind
	number int // of its line or argument, from 1
}

type payloadKind int8

const (
	jsonPayload payloadKind = iota
	textPayload
	bytesPayload
)

var payloadTypes = map[payloadKind]string{
	jsonPayload:  "application/json",
	textPayload:  "text/plain; charset=utf-8",
	bytesPayload: "application/octet-stream",
}

var errNotText = errors.New("not UTF-8")

func checkText(data []byte) error {
	if !utf8.Valid(data) {
		return errNotText
	}
	return nil
}

func checkJSON(data []byte) error {
	var raw json.RawMessage
	if err := json.Unmarshal(data, &raw); err != nil {
		return fmt.Errorf("not JSON: %w", err)
	}
	return checkText(data)
}

// What goes together, and what a line may have.
const (
	batchLines  = 256
	batchBytes  = 256 << 10
	longestLine = 16 << 20
)

// payloads are what has been read and not yet been published: a queue between
// the input and the network, bounded to about a batch.
type payloads struct {
	word string // what one of them is called

	mu      sync.Mutex
	waiting []payload
	size    int
	last    int // the number of the last one that has been put
	ended   bool
	failure error         // why there is no more
	more    chan struct{} // has one when something has been put, or all has ended
	room    chan struct{} // has one when something has been taken
	over    chan struct{} // closed at the end
}

func newPayloads() *payloads {
	return &payloads{word: "line", more: make(chan struct{}, 1), room: make(chan struct{}, 1), over: make(chan struct{})}
}

// fill takes arguments, all of them or none.
func (q *payloads) fill(o *pubOptions, messages []string) error {
	q.word = "message"
	for i, text := range messages {
		p := payload{data: []byte(text), number: i + 1}
		var err error
		if p.kind, err = o.kind(p.data); err != nil {
			return fmt.Errorf("message %d is %w", p.number, err)
		}
		q.waiting = append(q.waiting, p)
		q.last = p.number
	}
	q.end(nil)
	return nil
}

// read takes lines until the input ends. Those that it has at once are put
// at once.
func (q *payloads) read(o *pubOptions, in io.Reader) {
	r := bufio.NewReaderSize(in, 64<<10)
	var group []payload
	for number := 1; ; number++ {
		data, err := readLine(r)
		whole := err == nil || errors.Is(err, io.EOF) && len(data) > 0
		p := payload{data: data, number: number}
		var bad error
		if skip := o.json && len(bytes.TrimSpace(data)) == 0; whole && !skip {
			if p.kind, bad = o.kind(data); bad == nil {
				group = append(group, p)
			}
		}
		at, _ := r.Peek(r.Buffered()) // what it has
		if bad == nil && err == nil && len(group) < batchLines && bytes.IndexByte(at, '\n') >= 0 {
			continue
		}
		if !q.put(group) {
			return
		}
		group = nil
		switch {
		case bad != nil:
			q.end(fmt.Errorf("line %d is %w", number, bad))
			return
		case errors.Is(err, io.EOF):
			q.end(nil)
			return
		case err != nil:
			q.end(fmt.Errorf("the input, line %d: %w", number, err))
			return
		}
	}
}

// readLine reads a line without its end, which the last one need not have.
func readLine(r *bufio.Reader) ([]byte, error) {
	var line []byte
	for {
		part, err := r.ReadSlice('\n')
		line = append(line, part...)
		if len(line) > longestLine {
			return nil, fmt.Errorf("longer than %d MiB", longestLine>>20)
		}
		if errors.Is(err, bufio.ErrBufferFull) {
			continue
		}
		line = bytes.TrimSuffix(bytes.TrimSuffix(line, []byte{'\n'}), []byte{'\r'})
		return line, err
	}
}

// put adds payloads. It waits while enough is there, and answers false when no
// more are wanted.
func (q *payloads) put(group []payload) bool {
	for {
		q.mu.Lock()
		ended := q.ended
		wait := len(q.waiting) >= batchLines || q.size >= batchBytes
		if !ended && !wait {
			q.waiting = append(q.waiting, group...)
			for _, p := range group {
				q.size += len(p.data)
				q.last = p.number
			}
		}
		q.mu.Unlock()
		switch {
		case ended:
			return false
		case !wait:
			signalOn(q.more)
			return true
		}
		select {
		case <-q.room:
		case <-q.over:
		}
	}
}

// taken is the number of the last payload that has been read.
func (q *payloads) taken() int {
	q.mu.Lock()
	defer q.mu.Unlock()
	return q.last
}

// end says that no more will come, and why.
func (q *payloads) end(failure error) {
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.ended {
		return
	}
	q.ended, q.failure = true, failure
	close(q.over)
}

// next waits for what goes into the next request; nothing is the end, with its
// reason. Bytes stand alone: a line of NDJSON does not say what they are.
func (q *payloads) next() ([]payload, error) {
	for {
		q.mu.Lock()
		n, size := 0, 0
		for _, p := range q.waiting[:min(len(q.waiting), batchLines)] {
			size += encodedSize(p)
			if n > 0 && (size > batchBytes || p.kind == bytesPayload) {
				break
			}
			n++
			if p.kind == bytesPayload {
				break
			}
		}
		batch, ended, failure := q.waiting[:n:n], q.ended, q.failure
		q.waiting = q.waiting[n:]
		for _, p := range batch {
			q.size -= len(p.data)
		}
		q.mu.Unlock()
		switch {
		case n > 0:
			signalOn(q.room)
			return batch, nil
		case ended:
			return nil, failure
		}
		select {
		case <-q.more:
		case <-q.over:
		}
	}
}

func signalOn(c chan struct{}) {
	select {
	case c <- struct{}{}:
	default:
	}
}

// A batchLine is a message of a batch.
type batchLine struct {
	Data  json.RawMessage `json:"data"`
	Event string          `json:"event,omitempty"`
	Key   string          `json:"key,omitempty"`
}

// appendLine appends a message as a line of a batch.
func appendLine(b []byte, p payload, event, key string) []byte {
	data := json.RawMessage(p.data)
	if p.kind == textPayload {
		data = encoded(string(p.data))
	}
	return append(b, encoded(batchLine{data, event, key})...)
}

// encodedSize is about how long a message is in a batch.
func encodedSize(p payload) int { return len(appendLine(nil, p, "", "")) }

// encoded is v in one line of JSON, and its end.
func encoded(v any) []byte {
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	_ = enc.Encode(v) // these are structs and strings
	return b.Bytes()
}
