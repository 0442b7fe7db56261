package leat

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"mime"
	"net/http"
	"strings"
	"unicode/utf8"

	"github.com/leat-dev/leat/internal/access"
	"github.com/leat-dev/leat/internal/pattern"
	"github.com/leat-dev/leat/internal/serve"
	"github.com/leat-dev/leat/internal/topic"
)

// batchMost is how many messages one request may publish.
const batchMost = 10_000

// A parcel is a message and the topic that it is for.
type parcel struct {
	topic string
	Message
}

// publishFrom publishes messages of somebody at an address, or none of them.
func (t *topics) publishFrom(remote string, messages []parcel, once string) (Receipt, error) {
	entries := make([]topic.Entry, 0, len(messages))
	fresh := map[string]bool{}
	for _, m := range messages {
		e, err := t.entry(m.topic, m.Message)
		if err != nil {
			return Receipt{}, err
		}
		if !t.hub.Exists(m.topic) {
			fresh[m.topic] = true
		}
		entries = append(entries, e)
	}
	if first, ok := t.hub.Attempted(once); ok { // it publishes nothing, and costs no part of the rate
		return receiptOf(first), nil
	}
	err := t.caps.publish(remote, len(entries), len(fresh))
	var r Receipt
	if err == nil {
		if r, err = t.publish(entries, once); err != nil {
			t.caps.forgive(remote, len(fresh))
		}
	}
	if err != nil && len(entries) > 1 {
		err = fmt.Errorf("%w; nothing is published", err)
	}
	return r, err
}

// post answers a publisher.
func (t *topics) post(w http.ResponseWriter, r *http.Request, topics []string) {
	topics = append(topics, r.URL.Query()["topic"]...)
	media, err := mediaOf(r)
	if err != nil {
		serve.Error(w, r, http.StatusUnsupportedMediaType, err.Error())
		return
	}
	if len(topics) != 1 && (len(topics) > 1 || media != typeNDJSON) {
		serve.Error(w, r, http.StatusBadRequest, fmt.Sprintf("%d topics are named; a message is published to one", len(topics)))
		return
	}
	name := ""
	if len(topics) > 0 {
		name = topics[0]
	}
	c := t.callerOf(r)
	if name != "" {
		if err := pattern.ValidName(name); err != nil {
			serve.Error(w, r, http.StatusBadRequest, err.Error())
			return
		}
		if err := c.may(access.Publish, name); err != nil {
			t.refuse(w, r, err)
			return
		}
	}
	if r.ContentLength > t.bodyMost(media) && t.bodyMost(media) > 0 {
		t.refuse(w, r, t.tooLarge(media))
		return
	}
	body, err := io.ReadAll(http.MaxBytesReader(nil, r.Body, t.bodyMost(media)))
	if err != nil {
		if _, tooLarge := errors.AsType[*http.MaxBytesError](err); tooLarge {
			t.refuse(w, r, t.tooLarge(media))
			return
		}
		serve.Error(w, r, http.StatusBadRequest, "the body has not come whole")
		return
	}
	messages, err := t.messages(r, media, name, body, &c)
	if err != nil {
		t.refuse(w, r, err)
		return
	}
	once := r.Header.Get("Idempotency-Key")
	messages[0].IdempotencyKey = once // which is checked with it
	receipt, err := t.publishFrom(r.RemoteAddr, messages, onceOf(c.subject(), name, once))
	if err != nil {
		t.refuse(w, r, err)
		return
	}
	answer := struct {
		ID        string `json:"id"`
		Count     int64  `json:"count"`
		Published int    `json:"published,omitempty"`
	}{ID: receipt.ID, Count: receipt.Count}
	if media == typeNDJSON {
		answer.Published = len(messages)
	}
	answerJSON(w, answer)
}

// bodyMost is how large a body may be.
func (t *topics) bodyMost(media string) int64 {
	most := t.srv.config.Limits.MaxMessage
	if most <= 0 {
		most = unbounded
	}
	if media == typeNDJSON {
		return min(16*most, unbounded)
	}
	return most
}

func (t *topics) tooLarge(media string) error {
	if media == typeNDJSON {
		return fmt.Errorf("%w: a batch may have %d bytes (16 times limits.maxMessage)", ErrTooLarge, t.bodyMost(media))
	}
	return fmt.Errorf("%w: a message may have %d bytes (limits.maxMessage)", ErrTooLarge, t.srv.config.Limits.MaxMessage)
}

// mediaOf is the type of a request's body: one of those below, or "" for what has
// to be guessed.
func mediaOf(r *http.Request) (string, error) {
	text := r.Header.Get("Content-Type")
	if text == "" {
		return "", nil
	}
	media, params, err := mime.ParseMediaType(text)
	switch {
	case err != nil:
		return "", fmt.Errorf("the Content-Type is none: %w", err)
	case media == "application/x-www-form-urlencoded":
		return "", nil
	case strings.HasPrefix(media, "text/"):
		if set := params["charset"]; set != "" && !strings.EqualFold(set, "utf-8") && !strings.EqualFold(set, "us-ascii") {
			return "", fmt.Errorf("the text is in %s; send UTF-8", set)
		}
		return "text/plain", nil
	case media == "application/ndjson":
		return typeNDJSON, nil
	case media == typeJSON, media == typeNDJSON, media == "application/octet-stream":
		return media, nil
	}
	return "", fmt.Errorf("a message is %s, text/plain or application/octet-stream, and a batch %s; %s is neither", typeJSON, typeNDJSON, media)
}

// messages are what a body has.
func (t *topics) messages(r *http.Request, media, name string, body []byte, c *caller) ([]parcel, error) {
	if media == typeNDJSON {
		return t.batch(name, body, c)
	}
	m := guessed(body)
	m.Event, m.Key = r.Header.Get("Leat-Event"), r.Header.Get("Leat-Key")
	query := r.URL.Query()
	if m.Event == "" {
		m.Event = query.Get("event")
	}
	if m.Key == "" {
		m.Key = query.Get("key")
	}
	switch media {
	case typeJSON:
		m.Type = JSONMessage
	case "text/plain":
		m.Type = TextMessage
	case "application/octet-stream":
		m.Type = BinaryMessage
	}
	return []parcel{{name, m}}, nil
}

// guessed is a message of what nothing is said of: JSON if it is JSON, else text,
// else bytes.
func guessed(data []byte) Message {
	m := Message{Type: BinaryMessage, Data: data, Last: true}
	if utf8.Valid(data) {
		m.Type = TextMessage
		if json.Valid(data) {
			m.Type = JSONMessage
		}
	}
	return m
}

// batch reads the lines of a batch.
func (t *topics) batch(name string, body []byte, c *caller) ([]parcel, error) {
	var messages []parcel
	allowed := map[string]bool{name: name != ""}
	number := 0
	for line := range bytes.Lines(body) {
		number++
		if line = bytes.TrimSpace(line); len(line) == 0 {
			continue
		}
		m, err := batchLine(line, name)
		if err == nil && !allowed[m.topic] {
			err = c.may(access.Publish, m.topic)
			allowed[m.topic] = true
		}
		if err == nil {
			_, err = t.entry(m.topic, m.Message)
		}
		if err == nil && len(messages) == batchMost {
			err = fmt.Errorf("%w: a batch has at most %d messages", ErrTooLarge, batchMost)
		}
		if err != nil {
			return nil, atLine(number, err)
		}
		messages = append(messages, m)
	}
	if len(messages) == 0 {
		return nil, &topicError{http.StatusBadRequest, `the batch is empty; write a line each of {"data":…}`}
	}
	return messages, nil
}

// A batchError is an error with the line that has it.
type batchError struct {
	line int
	err  error
}

func (e *batchError) Error() string {
	return fmt.Sprintf("line %d of the batch: %s; nothing is published", e.line, textOf(e.err))
}

func (e *batchError) Unwrap() error { return e.err }

func atLine(line int, err error) error { return &batchError{line, err} }

// batchLine reads one line of a batch.
func batchLine(line []byte, name string) (parcel, error) {
	var l struct {
		Topic    string          `json:"topic"`
		Event    string          `json:"event"`
		Key      string          `json:"key"`
		Encoding string          `json:"encoding"`
		Data     json.RawMessage `json:"data"`
	}
	if !utf8.Valid(line) { // package encoding/json would put something in its place
		return parcel{}, ErrInvalidUTF8
	}
	if err := json.Unmarshal(line, &l); err != nil {
		return parcel{}, fmt.Errorf("%w: %s", ErrMessage, faultOf(err))
	}
	if l.Data == nil {
		return parcel{}, fmt.Errorf("%w: it has no data", ErrMessage)
	}
	if l.Topic == "" {
		l.Topic = name
	}
	if l.Topic == "" {
		return parcel{}, fmt.Errorf("%w: no topic is named", ErrMessage)
	}
	if err := pattern.ValidName(l.Topic); err != nil {
		return parcel{}, fmt.Errorf("%w: %w", ErrMessage, err)
	}
	m, err := payload(l.Data, l.Encoding)
	m.Event, m.Key = l.Event, l.Key
	return parcel{l.Topic, m}, err
}

// faultOf is what is wrong with a line that is none of a batch, in words that
// whoever has sent it knows.
func faultOf(err error) string {
	const object = `it is not an object like {"data":…}`
	wrong, typed := errors.AsType[*json.UnmarshalTypeError](err)
	switch {
	case !typed:
		return object + ": " + err.Error()
	case wrong.Field != "":
		return fmt.Sprintf("its %s is no text: %s", wrong.Field, wrong.Value)
	}
	return object
}

// payload is the data of a record as a message: a JSON string is a text, or bytes
// in base64.
func payload(data json.RawMessage, encoding string) (Message, error) {
	m := Message{Type: JSONMessage, Data: bytes.Clone(data), Last: true}
	if data[0] != '"' {
		if encoding != "" {
			return m, fmt.Errorf("%w: data with an encoding is a string", ErrMessage)
		}
		return m, nil
	}
	var text string
	if err := json.Unmarshal(data, &text); err != nil {
		return m, fmt.Errorf("%w: %w", ErrMessage, err)
	}
	m.Type, m.Data = TextMessage, []byte(text)
	switch encoding {
	case "":
		return m, nil
	case "base64":
		var err error
		if m.Data, err = base64.StdEncoding.DecodeString(text); err != nil {
			return m, fmt.Errorf("%w: the data is not base64: %w", ErrMessage, err)
		}
		m.Type = BinaryMessage
		return m, nil
	}
	return m, fmt.Errorf("%w: the encoding is %q; write base64, or none", ErrMessage, encoding)
}

// A topicError says why something is not done, or what would be, with the status that
// goes with it.
type topicError struct {
	status int
	text   string
}

func (e *topicError) Error() string { return e.text }

// textOf is what an error says to others.
func textOf(err error) string { return strings.TrimPrefix(err.Error(), "leat: ") }

// statusOf is the status that goes with an error.
func statusOf(err error) int {
	var refused *topicError
	switch {
	case errors.As(err, &refused):
		return refused.status
	case errors.Is(err, ErrTooLarge):
		return http.StatusRequestEntityTooLarge
	case errors.Is(err, errState):
		return http.StatusInternalServerError
	case errors.Is(err, ErrTopics), errors.Is(err, ErrShutdown):
		return http.StatusServiceUnavailable
	}
	return http.StatusBadRequest
}
