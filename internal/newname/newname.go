// Package newname gives a finished file its name. A file that is written under another name
// first, and synced, is then there whole or not at all.
package newname

import (
	"errors"
	"io/fs"
	"os"
)

// Give gives the file at from the name to, in the same folder. It never takes a name that
// something has already: then from stays as it is, and the error wraps fs.ErrExist. A crash
// may leave the file under both names. To be durable the name needs a sync of the folder.
func Give(from, to string) error { return name(from, to, os.Link) }

func name(from, to string, link func(from, to string) error) error {
	err := link(from, to)
	switch {
	case err == nil:
		return os.Remove(from)
	case errors.Is(err, fs.ErrExist), errors.Is(err, fs.ErrNotExist):
		return err
	}
	// A file system without hard links, such as FAT: take the name first, and then put the
	// file there. A crash in between leaves an empty file.
	taken, err := os.OpenFile(to, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	if err = errors.Join(taken.Close(), os.Rename(from, to)); err != nil {
		return errors.Join(err, os.Remove(to))
	}
	return nil
}
