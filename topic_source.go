package leat

import (
	"context"
	"slices"
	"sync"

	"github.com/leat-dev/leat/internal/source"
)

// sources publish lines of commands and files.
type sources struct {
	once   sync.Once
	wg     sync.WaitGroup
	cancel context.CancelFunc
}

// begin starts the sources of the rules, when the server runs.
func (s *sources) begin(t *topics) {
	s.once.Do(func() {
		ctx, cancel := context.WithCancel(t.stopping)
		s.cancel = cancel
		for _, rule := range t.srv.config.Topics {
			if len(rule.Source.Command) == 0 && rule.Source.File == "" {
				continue
			}
			log := t.srv.log.With("topic", rule.Match)
			topic := t.srv.Topic(rule.Match)
			from := source.Source{
				Command: rule.Source.Command, File: rule.Source.File, Log: log, MaxLine: int(min(max(0, t.srv.config.Limits.MaxMessage), unbounded)),
				Line: func(b []byte) {
					if _, err := topic.Publish(ctx, guessed(slices.Clone(b))); err != nil && ctx.Err() == nil {
						log.Warn("a line is not published", "error", err)
					}
				},
			}
			s.wg.Go(func() {
				if err := from.Run(ctx); err != nil {
					log.Error("the source has ended", "error", err)
				}
			})
		}
	})
}

// end ends the sources, and waits for their commands.
func (s *sources) end() {
	s.once.Do(func() {}) // none begins any more
	if s.cancel != nil {
		s.cancel()
	}
	s.wg.Wait()
}
