package source

import (
	"cmp"
	"context"
	"errors"
	"io"
	"io/fs"
	"os"
	"time"
)

// follow looks at the file again and again. That needs no word from the system,
// so it works on every one and over a network. It costs four system calls a look,
// and lines come up to Poll late. It does not see what happens between two looks
// and leaves no trace: what a file got just before it was truncated, that it was
// where it has grown beyond its old size again, and a file that came and went.
func (s *Source) follow(ctx context.Context) {
	f := newFollower(s)
	defer f.close()
	defer s.restOfLong()
	look := time.NewTicker(s.Poll)
	defer look.Stop()
	for {
		f.look(ctx)
		select {
		case <-ctx.Done():
			return
		case <-look.C:
		}
	}
}

// A follower reads what a file gets. It keeps the file that is read open until
// the next one has something: whoever writes may go on in a file after it was
// renamed, or removed.
type follower struct {
	*Source
	lines *cutter
	buf   []byte

	now, next *os.File
	read      int64  // of now
	fromStart bool   // the first file too: it was not there before
	unread    error  // why reading ended, if not at the end
	problem   string // that the log has heard of
}

func newFollower(s *Source) *follower {
	return &follower{Source: s, lines: s.lines(), buf: make([]byte, 64<<10)}
}

func (f *follower) close() {
	for _, o := range []*os.File{f.now, f.next} {
		if o != nil {
			_ = o.Close() // it was only read
		}
	}
}

// look reads all that is there now, and notes which file has the name.
func (f *follower) look(ctx context.Context) {
	f.unread = nil
	came, err := f.opened()
	if errors.Is(err, fs.ErrNotExist) {
		err = nil // it has been renamed, and a new one will come
		if f.now == nil && !f.fromStart {
			f.Log.Info(LogAbsent)
			f.fromStart = true
		}
	}
	f.drain(ctx)
	if came != nil {
		if f.next != nil { // which was empty, and may have got something by now
			f.change(ctx)
		}
		if f.next != nil { // ctx is done
			_ = came.Close() // it was not even read
			return
		}
		f.next = came
	}
	if f.next != nil && hasBytes(f.next) {
		f.change(ctx)
	}
	f.trouble(cmp.Or(err, f.unread))
}

// opened opens the file that has the name, unless it is known. Of the first of
// all only what is behind its end is new.
func (f *follower) opened() (*os.File, error) {
	info, err := os.Stat(f.File)
	if err != nil {
		return nil, err
	}
	if f.isKnown(info) {
		return nil, nil
	}
	if f.next != nil && same(f.now, info) && !hasBytes(f.next) { // it has its name again
		_ = f.next.Close() // it was not even read
		f.next = nil
		return nil, nil
	}
	if !info.Mode().IsRegular() {
		return nil, errors.New("it is not a regular file")
	}
	o, err := os.OpenFile(f.File, openFlags, 0)
	if err != nil {
		return nil, err
	}
	if info, err = o.Stat(); err == nil && !info.Mode().IsRegular() {
		err = errors.New("it is not a regular file")
	}
	if err != nil || f.isKnown(info) { // it was changed between the two
		_ = o.Close() // it was not even read
		return nil, err
	}
	if f.now != nil {
		return o, nil
	}
	if !f.fromStart {
		if f.read, err = o.Seek(0, io.SeekEnd); err != nil {
			_ = o.Close() // it was not even read
			return nil, err
		}
	}
	f.now = o
	return nil, nil
}

// isKnown answers whether info is that of the newest file that is open.
func (f *follower) isKnown(info os.FileInfo) bool {
	newest := f.next
	if newest == nil {
		newest = f.now
	}
	return newest != nil && same(newest, info)
}

func same(o *os.File, info os.FileInfo) bool {
	its, err := o.Stat()
	return err == nil && os.SameFile(its, info)
}

func hasBytes(o *os.File) bool {
	info, err := o.Stat()
	return err == nil && info.Size() > 0
}

// change ends the file that is read, once more to its end, and begins the next.
func (f *follower) change(ctx context.Context) {
	if f.drain(ctx); ctx.Err() != nil {
		return // its last line may not be whole
	}
	f.lines.Flush()
	_ = f.now.Close() // it was only read
	f.now, f.next, f.read = f.next, nil, 0
	f.Log.Debug(LogNew)
	f.drain(ctx)
}

// drain reads to the end, from the beginning where that has come nearer.
func (f *follower) drain(ctx context.Context) {
	if f.now == nil {
		return
	}
	if info, err := f.now.Stat(); err == nil && info.Size() < f.read {
		f.Log.Debug(LogCut, "from", f.read, "to", info.Size())
		f.lines.Flush()
		f.read = 0
	}
	for ctx.Err() == nil {
		n, err := f.now.ReadAt(f.buf, f.read)
		f.read += int64(n)
		_, _ = f.lines.Write(f.buf[:n]) // it takes all
		if err != nil {
			if err != io.EOF {
				f.unread = err
			}
			return
		}
	}
}

// trouble tells the log what is wrong, once as long as it stays the same.
func (f *follower) trouble(err error) {
	was := f.problem
	f.problem = ""
	if err != nil {
		f.problem = err.Error()
	}
	if f.problem != was && err != nil {
		f.Log.Warn(LogFile, "error", f.problem)
	}
}
