package leat

import (
	"testing"
	"time"
)

// taken are settings of these options, as Upgrade takes them.
func taken(s *Server, o *SocketOptions) *settings {
	return s.settings.take(o.callbacks(), o.terms(s, &s.options.Bounds))
}

func TestSocketsThatAreToldTheSameShareTheirSettings(t *testing.T) {
	srv, err := New(nil)
	if err != nil {
		t.Fatal(err)
	}
	made := func() *SocketOptions {
		n := 0
		return &SocketOptions{Message: func(*Socket, Message) { n++ }}
	}
	same := made()
	other := *same
	other.Write = time.Hour
	for name, c := range map[string]struct {
		o    *SocketOptions
		want bool
	}{
		"the same options":             {same, true},
		"equal options":                {&SocketOptions{Message: same.Message}, true},
		"other terms":                  {&other, false},
		"a function with other values": {made(), false},
		"no options":                   {nil, false},
		"another function beside it":   {&SocketOptions{Message: same.Message, Writable: func(*Socket) {}}, false},
	} {
		first := taken(srv, same) // now: few are kept
		o := taken(srv, c.o)
		if shared := o == first; shared != c.want {
			t.Errorf("%s: shared %v", name, shared)
		}
		if c.o != nil && o.message == nil || c.o == nil && o.events() {
			t.Errorf("%s: the callbacks are others", name)
		}
		o.leave()
		first.leave()
	}
}

// What a callback captures may be much.
func TestTheCallbacksOfTheLastSocketAreForgottenWithIt(t *testing.T) {
	srv, err := New(nil)
	if err != nil {
		t.Fatal(err)
	}
	o := &SocketOptions{Open: func(*Socket) {}}
	kept := func() (n int) {
		for i := range srv.settings.settings {
			if srv.settings.settings[i].Load() != nil {
				n++
			}
		}
		return n
	}
	one, two := taken(srv, o), taken(srv, o)
	one.leave()
	if n := kept(); n != 1 {
		t.Errorf("%d are kept for a socket that lives", n)
	}
	two.leave()
	if n := kept(); n != 0 {
		t.Errorf("%d are kept for nobody", n)
	}
}
