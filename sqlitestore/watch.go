package sqlitestore

import (
	"context"
	"database/sql/driver"
	"os"
	"sync"
	"time"
)

// watch knows the files of a database again. SQLite goes on with a file that was removed or
// replaced as if nothing had happened, and what it writes then nobody finds again.
type watch struct {
	path string // of the database

	mu    sync.Mutex
	files [len(fileEnds)]os.FileInfo // as they were seen first; nil for one that was not there
	asked time.Time                  // when look was last asked for
	err   error                      // what it found
}

// fileEnds are what the names of the files end in.
var fileEnds = [...]string{"", "-wal", "-shm"}

// lookEvery is how often those who read have the files looked at. Those who write do at each
// commit.
const lookEvery = time.Second

// begin learns which file a connection has, and what lies beside it. A new connection for
// writing may find the files beside it made anew, but never another database.
func (w *watch) begin(ctx context.Context, l *link) error {
	var path string
	err := l.query(ctx, "PRAGMA database_list", func(row []driver.Value) {
		if name, _ := row[1].(string); name == "main" {
			path, _ = row[2].(string)
		}
	})
	if err != nil || path == "" {
		return err
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	w.path = path
	clear(w.files[1:])
	return w.look()
}

// check looks at the files.
func (w *watch) check() error {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.look()
}

// checkLately looks at the files if nobody has for a while.
func (w *watch) checkLately() error {
	w.mu.Lock()
	defer w.mu.Unlock()
	if time.Since(w.asked) < lookEvery {
		return w.err
	}
	return w.look()
}

// look compares the files with what they were. Stat does not open them: that would cost
// SQLite its locks. w.mu is held.
func (w *watch) look() error {
	if w.path == "" {
		return nil
	}
	w.asked, w.err = time.Now(), nil
	for i, end := range fileEnds {
		info, err := os.Stat(w.path + end)
		was := w.files[i]
		switch {
		case err == nil && was == nil:
			w.files[i] = info
		case err == nil && !os.SameFile(was, info), err == nil && i == 0 && info.Size() < smallestFile && was.Size() >= smallestFile,
			os.IsNotExist(err) && was != nil:
			w.err = &Error{kind: ErrReplaced}
		}
	}
	return w.err
}

// smallestFile is the size of a database of one page, which has a header.
const smallestFile = 512
