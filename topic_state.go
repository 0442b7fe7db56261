package leat

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"
)

// stateFile is where the topics are kept, in the folder that `state` names.
const stateFile = "topics.ndjson"

// A savedState is the file of the server before, while this one has added nothing to
// it.
type savedState struct {
	there atomic.Bool
	mu    sync.Mutex
}

// errState is for publishers.
var errState = errors.New("leat: the state of before cannot be taken over; the log says why")

// load reads what the server before has saved.
func (t *topics) load() error {
	dir := t.srv.config.State
	if dir == "" {
		return nil
	}
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return fmt.Errorf("leat: state: %w", err)
	}
	name := filepath.Join(dir, stateFile)
	f, err := os.Open(name) //nolint:gosec // the configuration names it
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("leat: state: %w", err)
	}
	if wrong := t.hub.Load(f); wrong != nil {
		t.srv.log.Warn("the topics begin anew: what was saved cannot be read", "file", name, "error", wrong)
	}
	_ = f.Close() // it has been read
	t.saved.there.Store(true)
	return nil
}

// takeOver removes the file before anything is published, so that nobody goes on
// from there after a crash. A server that never comes so far leaves it to the next.
func (t *topics) takeOver() error {
	if !t.saved.there.Load() {
		return nil
	}
	t.saved.mu.Lock()
	defer t.saved.mu.Unlock()
	if !t.saved.there.Load() {
		return nil
	}
	if err := os.Remove(filepath.Join(t.srv.config.State, stateFile)); err != nil && !errors.Is(err, fs.ErrNotExist) {
		t.srv.log.Error("nothing can be published: the state of before is in the way", "error", err)
		return errState
	}
	t.saved.there.Store(false)
	return nil
}

// close ends the topics, once, and saves what they keep.
func (t *topics) close() error {
	var err error
	t.closing.Do(func() {
		t.hub.Close()
		if t.srv.config.State != "" && !t.saved.there.Load() {
			err = t.save()
		}
	})
	return err
}

// save writes the state as a whole or not at all.
func (t *topics) save() error {
	dir := t.srv.config.State
	f, err := os.CreateTemp(dir, stateFile+".*")
	if err != nil {
		return fmt.Errorf("leat: state: %w", err)
	}
	err = t.hub.Save(f)
	err = errors.Join(err, f.Sync(), f.Close())
	if err == nil {
		err = os.Rename(f.Name(), filepath.Join(dir, stateFile))
	}
	if err != nil {
		return errors.Join(fmt.Errorf("leat: state: %w", err), os.Remove(f.Name()))
	}
	return nil
}
