package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"strings"

	"github.com/spf13/pflag"

	"github.com/keyrack-dev/keyrack/cmd/keyrack/internal/usage"
	"github.com/keyrack-dev/keyrack/memstore"
	"github.com/keyrack-dev/keyrack/pgstore"
	"github.com/keyrack-dev/keyrack/sqlitestore"
	"github.com/keyrack-dev/keyrack/store"
)

// defaultStore is a file in the working directory.
const defaultStore = "sqlite:keyrack.db"

// depot is what --store names: where everything is kept.
type depot struct {
	kind depotKind
	at   string // the file's path, or the database's URL; the latter may hold a password
}

type depotKind uint8

const (
	inMemory depotKind = iota
	inFile
	inPostgres
)

// depotFlag adds --store to a verb.
func depotFlag(flags *pflag.FlagSet, value *string) {
	flags.StringVar(value, "store", defaultStore, "sqlite:`PATH`, postgres://... or memory")
}

// parseDepot reads --store. It quotes nothing of a URL, which may hold a password.
func parseDepot(text string) (depot, error) {
	scheme, rest, _ := strings.Cut(text, ":")
	switch {
	case text == "memory":
		return depot{}, nil
	case scheme == "sqlite" && rest != "":
		return depot{inFile, rest}, nil
	case scheme == "postgres", scheme == "postgresql":
		return depot{inPostgres, text}, nil
	}
	return depot{}, usage.Errorf("there is no such store for --store; there are sqlite:PATH, postgres://HOST/DATABASE and memory")
}

// atRest is parseDepot for verbs that need what is there already.
func atRest(text string) (depot, error) {
	d, err := parseDepot(text)
	if err == nil && d.kind == inMemory {
		err = usage.Errorf("what is in memory is in another process; name a store with --store or KEYRACK_STORE")
	}
	if err == nil && d.kind == inFile && !exists(d.at) {
		err = fmt.Errorf("there is no database at %s; name another with --store or KEYRACK_STORE", d.at)
	}
	return d, err
}

// String names the depot for people.
func (d depot) String() string {
	switch d.kind {
	case inFile:
		return "sqlite:" + d.at
	case inPostgres:
		return "postgres"
	}
	return "memory"
}

// open opens the store, which whoever calls has to close.
func (d depot) open(ctx context.Context) (openStore, error) {
	switch d.kind {
	case inFile:
		s, err := sqlitestore.Open(ctx, d.at, nil)
		if err != nil {
			return nil, fmt.Errorf("opening %v: %w", d, err)
		}
		return s, nil
	case inPostgres:
		s, err := pgstore.Open(ctx, d.at, nil)
		if err != nil {
			return nil, fmt.Errorf("opening the database: %w", err)
		}
		return s, nil
	}
	return volatileStore{memstore.New(nil)}, nil
}

// openStore is a store that is to be closed.
type openStore interface {
	store.Store
	Close() error
}

type volatileStore struct{ *memstore.Store }

func (volatileStore) Close() error { return nil }

// exists tells whether there is something at a path, or may be.
func exists(path string) bool {
	_, err := os.Lstat(path)
	return !errors.Is(err, fs.ErrNotExist)
}
