// Package files writes files whole or not at all, and has one rule for who may read and
// write the files that hold secrets: Guarded.
//
// A file gets its name when it is complete and on the disk, so that a crash leaves
// either the former file or the new one. Files are created for their owner alone.
package files

import (
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/keyrack-dev/keyrack/internal/newname"
)

// Create writes a new file. If something is at the path already it stays as it is, and
// the error wraps fs.ErrExist.
func Create(path string, write func(io.Writer) error) error {
	return writeAs(path, write, newname.Give)
}

// Replace writes a file in place of the one at the path, if there is one.
func Replace(path string, write func(io.Writer) error) error {
	return writeAs(path, write, os.Rename)
}

// writeAs writes a file beside the path and then gives it its name.
func writeAs(path string, write func(io.Writer) error, name func(from, to string) error) error {
	f, err := os.CreateTemp(filepath.Dir(path), filepath.Base(path)+".new*") // mode 0600
	if err != nil {
		return err
	}
	defer os.Remove(f.Name())
	err = write(f)
	if err = errors.Join(err, f.Sync(), f.Close()); err != nil {
		return err
	}
	if err := name(f.Name(), path); err != nil {
		return err
	}
	if dir, err := os.Open(filepath.Dir(path)); err == nil {
		_ = dir.Sync() // some systems cannot
		dir.Close()
	}
	return nil
}

// Exists reports whether something is at a path. It returns true if that cannot be determined.
func Exists(path string) bool {
	_, err := os.Lstat(path)
	return !errors.Is(err, fs.ErrNotExist)
}
