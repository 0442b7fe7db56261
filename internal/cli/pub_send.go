package cli

import (
	"bytes"
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"sync/atomic"
	"time"
)

// A publisher sends messages to a topic, one request after the other.
type publisher struct {
	o      *pubOptions
	url    *url.URL
	client *http.Client
	note   func(text string)

	begun bool // a server has answered
	count atomic.Int64
	id    atomic.Pointer[string]
	state atomic.Pointer[string]
}

// last is the id of the last message.
func (p *publisher) last() string {
	if id := p.id.Load(); id != nil {
		return *id
	}
	return ""
}

// hurried is how long what has been read may take behind a signal.
const hurried = 2 * time.Second

// run publishes until the queue has ended.
func (p *publisher) run(signalled context.Context, q *payloads) error {
	ctx, cancel := context.WithCancelCause(context.WithoutCancel(signalled))
	defer cancel(nil)
	defer context.AfterFunc(signalled, func() {
		late := time.AfterFunc(hurried, func() { cancel(errInterrupted) })
		context.AfterFunc(ctx, func() { late.Stop() })
	})()
	for {
		batch, err := q.next()
		if len(batch) == 0 {
			return err
		}
		if err := p.publish(ctx, batch, q); err != nil {
			return err
		}
	}
}

var errInterrupted = errors.New("interrupted while no answer came")

// publish publishes a batch of a queue. One that is too large as a whole goes in
// halves.
func (p *publisher) publish(ctx context.Context, batch []payload, q *payloads) error {
	r, err := p.post(ctx, batch)
	if n := len(batch); n > 1 && status(err) == http.StatusRequestEntityTooLarge {
		if err := p.publish(ctx, batch[:n/2], q); err != nil {
			return err
		}
		return p.publish(ctx, batch[n/2:], q)
	}
	if err != nil {
		first, last := batch[0].number, batch[len(batch)-1].number
		where, behind := fmt.Sprintf("%s %d was", q.word, first), ", and none behind it"
		if first != last {
			where, behind = fmt.Sprintf("%ss %d to %d were", q.word, first, last), ", and none behind them"
		}
		if q.taken() == last {
			behind = ""
		}
		return fmt.Errorf("%s not published%s: %s", where, behind, p.o.explain(err))
	}
	p.count.Add(int64(len(batch)))
	p.id.Store(&r.ID)
	return nil
}

// A receipt is what a server answers to a message, or to a batch.
type receipt struct {
	ID string `json:"id"`
}

// post makes a request until it is answered.
func (p *publisher) post(ctx context.Context, batch []payload) (receipt, error) {
	target, media, body := p.request(batch)
	key := rand.Text()
	began := time.Now()
	pauses := backoff{random: p.o.random}
	told := ""
	defer p.become("")
	for {
		r, err := p.attempt(ctx, target, media, key, body)
		if err == nil {
			if told != "" {
				p.note("published after all")
			}
			return r, nil
		}
		if ctx.Err() != nil {
			return r, context.Cause(ctx)
		}
		pause := pauses.next(askedToWait(err))
		if hopeless(err, p.begun) || time.Since(began)+pause > time.Duration(p.o.retry) {
			return r, err
		}
		text := again(pause)
		if why := p.o.explain(err); why != told {
			p.note(why + "; " + text)
			told = why
		}
		p.become(text)
		waited(ctx, pause) // else the next attempt ends at once
	}
}

func (p *publisher) become(state string) { p.state.Store(&state) }

// request is what a batch is sent as.
func (p *publisher) request(batch []payload) (target, media string, body []byte) {
	if len(batch) > 1 {
		for _, line := range batch {
			body = appendLine(body, line, p.o.event, p.o.key)
		}
		return p.url.String(), mediaTypes[ndjsonKind], body
	}
	u := *p.url
	if p.o.event != "" || p.o.key != "" {
		q := u.Query() // which takes any text, where a header does not
		for name, value := range map[string]string{"event": p.o.event, "key": p.o.key} {
			if value != "" {
				q.Set(name, value)
			}
		}
		u.RawQuery = q.Encode()
	}
	return u.String(), payloadTypes[batch[0].kind], batch[0].data
}

func (p *publisher) attempt(ctx context.Context, target, media, key string, body []byte) (r receipt, err error) {
	ctx, cancel := context.WithTimeoutCause(ctx, patience, errPatience)
	defer cancel()
	defer func() {
		if err != nil && ctx.Err() != nil {
			err = context.Cause(ctx)
		}
	}()
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, target, bytes.NewReader(body))
	if err != nil {
		return r, err
	}
	p.o.fill(req)
	req.Header.Set("Content-Type", media)
	req.Header.Set("Idempotency-Key", key)
	resp, err := p.client.Do(req)
	if err != nil {
		return r, err
	}
	defer drained(resp)
	if resp.StatusCode/100 != 2 {
		return r, refused(resp, "")
	}
	answer, err := io.ReadAll(io.LimitReader(resp.Body, 64<<10))
	if err != nil {
		return r, err
	}
	if err := json.Unmarshal(answer, &r); err != nil || r.ID == "" {
		return r, &topicRefusal{status: resp.StatusCode, text: fmt.Sprintf("the answer is %d, and no topic's: %s", resp.StatusCode, visible(beginning(string(answer))))}
	}
	p.begun = true
	return r, nil
}
