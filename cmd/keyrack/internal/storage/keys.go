package storage

import (
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"io/fs"

	"github.com/keyrack-dev/keyrack"
	"github.com/keyrack-dev/keyrack/cmd/keyrack/internal/files"
	"github.com/keyrack-dev/keyrack/cmd/keyrack/internal/usage"
	"github.com/keyrack-dev/keyrack/seal"
)

// KeyVariable is the environment variable of the sealing keys. They are no flag, because
// other users of the machine can read the flags of a process.
const KeyVariable = "KEYRACK_SEALING_KEY"

// KeySource says where the sealing key is.
type KeySource struct {
	Inline string // of KEYRACK_SEALING_KEY
	File   string // of --sealing-key-file
}

// KeyRing is a ring of sealing keys and where it came from.
type KeyRing struct {
	*seal.Ring
	Source string // for people; no secret
	Made   bool   // the key is new
}

// Load returns the keys that seal the tokens of a store. Unless s names a key, a SQLite
// store has it in a file beside it, PATH.key; with create, a new store gets a new one.
// The key of a store in memory is never kept.
func (s KeySource) Load(d URL, create bool) (KeyRing, error) {
	switch {
	case s.Inline != "" && s.File != "":
		return KeyRing{}, usage.Errorf("both %s and --sealing-key-file are set; remove one of them", KeyVariable)
	case s.Inline != "":
		ring, err := seal.ParseRing(s.Inline)
		if err != nil {
			return KeyRing{}, usage.Errorf("%s: %w; make one with: openssl rand -base64 32", KeyVariable, err)
		}
		return KeyRing{Ring: ring, Source: KeyVariable}, nil
	case s.File != "":
		return readKeys(s.File, d.warn)
	case d.Kind == Memory:
		return KeyRing{Ring: seal.Ephemeral(), Source: "a key of this process alone"}, nil
	case d.Kind == Postgres:
		return KeyRing{}, usage.Errorf(`there is no sealing key, and tokens are not stored in a database in clear.
Create one, keep it apart from the backups of the database, and set it:
  export %s=$(openssl rand -base64 32)
or write it to a file that only you can read, and pass that file with --sealing-key-file`, KeyVariable)
	}
	state, err := inspect(d.at)
	if err != nil {
		return KeyRing{}, err
	}
	file := d.at + ".key"
	if files.Exists(file) {
		return readKeys(file, d.warn)
	}
	if state == there || !create {
		return KeyRing{}, fmt.Errorf(`the sealing key of %v is missing: there is no file %s, and its tokens cannot be opened without it.
Put the file back, or pass the key with --sealing-key-file or %s`, d, file, KeyVariable)
	}
	return makeKey(file, d.warn)
}

// Of returns the source with its default for a SQLite store made explicit: the file beside
// it, if there is one.
func (s KeySource) Of(d URL) (KeySource, error) {
	if file := d.at + ".key"; s == (KeySource{}) && d.Kind == SQLite {
		if !files.Exists(file) {
			return s, fmt.Errorf(`the sealing key of %v is missing: there is no file %s.
Put there the key that the backup was made with, or pass it with --sealing-key-file or %s`, d, file, KeyVariable)
		}
		s.File = file
	}
	return s, nil
}

// readKeys reads a key file, after the rule of package files.
func readKeys(file string, warn func(string)) (KeyRing, error) {
	guarded := files.Guarded{What: "the sealing key", Elsewhere: "name another file with --sealing-key-file, or set " + KeyVariable}
	text, warning, err := guarded.Read(file)
	if err != nil {
		return KeyRing{}, err
	}
	warn(warning)
	ring, err := seal.ParseRing(string(text))
	if err != nil {
		return KeyRing{}, fmt.Errorf("the sealing key in %s: %w", file, err)
	}
	return KeyRing{Ring: ring, Source: file}, nil
}

// makeKey creates a key file. If another process creates it first, makeKey returns that
// process's key.
func makeKey(file string, warn func(string)) (KeyRing, error) {
	err := files.Create(file, func(w io.Writer) error {
		_, err := io.WriteString(w, base64.StdEncoding.EncodeToString(seal.NewKey())+"\n")
		return err
	})
	made := err == nil
	if err != nil && !errors.Is(err, fs.ErrExist) {
		return KeyRing{}, fmt.Errorf("creating a sealing key: %w", err)
	}
	ring, err := readKeys(file, warn)
	ring.Made = made
	return ring, err
}

// wrongKeyError says which key does not open something. It unwraps to
// keyrack.ErrSealer, whose text says less and is left out.
type wrongKeyError struct {
	source, what string
	err          error
}

func (e *wrongKeyError) Error() string { return "the key of " + e.source + " " + e.what }
func (e *wrongKeyError) Unwrap() error { return e.err }

// Explain says of an error that wraps keyrack.ErrSealer which key failed, and what is
// wrong with it. It returns every other error unchanged.
func (r KeyRing) Explain(err error, what string) error {
	if errors.Is(err, keyrack.ErrSealer) {
		return &wrongKeyError{r.Source, what, err}
	}
	return err
}

// WrongKey is what Explain says of a key that does not open a store.
const WrongKey = "is not the one that this store was created with; give that one with --sealing-key-file or " + KeyVariable
