package leat

import "github.com/leat-dev/leat/internal/topic"

// CountsOf is what the topics of a server have done.
func CountsOf(s *Server) topic.Counts { return s.topics.hub.Counts() }

// PublishAll publishes messages to a topic each, as one request does: no reader sees a
// part of them.
func PublishAll(s *Server, topics []string, messages []Message) (Receipt, error) {
	parcels := make([]parcel, 0, len(messages))
	for i, m := range messages {
		parcels = append(parcels, parcel{topics[i], m})
	}
	return s.topics.publishFrom("", parcels, "")
}

// OfferAll has what is published be offered to its readers, and returns when it is.
func OfferAll(s *Server) { s.topics.hub.Flush() }
