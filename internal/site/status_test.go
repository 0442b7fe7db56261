package site

import (
	"encoding/json"
	"testing"
	"time"
)

func TestRatesOfCountersThatChange(t *testing.T) {
	tests := []struct {
		name          string
		base, current map[string]flow
		in, out       int64
	}{
		{"steady", map[string]flow{"a": {100, 10}}, map[string]flow{"a": {300, 30}}, 100, 10},
		{"one that is new", map[string]flow{"a": {0, 0}}, map[string]flow{"a": {20, 2}, "b": {1 << 40, 1 << 40}}, 10, 1},
		{"one that is gone", map[string]flow{"a": {0, 0}, "b": {5, 5}}, map[string]flow{"a": {20, 2}}, 10, 1},
		{"one that began anew", map[string]flow{"a": {0, 0}, "b": {500, 5}}, map[string]flow{"a": {20, 2}, "b": {7, 7}}, 10, 1},
		{"nothing before", nil, map[string]flow{"a": {20, 2}}, 0, 0},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			in, out, ok := rates(tt.base, tt.current, 2)
			if in != tt.in || out != tt.out || !ok {
				t.Errorf("rates are %d in, %d out, %v; want %d and %d", in, out, ok, tt.in, tt.out)
			}
		})
	}
	if in, out, ok := rates(map[string]flow{"a": {}}, map[string]flow{"a": {20, 2}}, 0); in != 0 || out != 0 || !ok {
		t.Errorf("rates over no time are %d and %d, %v", in, out, ok)
	}
}

func TestUseOfCoresThatChange(t *testing.T) {
	l := use(
		map[string]busy{"cpu0": {0, 10, 100}, "cpu1": {1, 10, 100}, "cpu2": {2, 10, 100}},
		map[string]busy{"cpu2": {1, 11, 110}, "cpu0": {0, 15, 110}, "cpu3": {2, 99, 100}},
	)
	if l.Total != 30 || len(l.Cores) != 2 || l.Cores[0] != 50 || l.Cores[1] != 10 {
		t.Errorf("use is %+v; want 30 in all, 50 and 10", *l)
	}
	if l := use(map[string]busy{"cpu0": {0, 10, 100}}, map[string]busy{"cpu0": {0, 9.99, 100.1}}); l.Total != 0 {
		t.Errorf("a counter that ran backwards makes %v %%", l.Total)
	}
	if l := use(map[string]busy{"cpu0": {0, 10, 100}}, map[string]busy{"cpu0": {0, 10, 100}}); l.Total != 0 {
		t.Errorf("no time passed, and use is %v %%", l.Total)
	}
}

func TestWhatASystemDoesNotTellIsLeftOut(t *testing.T) {
	now := time.Now()
	b, err := json.Marshal(newStatus(&reading{at: now}, &reading{at: now.Add(time.Second)}))
	if err != nil {
		t.Fatal(err)
	}
	var got map[string]any
	if err := json.Unmarshal(b, &got); err != nil {
		t.Fatal(err)
	}
	for key, value := range got {
		if value == nil {
			t.Errorf("%q is null in %s", key, b)
		}
	}
	for _, key := range []string{"cpu", "load", "memory", "network", "disk"} {
		if _, there := got[key]; there {
			t.Errorf("%q is in %s", key, b)
		}
	}
}
