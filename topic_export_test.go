package leat

import "github.com/leat-dev/leat/internal/topic"

// CountsOf is what the topics of a server have done.
func CountsOf(s *Server) topic.Counts { return s.topics.hub.Counts() }
