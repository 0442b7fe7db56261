package cli

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"
)

// A record is one of a topic's stream: a message, or a control record.
type record struct {
	Control string
	ID      string
	Data    json.RawMessage

	// Those of control records.
	Heartbeat float64 // seconds
	Missed    map[string]int64
	AtLeast   bool
	Reason    string
	From      string
	In        float64 // seconds
	Retry     int64   // milliseconds

	raw json.RawMessage
}

func readRecord(raw json.RawMessage) (*record, error) {
	if bytes.ContainsAny(raw, "\r\n") {
		var b bytes.Buffer
		_ = json.Compact(&b, raw) // Unmarshal says what is wrong
		raw = b.Bytes()
	}
	r := &record{raw: raw}
	err := json.Unmarshal(raw, r)
	if err == nil && r.Control == "" && (r.Data == nil || r.ID == "") {
		err = errors.New("it has no id and data, and is no control record")
	}
	if err != nil {
		return nil, fmt.Errorf("%s: %w", visible(beginning(string(raw))), err)
	}
	return r, nil
}

// beginning is as much of a text as fits into a sentence.
func beginning(text string) string {
	const most = 60
	if len(text) <= most {
		return text
	}
	return string(wholeCharacters([]byte(text[:most]), len(text))) + "…"
}

// line is the message in one line: JSON as it is, text without its quotes where
// it has no line end, and bytes in base64.
func (r *record) line() string {
	var text string
	if r.Data[0] == '"' && json.Unmarshal(r.Data, &text) == nil && !strings.ContainsAny(text, "\r\n") {
		return text
	}
	return string(r.Data)
}

// sentence is what a control record says, "" where that is what was expected.
func (r *record) sentence() string {
	switch r.Control {
	case "open", "resumed", "position":
		return ""
	case "gap":
		return r.missing()
	case "reset":
		return fmt.Sprintf("the position %s %s; what has been missed is unknown", visible(r.From), because(r.Reason, map[string]string{
			"epoch":   "is of a server that has started anew since, without its history",
			"future":  "is one that this server has not come to",
			"unknown": "is none of this server",
		}))
	case "expired":
		return fmt.Sprintf("the token ends in %ss, and the stream with it", strconv.FormatFloat(r.In, 'g', 4, 64))
	case "drain":
		return fmt.Sprintf("the server is about to stop; %s", again(time.Duration(r.Retry)*time.Millisecond))
	}
	return "the server says: " + visible(beginning(string(r.raw)))
}

// missing says what a gap has swallowed.
func (r *record) missing() string {
	var of []string
	total := int64(0)
	for _, topic := range slices.Sorted(maps.Keys(r.Missed)) {
		n := r.Missed[topic]
		total += n
		count := strconv.FormatInt(n, 10)
		if len(of) == 0 {
			count = plural(n, "message", "messages")
		}
		of = append(of, count+" of "+visible(topic))
	}
	text := strings.Join(of, ", ")
	is := " are"
	switch {
	case len(of) == 0:
		text = "messages"
	case total == 0: // at least
		text, is = "messages of "+visible(strings.Join(slices.Sorted(maps.Keys(r.Missed)), ", ")), " may be"
	case r.AtLeast:
		text = "at least " + text
	}
	if total == 1 && len(of) == 1 {
		is = " is"
	}
	return text + is + " missing: " + because(r.Reason, map[string]string{
		"slow":    "the reader was too slow",
		"history": "the server does not keep them any more",
		"restart": "the server has started anew",
	})
}

// because is a reason in words, where it is known.
func because(reason string, words map[string]string) string {
	if text, known := words[reason]; known {
		return text
	}
	return visible(reason)
}
