package leat

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"strconv"
	"unicode/utf8"

	"github.com/leat-dev/leat/internal/deflate"
	"github.com/leat-dev/leat/internal/topic"
	"github.com/leat-dev/leat/internal/wire/ndjson"
	"github.com/leat-dev/leat/internal/wire/sse"
	"github.com/leat-dev/leat/internal/wire/ws"
)

// A dialect is one way to write the messages of topics; docs/protocol.md has them
// all.
type dialect struct {
	transport string // as Topic.Stats names it
	message   func(dst []byte, m *topic.Message) []byte
	control   func(dst []byte, c *controlRecord) []byte // nil: there are none
	beat      func(dst []byte) []byte                   // nil: a position takes its place
	framing   framing
}

// A framing is what a record is wrapped into.
type framing uint8

const (
	framedNot framing = iota
	framedChunk
	framedMessage  // of a WebSocket
	framedDeflated // and compressed
)

// The formats of topics, without their framing.
const (
	formatNDJSON = iota
	formatBare
	formatSSE
	formatEnvelope
	formats
)

// encodingOf is the encoding of a format on a stream.
func encodingOf(format int, chunked bool) topic.Encoding {
	if chunked {
		format += formats
	}
	return topic.Encoding(format)
}

// Encodings of WebSockets.
const (
	encodingSocket = topic.Encoding(2*formats + iota)
	encodingSocketBare
	encodingSocketDeflated
	encodingSocketBareDeflated
)

// dialects are the encodings of topics.
var dialects = func() []dialect {
	plain := []dialect{
		formatNDJSON:   {transport: "ndjson", message: appendLine, control: controlLine, beat: ndjson.AppendHeartbeat},
		formatBare:     {transport: "ndjson", message: appendBareLine, beat: ndjson.AppendHeartbeat},
		formatSSE:      {transport: "sse", message: appendEvent, control: controlEvent, beat: sse.AppendHeartbeat},
		formatEnvelope: {transport: "sse", message: appendEnvelope, control: controlEvent, beat: sse.AppendHeartbeat},
	}
	all := make([]dialect, 0, 2*formats+4)
	all = append(all, plain...)
	for _, d := range plain {
		d.framing = framedChunk
		all = append(all, d)
	}
	for _, framing := range []framing{framedMessage, framedDeflated} {
		all = append(all,
			dialect{transport: "websocket", message: appendRecord, control: controlRecordOf, framing: framing},
			dialect{transport: "websocket", message: appendPayload, framing: framing})
	}
	return all
}()

// encoders are the dialects as a hub wants them.
func encoders() []func(*topic.Message) []byte {
	list := make([]func(*topic.Message) []byte, 0, len(dialects))
	for i := range dialects {
		d := &dialects[i]
		list = append(list, func(m *topic.Message) []byte {
			opcode := ws.OpText
			if m.Kind == topic.Bytes && d.control == nil {
				opcode = ws.OpBinary
			}
			return d.frame(d.message(make([]byte, chunkRoom, chunkRoom+len(m.Data)+256), m), opcode)
		})
	}
	return list
}

// frame wraps what stands behind chunkRoom.
func (d *dialect) frame(b []byte, opcode ws.Opcode) []byte {
	payload := b[chunkRoom:]
	switch d.framing {
	case framedChunk:
		return bytes.Clone(chunked(b))
	case framedMessage:
		return ws.AppendFrame(nil, ws.Header{Fin: true, Opcode: opcode}, payload)
	case framedDeflated:
		if len(payload) >= deflateLeast {
			return ws.AppendFrame(nil, ws.Header{Fin: true, RSV1: true, Opcode: opcode}, deflate.Append(nil, payload, true, deflateBits))
		}
		return ws.AppendFrame(nil, ws.Header{Fin: true, Opcode: opcode}, payload)
	case framedNot:
	}
	return bytes.Clone(payload)
}

// What is compressed for many: messages from a size up, with the largest window.
const (
	deflateLeast = 256
	deflateBits  = 15
)

// record writes a control of a dialect; nil: it has none.
func (d *dialect) record(c *controlRecord) []byte {
	if d.control == nil {
		return nil
	}
	return d.frame(d.control(make([]byte, chunkRoom, 256), c), ws.OpText)
}

// heartbeat writes one.
func (d *dialect) heartbeat(at topic.ID, moved bool) []byte {
	if d.control != nil && (moved || d.beat == nil) {
		return d.record(&controlRecord{Control: topic.Position, ID: at.String()})
	}
	if d.beat == nil {
		return nil
	}
	return d.frame(d.beat(make([]byte, chunkRoom, 32)), ws.OpText)
}

// appendRecord appends a message as a JSON object.
func appendRecord(dst []byte, m *topic.Message) []byte {
	dst = append(dst, `{"id":"`...)
	dst = m.ID().Append(dst)
	dst = append(dst, `","topic":`...)
	dst = appendText(dst, m.Topic)
	if m.Event != "" {
		dst = append(dst, `,"event":`...)
		dst = appendText(dst, m.Event)
	}
	if m.Key != "" {
		dst = append(dst, `,"key":`...)
		dst = appendText(dst, m.Key)
	}
	dst = append(dst, `,"count":`...)
	dst = strconv.AppendInt(dst, m.Count, 10)
	dst = append(dst, `,"time":`...)
	dst = strconv.AppendInt(dst, m.Time.UnixMilli(), 10)
	if m.Kind == topic.Bytes {
		dst = append(dst, `,"encoding":"base64"`...)
	}
	dst = append(dst, `,"data":`...)
	return append(appendData(dst, m), '}')
}

// appendData appends the data of a message as JSON without line ends.
func appendData(dst []byte, m *topic.Message) []byte {
	switch m.Kind {
	case topic.Text:
		return appendText(dst, string(m.Data))
	case topic.Bytes:
		dst = append(dst, '"')
		dst = base64.StdEncoding.AppendEncode(dst, m.Data)
		return append(dst, '"')
	case topic.JSON:
	}
	if !bytes.ContainsAny(m.Data, "\r\n") {
		return append(dst, m.Data...)
	}
	b := bytes.NewBuffer(dst)
	if err := json.Compact(b, m.Data); err != nil {
		panic(err) // publishing has checked it
	}
	return b.Bytes()
}

// appendText appends a text as JSON.
func appendText(dst []byte, text string) []byte {
	plain := true
	for i := range len(text) {
		if c := text[i]; c < 0x20 || c >= utf8.RuneSelf || c == '"' || c == '\\' {
			plain = false
			break
		}
	}
	if plain {
		return append(append(append(dst, '"'), text...), '"')
	}
	b := getScratch()
	defer b.free()
	if err := b.json(text); err != nil {
		panic(err) // a text has a JSON form
	}
	return append(dst, bytes.TrimSuffix(b.payload(), []byte("\n"))...)
}

func appendLine(dst []byte, m *topic.Message) []byte {
	return append(appendRecord(dst, m), '\n')
}

func appendBareLine(dst []byte, m *topic.Message) []byte {
	return append(appendData(dst, m), '\n')
}

func appendPayload(dst []byte, m *topic.Message) []byte { return append(dst, m.Data...) }

func appendEvent(dst []byte, m *topic.Message) []byte {
	data := m.Data
	if m.Kind == topic.Bytes {
		data = base64.StdEncoding.AppendEncode(nil, data)
	}
	return appendSSE(dst, m.ID().String(), m.Event, data)
}

func appendEnvelope(dst []byte, m *topic.Message) []byte {
	return appendSSE(dst, m.ID().String(), m.Event, appendRecord(nil, m))
}

func appendSSE(dst []byte, id, event string, data []byte) []byte {
	dst, err := sse.Append(dst, sse.Event{ID: id, Name: event, Data: data})
	if err != nil {
		panic(err) // publishing has checked the event's name, and the id is ours
	}
	return dst
}

// A controlRecord is a control as it goes out.
type controlRecord struct {
	Control string           `json:"control"`
	ID      string           `json:"id,omitempty"`
	From    string           `json:"from,omitempty"`
	To      string           `json:"to,omitempty"`
	Missed  map[string]int64 `json:"missed,omitempty"`
	Counts  map[string]int64 `json:"counts,omitempty"`
	AtLeast bool             `json:"atLeast,omitempty"`
	Reason  string           `json:"reason,omitempty"`
	In      float64          `json:"in,omitempty"`
	Retry   int64            `json:"retry,omitempty"`

	Topics    []string `json:"topics,omitempty"`
	Heartbeat float64  `json:"heartbeat,omitempty"`
	Events    []string `json:"events,omitempty"`
	MaxRate   float64  `json:"maxRate,omitempty"`
	History   string   `json:"history,omitempty"`
	Slow      string   `json:"slow,omitempty"`

	// Of what a WebSocket has published.
	Count  int64           `json:"count,omitempty"`
	Status int             `json:"status,omitempty"`
	Error  string          `json:"error,omitempty"`
	Ref    json.RawMessage `json:"ref,omitempty"`
}

// recordOf is what a hub has to say; q is what was asked for, of the first record.
func recordOf(c *topic.Control, q *topicRequest) *controlRecord {
	r := &controlRecord{
		Control: c.Name, ID: c.ID.String(), From: c.From, Missed: c.Missed, Counts: c.Counts, AtLeast: c.AtLeast, Reason: c.Reason,
	}
	if c.Name == topic.Gap {
		r.To = c.To.String()
	}
	if t := c.Terms; t != nil {
		r.Topics, r.Heartbeat, r.Events, r.MaxRate = t.Patterns, t.Heartbeat.Seconds(), t.Events, t.MaxRate
		r.History, r.Slow = q.history, q.slow
	}
	return r
}

func controlRecordOf(dst []byte, c *controlRecord) []byte {
	b := getScratch()
	defer b.free()
	if err := b.json(c); err != nil {
		panic(err) // its Ref is JSON
	}
	return append(dst, bytes.TrimSuffix(b.payload(), []byte("\n"))...)
}

func controlLine(dst []byte, c *controlRecord) []byte { return append(controlRecordOf(dst, c), '\n') }

func controlEvent(dst []byte, c *controlRecord) []byte {
	out := sse.Event{ID: c.ID, Name: "leat." + c.Control, Data: controlRecordOf(nil, c), Retry: int(c.Retry)}
	dst, err := sse.Append(dst, out)
	if err != nil {
		panic(err) // ids and names are ours
	}
	return dst
}
