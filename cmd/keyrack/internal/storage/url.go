// Package storage opens what --store names, and finds the key that seals its tokens.
//
// A URL is one of
//
//	memory                      gone with the process
//	sqlite:PATH                 a file; its key is in PATH.key unless another is named
//	sqlite:///PATH              the same, of an absolute path
//	postgres://HOST/DATABASE    a database; its key must be named
//
// PATH is the path as it stands, relative to the working directory or absolute, without
// options: a question mark is refused, lest another store be opened than was meant. Nothing
// that this package prints holds the URL of a database, which may have a password in it, or
// a key.
package storage

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"strings"

	"github.com/keyrack-dev/keyrack/cmd/keyrack/internal/usage"
	"github.com/keyrack-dev/keyrack/memstore"
	"github.com/keyrack-dev/keyrack/pgstore"
	"github.com/keyrack-dev/keyrack/sqlitestore"
	"github.com/keyrack-dev/keyrack/store"
)

// URL is the value of --store: where everything is kept. The zero value is memory.
type URL struct {
	Options
	Kind Kind
	at   string // the path of the file, or the URL of the database, which may hold a password
}

// Options say how a store is opened. The zero value is the default of each.
type Options struct {
	Schema         string            // of PostgreSQL; empty means keyrack
	Pooler         bool              // PostgreSQL is behind a pooler in transaction mode
	SkipMigrations bool              // PostgreSQL's schema is somebody else's work
	Warn           func(text string) // gets what a person should know; nil: nobody does
	OnPooler       func()            // is called once a pooler was recognised; nil: nothing is
}

func (o Options) warn(text string) {
	if o.Warn != nil && text != "" {
		o.Warn(text)
	}
}

// Kind says what a URL is of.
type Kind uint8

const (
	Memory Kind = iota
	SQLite
	Postgres
)

const grammar = "--store must be sqlite:PATH, postgres://HOST/DATABASE or memory"

// Parse reads a value of --store. Its errors are usage errors, and say how the value was
// understood. They quote no more of it than the path of a file.
func Parse(text string) (URL, error) {
	scheme, rest, cut := strings.Cut(text, ":")
	switch {
	case text == "memory":
		return URL{}, nil
	case text == ":memory:", scheme == "memory", scheme == "sqlite" && strings.HasPrefix(rest, ":memory:"):
		return URL{}, usage.Errorf("%s; what is kept in memory alone is --store memory", grammar)
	case scheme == "sqlite":
		return parseFile(rest)
	case scheme == "postgres", scheme == "postgresql":
		return parseDatabase(text, rest)
	case cut && strings.EqualFold(scheme, "sqlite"), cut && strings.EqualFold(scheme, "postgres"):
		return URL{}, usage.Errorf("%s; what is before the colon is written in small letters", grammar)
	case strings.Contains(text, "host=") || strings.Contains(text, "dbname="):
		return URL{}, usage.Errorf("%s; keywords and values are to be written as such a URL", grammar)
	case !cut && (strings.ContainsAny(text, `/\`) || strings.HasSuffix(text, ".db")):
		return URL{}, usage.Errorf("%s; it was given a path alone: write sqlite: in front of it", grammar)
	}
	return URL{}, usage.Errorf("%s", grammar)
}

// parseFile reads what follows sqlite:.
func parseFile(path string) (URL, error) {
	whole, _, options := strings.Cut(path, "?")
	switch {
	case path == "":
		return URL{}, usage.Errorf("%s; the path is missing", grammar)
	case options:
		return URL{}, usage.Errorf("%s; it was understood as the file %s with options, and a store has none: remove what begins with the question mark",
			grammar, strings.TrimPrefix(whole, "//"))
	case strings.HasPrefix(path, "file:"):
		return URL{}, usage.Errorf("%s; write sqlite:PATH without file:", grammar)
	case strings.HasPrefix(path, "///"):
		path = path[2:]
	case strings.HasPrefix(path, "//"):
		host, deeper, _ := strings.Cut(path[2:], "/")
		return URL{}, usage.Errorf("%s; it was understood as the host %s with the file /%s: write sqlite:%s for a file in the working directory, or sqlite:/%s",
			grammar, host, deeper, path[2:], path[2:])
	case strings.HasSuffix(path, "/"):
		return URL{}, usage.Errorf("%s; %s is a folder: name a file in it, such as sqlite:%skeyrack.db", grammar, path, path)
	}
	return URL{Kind: SQLite, at: path}, nil
}

// parseDatabase reads the URL of a database, for what is wrong whatever the database says.
func parseDatabase(text, rest string) (URL, error) {
	if !strings.HasPrefix(rest, "//") {
		return URL{}, usage.Errorf("%s; two slashes belong after postgres:", grammar)
	}
	if why := misread(rest[2:]); why != "" {
		return URL{}, usage.Errorf("%s; %s", grammar, why)
	}
	return URL{Kind: Postgres, at: text}, nil
}

// encodePassword is what to do about a password that ends early.
const encodePassword = "a user name or password with any of : / ? # [ ] @ % or a blank in it must be percent-encoded, " +
	"such as %40 for @; or leave it out and set PGPASSWORD"

// misread says why the rest of a database's URL cannot be understood as it was meant, or
// "". It quotes nothing.
func misread(rest string) string {
	before, query, _ := strings.Cut(rest, "?")
	authority, path, _ := strings.Cut(before, "/")
	at := strings.LastIndex(authority, "@")
	if at < 0 {
		// Without a user, what follows a colon is a port, unless a password ended early.
		_, port, colon := strings.Cut(authority[strings.LastIndex(authority, "]")+1:], ":")
		cutShort := colon && strings.Trim(port, "0123456789,:.-abcdefghijklmnopqrstuvwxyz") != "" || strings.Contains(path, "@") ||
			colon && strings.Contains(query, "@") && strings.Trim(port, "0123456789") != ""
		if cutShort || strings.Contains(rest, "#") {
			return encodePassword
		}
		return ""
	}
	user := authority[:at]
	_, err := url.PathUnescape(user)
	if err != nil || strings.Contains(rest, "#") || strings.ContainsAny(user, " []<>\"\\^`{|}") {
		return encodePassword
	}
	return ""
}

// HasPassword reports whether a value of --store, of whatever form, has a password in it.
func HasPassword(text string) bool {
	scheme, rest, _ := strings.Cut(text, "://")
	if !strings.HasPrefix(scheme, "postgres") {
		return false
	}
	query := ""
	if _, after, ok := strings.Cut(rest, "?"); ok {
		query = after
	}
	values, _ := url.ParseQuery(query) // what can be read of it
	if values.Has("password") || values.Has("sslpassword") {
		return true
	}
	at := strings.LastIndex(rest, "@")
	return at > 0 && strings.Contains(rest[:at], ":")
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
	if err != nil || u.Kind != SQLite {
		return u, err
	}
	switch state, err := inspect(u.at); {
	case err != nil:
		return u, err
	case state == missing:
		return u, fmt.Errorf("there is no database at %s; name another with --store or KEYRACK_STORE", u.at)
	case state == empty:
		return u, fmt.Errorf("%s is an empty file and holds no store; name another with --store or KEYRACK_STORE", u.at)
	}
	return u, nil
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
		if _, err := inspect(u.at); err != nil {
			return nil, err
		}
		s, err := sqlitestore.Open(ctx, u.at, nil)
		if err != nil {
			return nil, fmt.Errorf("opening %v: %w", u, err)
		}
		return s, nil
	case Postgres:
		if err := u.checkSecrets(); err != nil {
			return nil, err
		}
		s, err := pgstore.Open(ctx, u.at, &pgstore.Options{
			Schema: u.Schema, Pooler: u.Pooler, OnPooler: u.OnPooler, SkipMigrations: u.SkipMigrations,
		})
		if err != nil {
			return nil, fmt.Errorf("opening the database: %w", diagnose(ctx, u.at, err))
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
