package site

import (
	"encoding/json"
	"errors"
	"net/http"

	"github.com/leat-dev/leat"
)

// A caller is a guest of the room who comes by a WebSocket.
type caller struct {
	room   *room
	guest  *guest
	socket *leat.Socket
}

// bySocket is the room's door for WebSockets.
func (r *room) bySocket(w http.ResponseWriter, req *http.Request) {
	c := &caller{room: r, guest: r.newGuest()}
	c.guest.line = c
	_, _ = leat.Upgrade(w, req, &leat.SocketOptions{
		Open:    func(s *leat.Socket) { c.socket = s },
		Message: func(_ *leat.Socket, m leat.Message) { c.message(m) },
		Close:   func(*leat.Socket, int, string, error) { r.leave(c.guest) },
		// It is JSON, so it has to be whole, and UTF-8.
		MaxPacket: leat.Unlimited, PreserveFrames: leat.Off, ValidateUTF: leat.On,
		// Only a welcome is worth it: the rest would be compressed for each guest.
		DeflateMin: 16 << 10,
	})
}

// message does what a guest wishes, or says why not.
func (c *caller) message(m leat.Message) {
	if d := c.room.paced(c.guest); d != nil {
		c.refuse(d)
		return
	}
	if m.Type != leat.TextMessage {
		c.refuse(deny(http.StatusBadRequest, "", "this is a binary message; write JSON as text"))
		return
	}
	var w wish
	switch err := json.Unmarshal(m.Data, &w); {
	case err != nil:
		c.refuse(deny(http.StatusBadRequest, "", `this is not what is understood here; write {"type":"join","name":"Ada"} or {"type":"say","text":"Hello"}`))
	case w.Type == "join":
		c.refuse(c.room.join(c.guest, w, c.greet))
	case w.Type == "say":
		_, d := c.room.say(c.guest, w.Text)
		c.refuse(d)
	default:
		c.refuse(deny(http.StatusBadRequest, "", `%q is no type of a message; write "join" or "say"`, clip(w.Type)))
	}
}

// greet sends the welcome, with as much of what was said as limits.maxMessage
// lets through.
func (c *caller) greet(w welcome) bool {
	for {
		err := c.send(encode(w))
		switch {
		case err == nil:
			return true
		case errors.Is(err, leat.ErrTooLarge) && len(w.Kept) > 0:
			w.Kept = w.Kept[(len(w.Kept)+1)/2:]
			continue
		}
		c.end(leat.CloseTryAgain, "the welcome does not get through: "+err.Error())
		return false
	}
}

// refuse tells a guest why its message has no effect, if it has none. One that
// does not even read that has to go.
func (c *caller) refuse(d *denial) {
	if d == nil {
		return
	}
	if err := c.send(encode(d.refusal)); errors.Is(err, leat.ErrSlowReader) {
		c.end(leat.CloseTryAgain, tooSlow)
	}
}

func (c *caller) send(data []byte) error {
	_, err := c.socket.Send(leat.Text(data))
	return err
}

func (c *caller) end(code int, reason string) { _ = c.socket.CloseWith(code, reason) }
