package source

import (
	"math/rand/v2"
	"os"
	"strings"
	"testing"
)

// TestRotationAtEveryStep ends the first file at every byte, in each way, with and
// without a look before each step.
func TestRotationAtEveryStep(t *testing.T) {
	const text = "a\nbb\r\n\ncc"
	ways := map[string][]func(d *followed){
		"renamed, and the writer opens a new one": {
			func(d *followed) { d.rename() }, (*followed).reopen,
		},
		"removed, and the writer opens a new one": {
			func(d *followed) { d.must(os.Remove(d.path)) }, (*followed).reopen,
		},
		"renamed, replaced, and the writer is told later": {
			func(d *followed) { d.rename() },
			func(d *followed) { d.must(os.WriteFile(d.path, nil, 0o600)) },
			func(d *followed) { d.write("late\nlate") },
			(*followed).reopen,
		},
		"replaced by one that has something": {
			func(d *followed) { d.must(os.WriteFile(d.path+".new", []byte("new\n"), 0o600)) },
			func(d *followed) { d.must(os.Rename(d.path+".new", d.path)) },
			(*followed).reopen,
		},
		"truncated": {(*followed).look, (*followed).truncate, (*followed).look},
	}
	for name, way := range ways {
		t.Run(name, func(t *testing.T) {
			for at := range len(text) + 1 {
				for looks := range 1 << (len(way) + 1) {
					d := followFile(t, 100)
					d.reopen()
					d.look()
					before, after := text[:at], text[at:]
					d.write(before)
					for i, step := range way {
						if looks>>i&1 == 1 {
							d.look()
						}
						step(d)
					}
					if looks>>len(way)&1 == 1 {
						d.look()
					}
					d.write(after)
					d.look()
					d.write("\n") // so that the last line ends
					d.look()
					switch {
					case strings.HasSuffix(name, "later"):
						before += "late\nlate"
					case strings.HasSuffix(name, "something"):
						after = "new\n" + after
					}
					d.want(append(plain(before, 100), plain(after+"\n", 100)...)...)
					if t.Failed() {
						t.Fatalf("cut at %d, with looks %b", at, looks)
					}
					d.f.close()
					d.close()
				}
			}
		})
	}
}

// TestNothingIsLostWhateverHappensToAFile does what may be done to a file, in a
// random order, and looks now and then: the lines are those that were written.
func TestNothingIsLostWhateverHappensToAFile(t *testing.T) {
	seed := rand.Uint64()
	defer func() {
		if t.Failed() {
			t.Logf("the seed was %d", seed)
		}
	}()
	random := rand.New(rand.NewPCG(seed, 0))
	for range 100 {
		d := followFile(t, 1<<20)
		d.reopen()
		d.look()
		want, file := []string{}, "" // what the file that is written has
		next := func() { want, file = append(want, plain(file, 1<<20)...), "" }
		seen := true // a look has seen which file has the name
		look := func() { d.look(); seen = true }
		for range 40 {
			switch random.IntN(8) {
			case 0, 1, 2:
				s := [...]string{"x", "yy\n", "\r\n", "z\nz\nz", strings.Repeat("long", 30_000), "\n"}[random.IntN(6)]
				d.write(s)
				file += s
			case 3:
				if !seen {
					look() // two rotations between two looks would be one too many
				}
				if random.IntN(2) == 0 {
					d.rename()
				} else {
					d.must(os.Remove(d.path))
				}
				if random.IntN(2) == 0 {
					look()
				}
				if random.IntN(2) == 0 {
					d.must(os.WriteFile(d.path, nil, 0o600))
					look()
					d.write("late")
					file += "late"
				}
				d.reopen()
				next()
				seen = false
			case 4:
				look()
				d.truncate()
				look()
				next()
			default:
				look()
			}
		}
		next()
		look()
		d.rename()
		d.reopen()
		d.write("the end\n")
		look()
		d.want(append(want, "the end")...)
		d.f.close()
		d.close()
		if t.Failed() {
			return
		}
	}
}
