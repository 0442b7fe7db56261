package source

import (
	"context"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"
)

// A followed file is looked at when the test says so. The test is the program
// that writes it, and keeps it open as such programs do.
type followed struct {
	t         *testing.T
	path      string
	file      *os.File // that is written
	f         *follower
	log       *journal
	lines     []string
	old       int    // files that were renamed
	meanwhile func() // happens once, while a line comes
}

func followFile(t *testing.T, longest int) *followed {
	t.Helper()
	d := &followed{t: t, path: filepath.Join(t.TempDir(), "log"), log: newJournal()}
	s := &Source{
		File: d.path, MaxLine: longest,
		Line: func(b []byte) {
			d.lines = append(d.lines, string(b))
			if happens := d.meanwhile; happens != nil {
				d.meanwhile = nil
				happens()
			}
		},
		Log: slog.New(slog.NewJSONHandler(d.log, nil)),
	}
	s.fill()
	d.f = newFollower(s)
	t.Cleanup(func() {
		d.f.close()
		d.close()
	})
	return d
}

func (d *followed) close() {
	if d.file != nil {
		d.must(d.file.Close())
		d.file = nil
	}
}

func (d *followed) must(err error) {
	d.t.Helper()
	if err != nil {
		d.t.Fatal(err)
	}
}

func (d *followed) look() { d.f.look(d.t.Context()) }

func (d *followed) write(s string) {
	d.t.Helper()
	if d.file == nil {
		d.reopen()
	}
	_, err := d.file.WriteString(s)
	d.must(err)
}

// reopen makes what is written go to the file that has the name.
func (d *followed) reopen() {
	d.t.Helper()
	d.close()
	var err error
	d.file, err = os.OpenFile(d.path, os.O_WRONLY|os.O_APPEND|os.O_CREATE, 0o600)
	d.must(err)
}

// rename gives the file another name; it is written on.
func (d *followed) rename() string {
	d.t.Helper()
	d.old++
	name := fmt.Sprint(d.path, ".", d.old)
	d.must(os.Rename(d.path, name))
	return name
}

func (d *followed) truncate() {
	d.t.Helper()
	d.must(os.Truncate(d.path, 0))
}

// want compares the lines that came since the last time.
func (d *followed) want(lines ...string) {
	d.t.Helper()
	if !slices.Equal(d.lines, lines) {
		d.t.Errorf("lines %.10q, not %.10q", d.lines, lines)
	}
	d.lines = nil
}

func TestAFileBeginsAtItsEnd(t *testing.T) {
	d := followFile(t, 100)
	d.write("before\n")
	d.look()
	d.want()
	d.write("a\r\nb")
	d.look()
	d.want("a")
	d.look()
	d.want()
	d.write("c\n\nd\n")
	d.look()
	d.want("bc", "", "d")
}

func TestAFileThatComesLaterBeginsAtItsBeginning(t *testing.T) {
	d := followFile(t, 100)
	d.look()
	d.look()
	if waits := d.log.wait(t, 1, LogAbsent); len(waits) != 1 || waits[0]["file"] != d.path {
		t.Errorf("the log:\n%s", d.log)
	}
	d.write("a\nb\n")
	d.look()
	d.want("a", "b")
}

func TestAFileIsWrittenOnBehindItsRename(t *testing.T) {
	d := followFile(t, 100)
	d.reopen()
	d.look()
	d.rename()
	d.write("without a name\n")
	d.look()
	d.want("without a name")
	d.must(os.WriteFile(d.path, nil, 0o600)) // as logrotate does before it tells the writer
	d.write("beside the new one\n")
	d.look()
	d.want("beside the new one")
	d.write("still\nno end")
	d.reopen()
	d.write("in the new one\n")
	d.look()
	d.want("still", "no end", "in the new one")
	d.write("on\n")
	d.look()
	d.want("on")
}

func TestTheLastThatAFileGotComesBeforeTheFirstOfTheNext(t *testing.T) {
	d := followFile(t, 100)
	d.reopen()
	d.look()
	d.rename()
	d.must(os.WriteFile(d.path, nil, 0o600))
	d.look()
	d.write("a\n")
	d.meanwhile = func() { // when the old one has been read to its end
		d.write("b\n")
		d.reopen()
		d.write("c\n")
	}
	d.look()
	d.want("a", "b", "c")
}

func TestAFileThatHasItsNameAgainIsNotReadAgain(t *testing.T) {
	d := followFile(t, 100)
	d.look()
	d.write("a\n")
	d.look()
	name := d.rename()
	d.must(os.WriteFile(d.path, nil, 0o600))
	d.look()
	d.must(os.Rename(name, d.path))
	d.look()
	d.write("b\n")
	d.look()
	d.want("a", "b")
}

func TestATruncatedFileBeginsAnew(t *testing.T) {
	d := followFile(t, 100)
	d.look()
	d.write("first\nno end")
	d.look()
	d.truncate()
	d.write("second\n")
	d.look()
	d.want("first", "no end", "second")
	d.truncate()
	d.look()
	d.write("third\n")
	d.look()
	d.want("third")
}

func TestALineWithoutAnEndIsKeptUpToABound(t *testing.T) {
	d := followFile(t, 10)
	d.look()
	for range 100 {
		d.write("xxxxx")
		d.look()
		if len(d.f.lines.part) > 11 {
			t.Fatalf("%d bytes are kept", len(d.f.lines.part))
		}
	}
	d.write("\nshort\n")
	d.look()
	d.want("short")
	if long, _ := d.log.of(LogLong); len(long) != 1 || long[0]["begins"] != "xxxxxxxxxxx" {
		t.Errorf("the log:\n%s", d.log)
	}
}

func TestWhatIsNoFileIsSaidOnceAndThenWaitedFor(t *testing.T) {
	d := followFile(t, 100)
	d.must(os.Mkdir(d.path, 0o700))
	d.look()
	d.look()
	d.must(os.Remove(d.path))
	d.look()
	d.must(os.Mkdir(d.path, 0o700))
	d.look()
	if wrong, _ := d.log.of(LogFile); len(wrong) != 2 || wrong[0]["error"] != "it is not a regular file" {
		t.Errorf("the log:\n%s", d.log)
	}
	d.must(os.Remove(d.path))
	d.write("a\n")
	d.look()
	d.want("a")
}

func TestAFileIsFollowedWhileItsWriterRotatesIt(t *testing.T) {
	file := filepath.Join(t.TempDir(), "log")
	r := run(t, &Source{File: file, Poll: time.Millisecond})
	r.log.wait(t, 1, LogAbsent)
	n := 0
	for rotation := range 20 {
		f, err := os.Create(file)
		if err != nil {
			t.Fatal(err)
		}
		for range 500 {
			fmt.Fprintln(f, n)
			n++
		}
		f.Close()
		for i := n - 500; i < n; i++ { // a rotation later than that may be one of two
			r.want(fmt.Sprint(i))
		}
		if err := os.Rename(file, fmt.Sprint(file, rotation)); err != nil {
			t.Fatal(err)
		}
	}
	r.stop()
	r.nothing()
}

func TestWhoIsStoppedMakesNoLineOfWhatHasNoEndYet(t *testing.T) {
	d := followFile(t, 100)
	d.reopen()
	d.look()
	d.write("a\nb")
	d.look()
	d.want("a")
	d.rename()
	d.write("c\n")
	d.reopen()
	d.write("d\n")
	ctx, stop := context.WithCancel(t.Context())
	stop()
	d.f.look(ctx)
	d.f.look(ctx)
	d.want()
	d.look()
	d.want("bc", "d")
}
