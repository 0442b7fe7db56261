package peer

import (
	"io"
	"net/http"
	"sync"
)

// Publish is a handler of posts to the topic.
func Publish(publish func(body []byte) error) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		if err == nil {
			err = publish(body)
		}
		if err != nil {
			http.Error(w, err.Error(), http.StatusInternalServerError)
			return
		}
		w.WriteHeader(http.StatusNoContent)
	}
}

// A Hub hands messages to readers as one writes it by hand: by a channel for each.
// Where that is full it waits, since the load wants every message; those that
// leave it out, or end the reader, do not send more slowly.
type Hub struct {
	mu      sync.RWMutex
	readers map[*HubReader]struct{}
}

// A HubReader gets what is published while it is one.
type HubReader struct {
	Messages chan []byte
	gone     chan struct{}
	hub      *Hub
}

// Join makes a reader.
func (h *Hub) Join() *HubReader {
	r := &HubReader{make(chan []byte, 64), make(chan struct{}), h}
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.readers == nil {
		h.readers = map[*HubReader]struct{}{}
	}
	h.readers[r] = struct{}{}
	return r
}

// Leave ends that.
func (r *HubReader) Leave() {
	close(r.gone) // who publishes does not wait for it
	r.hub.mu.Lock()
	defer r.hub.mu.Unlock()
	delete(r.hub.readers, r)
}

// Publish hands a message to every reader.
func (h *Hub) Publish(message []byte) error {
	h.mu.RLock()
	defer h.mu.RUnlock()
	for r := range h.readers {
		select {
		case r.Messages <- message:
		case <-r.gone:
		}
	}
	return nil
}
