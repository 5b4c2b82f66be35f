package main

import (
	"fmt"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/keyrack-dev/keyrack/cmd/keyrack/internal/storage"
)

// storeHelp is in the help of every verb that works on a store.
const storeHelp = `It works on the store that --store or KEYRACK_STORE names, keyrack.db in the working
directory by default, whether a sidecar runs on it or not.`

// defaultStore is a file in the working directory.
const defaultStore = "sqlite:keyrack.db"

// storeSettings are where a store is, where its key is, and how a database is opened.
type storeSettings struct {
	store    string
	sealing  storage.KeySource
	database storage.Options
}

// storeFlag adds --store to a verb.
func (s *storeSettings) storeFlag(flags *pflag.FlagSet) {
	flags.StringVar(&s.store, "store", defaultStore, "sqlite:`PATH`, postgres://... or memory")
}

// sealingFlag adds --sealing-key-file to a verb.
func (s *storeSettings) sealingFlag(flags *pflag.FlagSet) {
	flags.StringVar(&s.sealing.File, "sealing-key-file", "", "`file` of the sealing key (default: PATH.key for sqlite:PATH)")
}

// databaseFlags adds what PostgreSQL may have to be told.
func (s *storeSettings) databaseFlags(flags *pflag.FlagSet) {
	flags.StringVar(&s.database.Schema, "schema", "", "`schema` of PostgreSQL that holds everything (default keyrack)")
	flags.BoolVar(&s.database.Pooler, "pooler", false, "PostgreSQL is behind PgBouncer in transaction mode")
	flags.BoolVar(&s.database.SkipMigrations, "skip-migrations", false, "leave PostgreSQL's schema as it is: see keyrack migrate")
}

// find reads the settings that come from the environment alone, and --store.
func (s *storeSettings) find(verb *cobra.Command, env environment, parse func(string) (storage.URL, error)) (storage.URL, error) {
	s.sealing.Inline = env(storage.KeyVariable)
	u, err := parse(s.store)
	u.Options = s.database
	u.Warn = warner(verb)
	return u, err
}

// atRest is find for a store that must exist already.
func (s *storeSettings) atRest(verb *cobra.Command, env environment) (storage.URL, error) {
	return s.find(verb, env, storage.AtRest)
}

// warner returns a function that warns the person who runs a verb.
func warner(verb *cobra.Command) func(string) {
	stderr := verb.ErrOrStderr()
	return func(text string) {
		if text != "" {
			fmt.Fprintf(stderr, "keyrack: warning: %s\n", text)
		}
	}
}
