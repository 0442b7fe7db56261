package site

import (
	"math"
	"slices"
	"testing"
	"time"
)

// A fakeMachine counts up by fixed amounts a second of its own clock.
type fakeMachine struct {
	t     time.Time
	start time.Time
	reads int
}

func newFakeMachine() *fakeMachine {
	start := time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
	return &fakeMachine{t: start, start: start}
}

func (f *fakeMachine) now() time.Time          { return f.t }
func (f *fakeMachine) advance(d time.Duration) { f.t = f.t.Add(d) }

func (f *fakeMachine) read() *reading {
	f.reads++
	s := f.t.Sub(f.start).Seconds()
	n := func(perSecond float64) uint64 { return uint64(math.Round(perSecond * s)) }
	return &reading{
		uptime: time.Hour + f.t.Sub(f.start),
		cores: map[string]busy{
			"cpu0": {order: 0, used: 100 + 0.25*s, whole: 1000 + s},
			"cpu1": {order: 1, used: 200 + 0.75*s, whole: 1000 + s},
		},
		load:    []float64{0.5, 0.25, 0.125},
		memory:  &memory{Total: 1000, Used: 400, Available: 600},
		network: map[string]flow{"eth0": {in: 5000 + n(1e6), out: n(1e5)}, "eth1": {in: n(1e4), out: n(1e4)}},
		disk:    map[string]flow{"sda": {in: n(2e6), out: n(3e5)}},
		process: 4096,
	}
}

func (f *fakeMachine) sampler() *sampler { return newSampler(f.read, f.now) }

func checkRates(t *testing.T, s *status) {
	t.Helper()
	if s.CPU.Total != 50 || !slices.Equal(s.CPU.Cores, []float64{25, 75}) {
		t.Errorf("cpu is %+v, want 50 in all, 25 and 75", *s.CPU)
	}
	if *s.Network != (netRate{In: 1_010_000, Out: 110_000}) {
		t.Errorf("network is %+v, want 1010000 in and 110000 out", *s.Network)
	}
	if *s.Disk != (diskRate{Read: 2_000_000, Write: 300_000}) {
		t.Errorf("disk is %+v, want 2000000 read and 300000 written", *s.Disk)
	}
}

func TestRatesAreRightAtEveryInterval(t *testing.T) {
	for _, every := range []time.Duration{shortest, 100 * time.Millisecond, 500 * time.Millisecond, time.Second, time.Minute, longest} {
		t.Run(every.String(), func(t *testing.T) {
			f := newFakeMachine()
			next := f.sampler().watch(every)
			f.advance(3 * time.Second)
			for range 60 {
				checkRates(t, next())
				f.advance(every)
			}
		})
	}
}

func TestSlowStreamMeasuresFromRecordToRecord(t *testing.T) {
	f := newFakeMachine()
	s := f.sampler()
	slow, fast := s.watch(10*time.Second), s.watch(shortest)
	f.advance(2 * time.Second)
	slow()
	for range 3 {
		for range 500 { // 10 seconds
			fast()
			f.advance(shortest)
		}
		if s := slow(); s.Over < 9.9 || s.Over > 10.1 {
			t.Errorf("a stream of one record in 10s averages over %vs", s.Over)
		}
	}
}

func TestFastStreamAveragesOverTheWindow(t *testing.T) {
	f := newFakeMachine()
	s := f.sampler()
	next := s.watch(shortest)
	f.advance(time.Hour) // nobody watched
	if s := next(); s.Over != 3600 {
		t.Errorf("the first record averages over %vs, want the hour since the last reading", s.Over)
	}
	for i := range 50 {
		f.advance(shortest)
		r := next()
		if want := min(float64(i+1)*shortest.Seconds(), window.Seconds()); math.Abs(r.Over-want) > 0.001 {
			t.Fatalf("record %d averages over %vs, want %vs", i+2, r.Over, want)
		}
	}
	if n := len(s.history); n > 25 {
		t.Errorf("the sampler keeps %d readings", n)
	}
}

func TestReadersAtTheSameMomentShareAReading(t *testing.T) {
	f := newFakeMachine()
	s := f.sampler()
	var streams []func() *status
	for range 1000 {
		streams = append(streams, s.watch(time.Second))
	}
	before := f.reads
	for range 10 {
		f.advance(time.Second)
		for _, next := range streams {
			checkRates(t, next())
			f.advance(100 * time.Microsecond)
		}
	}
	if n := f.reads - before; n > 20 {
		t.Errorf("1000 readers of 10 records each read the machine %d times", n)
	}
}

func TestManyFastReadersCauseAtMostAHundredReadingsASecond(t *testing.T) {
	f := newFakeMachine()
	s := f.sampler()
	var streams []func() *status
	for range 200 {
		streams = append(streams, s.watch(shortest))
	}
	f.advance(time.Second)
	before, began := f.reads, f.t
	for f.t.Sub(began) < time.Second {
		for _, next := range streams {
			checkRates(t, next())
			f.advance(100 * time.Microsecond)
		}
	}
	if n := f.reads - before; n > 101 {
		t.Errorf("200 readers of 50 records a second read the machine %d times in one", n)
	}
}

func TestLateRecordIsNotTheSameAgain(t *testing.T) {
	f := newFakeMachine()
	next := f.sampler().watch(time.Second)
	f.advance(time.Second)
	next()
	f.advance(10 * time.Millisecond) // the tick before was late
	if s := next(); s.Over <= 0 {
		t.Errorf("rates over %vs", s.Over)
	} else {
		checkRates(t, s)
	}
}

func TestNothingIsReadWhileNobodyWatches(t *testing.T) {
	f := newFakeMachine()
	s := f.sampler()
	s.watch(shortest)
	f.advance(time.Hour)
	if f.reads != 1 {
		t.Errorf("the machine was read %d times, want once at the start", f.reads)
	}
}
