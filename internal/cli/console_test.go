package cli

import (
	"bytes"
	"testing"
)

// The editor is on a goroutine of its own, which may begin when all is over.
func TestNoPromptIsDrawnOnATerminalThatIsGivenBack(t *testing.T) {
	var out bytes.Buffer
	c := &console{std: stdio{out: &out}, restore: func() {}}
	k := &keyboard{c}
	for range 2 {
		if n, err := k.Write([]byte("> ")); n != 2 || err != nil {
			t.Errorf("%d written, %v", n, err)
		}
		c.leave()
	}
	if got := out.String(); got != "> \r\x1b[J" {
		t.Errorf("%q is drawn", got)
	}
}
