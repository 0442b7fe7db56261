package topic_test

import (
	"bytes"
	"fmt"
	"strings"
	"testing"

	"github.com/leat-dev/leat/internal/topic"
)

func TestWhatIsSavedGoesOnWhereItWas(t *testing.T) {
	o := encoders(false)
	o.Rule = func(string) *topic.Rule { return &topic.Rule{Count: 100} }
	before := topic.NewHub(o)
	var half topic.ID
	for i := range 300 {
		r := publish(t, before, fmt.Sprint("t", i%2), fmt.Sprint("k", i%5), fmt.Sprint(i))
		if i == 199 {
			half = r.ID
		}
	}
	var saved bytes.Buffer
	if err := before.Save(&saved); err == nil {
		t.Error("an open hub is saved")
	}
	before.Close()
	if err := before.Save(&saved); err != nil {
		t.Fatal(err)
	}
	text := saved.String()
	after := topic.NewHub(o)
	defer after.Close()
	if err := after.Load(strings.NewReader(text)); err != nil {
		t.Fatal(err)
	}
	want, at := before.History(names(">"), topic.History{Last: topic.All})
	got, now := after.History(names(">"), topic.History{Last: topic.All})
	if len(want) != 200 || len(got) != len(want) || at != now || before.Counts().Bytes != after.Counts().Bytes {
		t.Fatalf("%d of %d messages at %v and %v, %d and %d bytes", len(got), len(want), now, at, after.Counts().Bytes, before.Counts().Bytes)
	}
	for i, m := range want {
		if g := got[i]; g.ID() != m.ID() || g.Count != m.Count || !g.Time.Equal(m.Time) || g.Key != m.Key || !bytes.Equal(g.Data, m.Data) || g.Topic != m.Topic {
			t.Fatalf("%+v has become %+v", m, g)
		}
	}
	for _, h := range []*topic.Hub{before, after} {
		for since, missed := range map[uint64]int64{half.Seq: 0, half.Seq - 100: 0, half.Seq - 102: 1, 0: 50} {
			sub, c := h.Subscribe(names("t1"), topic.Start{Since: topic.ID{Epoch: half.Epoch, Seq: since}.String()})
			if c.Missed["t1"] != missed || c.AtLeast {
				t.Errorf("since %d: %+v", since, c)
			}
			sub.Leave()
		}
	}
	if r := publish(t, after, "t0", "", ""); r.ID.Seq != 301 || r.Count != 151 {
		t.Errorf("it goes on with %+v", r)
	}
	keys, _ := after.History(names("t1"), topic.History{Keys: true})
	if len(keys) != 5 {
		t.Errorf("the latest of %d keys", len(keys))
	}
}

func TestWhatIsSavedInPartIsNotLoaded(t *testing.T) {
	before := topic.NewHub(encoders(false))
	for i := range 5 {
		publish(t, before, "a", "", fmt.Sprint(i))
	}
	before.Close()
	var saved bytes.Buffer
	if err := before.Save(&saved); err != nil {
		t.Fatal(err)
	}
	text := saved.String()
	for n := range len(text) - 1 {
		h := topic.NewHub(encoders(false))
		epoch := publish(t, h, "x", "", "").ID.Epoch
		if err := h.Load(strings.NewReader(text[:n])); err == nil {
			t.Fatalf("%q is loaded", text[:n])
		}
		if got := publish(t, h, "x", "", ""); got.ID.Epoch != epoch || got.ID.Seq != 2 {
			t.Errorf("%d bytes have changed it: %+v", n, got)
		}
		h.Close()
	}
	for _, wrong := range []string{`{"version":2,"epoch":"x"}`, `{"version":1,"epoch":"x","seq":1,"lines":1}` + "\n" + `{"seq":1}`, `{"version":1,"epoch":"x","seq":1,"lines":1}` + "\n" + `{"topic":"a","lost":2}`} {
		h := topic.NewHub(encoders(false))
		if err := h.Load(strings.NewReader(wrong)); err == nil {
			t.Errorf("%q is loaded", wrong)
		}
		h.Close()
	}
}
