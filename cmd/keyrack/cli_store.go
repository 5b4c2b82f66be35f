package main

import (
	"context"
	"errors"

	"github.com/spf13/cobra"

	"github.com/keyrack-dev/keyrack/store"
)

// restHelp is in the help of every verb that works on a store.
const restHelp = `It works on the store that --store or KEYRACK_STORE names, by default keyrack.db in
the working directory, whether a receiver runs on it or not.`

// restVerbs are the verbs that work on a store at rest.
func restVerbs(env environment) []*cobra.Command {
	return []*cobra.Command{newExport(env), newImport(env), newBackup(env), newDoctor(env)}
}

// rest is a store at rest, and its key.
type rest struct {
	store   string
	sealing sealing
}

// check reads what the flags leave to the environment.
func (r *rest) check(env environment) (depot, error) {
	r.sealing.inline = env(sealingVariable)
	return atRest(r.store)
}

// with opens a store for as long as do takes.
func (d depot) with(ctx context.Context, do func(store.Store) error) error {
	s, err := d.open(ctx)
	if err != nil {
		return err
	}
	return errors.Join(do(s), s.Close())
}
