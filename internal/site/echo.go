package site

import (
	"errors"
	"net/http"

	"github.com/leat-dev/leat"
)

// echo sends each message back as it came: text or binary, whole or in the
// pieces in which it was handed over.
func echo(w http.ResponseWriter, r *http.Request) {
	_, _ = leat.Upgrade(w, r, &leat.SocketOptions{Message: func(s *leat.Socket, m leat.Message) {
		if _, err := s.Send(m); errors.Is(err, leat.ErrSlowReader) {
			// A peer that sends faster than it reads waits here: while a callback
			// runs, nothing more is read. What fails now has ended the socket.
			_, _ = s.Write(s.Context(), m)
		}
	}})
}
