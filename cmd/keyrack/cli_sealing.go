package main

import (
	"encoding/base64"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/spf13/pflag"

	"github.com/keyrack-dev/keyrack"
	"github.com/keyrack-dev/keyrack/cmd/keyrack/internal/usage"
	"github.com/keyrack-dev/keyrack/seal"
)

// sealingVariable holds the sealing keys themselves: in the environment alone,
// since other users of the machine can read a process's flags.
const sealingVariable = "KEYRACK_SEALING_KEY"

// sealingFlag adds --sealing-key-file to a verb.
func sealingFlag(flags *pflag.FlagSet, file *string) {
	flags.StringVar(file, "sealing-key-file", "", "the `file` of the sealing key (default PATH.key, of sqlite:PATH)")
}

// sealing says where the sealing key is.
type sealing struct {
	inline string // of KEYRACK_SEALING_KEY
	file   string // of --sealing-key-file
}

// keyRing is a ring of keys, and how we came by it.
type keyRing struct {
	*seal.Ring
	source string // for people; no secret
	made   bool   // it is new
}

// ring returns the keys that seal what is in a depot. Where nothing says which,
// a file of SQLite has its key beside it; with create a new one gets a new key.
func (s sealing) ring(d depot, create bool) (keyRing, error) {
	switch {
	case s.inline != "" && s.file != "":
		return keyRing{}, usage.Errorf("%s is set and --sealing-key-file too; take one of them away", sealingVariable)
	case s.inline != "":
		ring, err := seal.ParseRing(s.inline)
		if err != nil {
			return keyRing{}, usage.Errorf("%s: %w; make one with: openssl rand -base64 32", sealingVariable, err)
		}
		return keyRing{Ring: ring, source: sealingVariable}, nil
	case s.file != "":
		return readKeys(s.file)
	case d.kind == inMemory:
		return keyRing{Ring: seal.Ephemeral(), source: "a key of this process alone"}, nil
	case d.kind == inPostgres:
		return keyRing{}, usage.Errorf(`there is no sealing key, and tokens do not go into a database in clear.
Make one, keep it where the database's backups are not, and set it:
  export %s=$(openssl rand -base64 32)
or put it into a file that is yours alone, and name that with --sealing-key-file`, sealingVariable)
	}
	file := d.at + ".key"
	if exists(file) {
		return readKeys(file)
	}
	if exists(d.at) || !create {
		return keyRing{}, fmt.Errorf(`the key of %v is missing: there is no %s, and without the key its tokens do not open.
Put the file back, or name the key with --sealing-key-file or %s`, d, file, sealingVariable)
	}
	return makeKey(file)
}

// readKeys reads a key file, which must be its owner's alone.
func readKeys(file string) (keyRing, error) {
	f, err := os.Open(file)
	if err != nil {
		return keyRing{}, fmt.Errorf("the sealing key: %w", err)
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return keyRing{}, fmt.Errorf("the sealing key: %w", err)
	}
	if openToOthers(file, info.Mode()) {
		return keyRing{}, fmt.Errorf("the sealing key in %s can be read or written by others; take that away: chmod 600 %s", file, file)
	}
	text := make([]byte, info.Size())
	if n, err := f.ReadAt(text, 0); err != nil {
		return keyRing{}, fmt.Errorf("the sealing key: %d bytes of %s were read: %w", n, file, err)
	}
	ring, err := seal.ParseRing(string(text))
	if err != nil {
		return keyRing{}, fmt.Errorf("the sealing key in %s: %w", file, err)
	}
	return keyRing{Ring: ring, source: file}, nil
}

// makeKey makes a key file. It is complete and on the disk before it has its
// name; where another process was faster, that one's key is taken.
func makeKey(file string) (keyRing, error) {
	f, err := os.CreateTemp(filepath.Dir(file), filepath.Base(file)+".new*") // mode 0600
	if err != nil {
		return keyRing{}, fmt.Errorf("making a sealing key: %w", err)
	}
	defer os.Remove(f.Name())
	_, err = f.WriteString(base64.StdEncoding.EncodeToString(seal.NewKey()) + "\n")
	if err = errors.Join(err, f.Sync(), f.Close()); err != nil {
		return keyRing{}, fmt.Errorf("making a sealing key: %w", err)
	}
	err = os.Link(f.Name(), file)
	made := err == nil
	if err != nil && !errors.Is(err, fs.ErrExist) {
		return keyRing{}, fmt.Errorf("making a sealing key: %w", err)
	}
	if dir, err := os.Open(filepath.Dir(file)); err == nil {
		_ = dir.Sync() // some systems cannot
		dir.Close()
	}
	ring, err := readKeys(file)
	ring.made = made
	return ring, err
}

// wrongKeyError says where the key came from that does not open something. It
// unwraps to keyrack.ErrSealer, whose text says less and is left out.
type wrongKeyError struct {
	source, what string
	err          error
}

func (e *wrongKeyError) Error() string { return "the key of " + e.source + " " + e.what }
func (e *wrongKeyError) Unwrap() error { return e.err }

// wrongKey says of an error that the key did not open the store, if that is it.
func wrongKey(err error, ring keyRing) error {
	if errors.Is(err, keyrack.ErrSealer) {
		return &wrongKeyError{ring.source, "is not the one that this store was begun with", err}
	}
	return err
}
