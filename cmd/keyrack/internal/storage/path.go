package storage

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/keyrack-dev/keyrack/cmd/keyrack/internal/files"
)

// fileState is what is at the path of a store.
type fileState uint8

const (
	missing fileState = iota // nothing: a new store can be made
	empty                    // a file without a byte, which holds no store either
	there                    // a file with something in it
)

// inspect looks at the path of a store before anything is opened or made there, so that what
// cannot be a store has an error of its own.
func inspect(path string) (fileState, error) {
	info, err := os.Stat(path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return missing, hasFolder(path)
	case errors.Is(err, fs.ErrPermission):
		return missing, fmt.Errorf("the database %s: this process may not look into its folder", path)
	case err != nil:
		return missing, fmt.Errorf("the database: %w", err)
	case info.IsDir():
		return missing, fmt.Errorf("%s is a folder; name a file in it, such as sqlite:%s", path, filepath.Join(path, "keyrack.db"))
	case !info.Mode().IsRegular():
		return missing, fmt.Errorf("%s is not a regular file, and no database can be kept in it", path)
	}
	// Others may read a database, whose tokens are sealed. But writing to it decides
	// every verdict.
	guarded := files.Guarded{What: "the database", Elsewhere: "name another with --store", Public: true}
	if _, err := guarded.Check(path); err != nil {
		return missing, err
	}
	if info.Size() > 0 {
		return there, nil
	}
	if log, err := os.Stat(path + "-wal"); err == nil && log.Size() > 0 {
		return there, nil // a crash came before the log was carried over
	}
	return empty, nil
}

// hasFolder returns an error unless the folder of a new store is there.
func hasFolder(path string) error {
	if target, err := os.Readlink(path); err == nil {
		return fmt.Errorf("%s is a symbolic link to %s, which is not there", path, target)
	}
	folder := filepath.Dir(path)
	switch info, err := os.Stat(folder); {
	case errors.Is(err, fs.ErrNotExist):
		return fmt.Errorf("there is no folder %s for the database; make it: mkdir -p -m 700 %s", folder, folder)
	case err != nil:
		return fmt.Errorf("the folder of the database: %w", err)
	case !info.IsDir():
		return fmt.Errorf("%s is a file, and the database %s cannot be in it", folder, path)
	}
	return nil
}
