// Package storage opens what --store names, and finds the key that seals its tokens.
//
// A URL is one of
//
//	memory                      gone with the process
//	sqlite:PATH                 a file; its key is in PATH.key unless another is named
//	postgres://HOST/DATABASE    a database; its key must be named
//
// Nothing that this package prints holds the URL of a database, which may have a password
// in it, or a key.
package storage

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/keyrack-dev/keyrack/cmd/keyrack/internal/files"
	"github.com/keyrack-dev/keyrack/cmd/keyrack/internal/usage"
	"github.com/keyrack-dev/keyrack/memstore"
	"github.com/keyrack-dev/keyrack/pgstore"
	"github.com/keyrack-dev/keyrack/sqlitestore"
	"github.com/keyrack-dev/keyrack/store"
)

// URL is the value of --store: where everything is kept. The zero value is memory.
type URL struct {
	Kind Kind
	at   string // the path of the file, or the URL of the database, which may hold a password
}

// Kind says what a URL is of.
type Kind uint8

const (
	Memory Kind = iota
	SQLite
	Postgres
)

// Parse reads a value of --store. Its errors are usage errors and quote nothing of it.
func Parse(text string) (URL, error) {
	scheme, rest, _ := strings.Cut(text, ":")
	switch {
	case text == "memory":
		return URL{}, nil
	case scheme == "sqlite" && rest != "":
		return URL{SQLite, rest}, nil
	case scheme == "postgres", scheme == "postgresql":
		return URL{Postgres, text}, nil
	}
	return URL{}, usage.Errorf("--store must be sqlite:PATH, postgres://HOST/DATABASE or memory")
}

// ParseKept is Parse for a store that outlives the process: any but memory.
func ParseKept(text string) (URL, error) {
	u, err := Parse(text)
	if err == nil && u.Kind == Memory {
		err = usage.Errorf("a store in memory belongs to another process; name a store with --store or KEYRACK_STORE")
	}
	return u, err
}

// AtRest is ParseKept for a store that must exist already.
func AtRest(text string) (URL, error) {
	u, err := ParseKept(text)
	if err == nil && u.Kind == SQLite && !files.Exists(u.at) {
		err = fmt.Errorf("there is no database at %s; name another with --store or KEYRACK_STORE", u.at)
	}
	return u, err
}

// String returns the URL for people, without the address of a database.
func (u URL) String() string {
	switch u.Kind {
	case SQLite:
		return "sqlite:" + u.at
	case Postgres:
		return "postgres"
	}
	return "memory"
}

// Open opens the store. The caller closes it.
func (u URL) Open(ctx context.Context) (Store, error) {
	switch u.Kind {
	case SQLite:
		s, err := sqlitestore.Open(ctx, u.at, nil)
		if err != nil {
			return nil, fmt.Errorf("opening %v: %w", u, err)
		}
		return s, nil
	case Postgres:
		s, err := pgstore.Open(ctx, u.at, nil)
		if err != nil {
			return nil, fmt.Errorf("opening the database: %w", err)
		}
		return s, nil
	}
	return volatileStore{memstore.New(nil)}, nil
}

// Store is an open store.
type Store interface {
	store.Store
	Close() error
}

type volatileStore struct{ *memstore.Store }

func (volatileStore) Close() error { return nil }

// With opens the store, calls do with it and closes it.
func (u URL) With(ctx context.Context, do func(store.Store) error) error {
	s, err := u.Open(ctx)
	if err != nil {
		return err
	}
	return errors.Join(do(s), s.Close())
}
