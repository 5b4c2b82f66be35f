package main

import (
	"context"
	"encoding/json"

	"github.com/spf13/cobra"

	"github.com/keyrack-dev/keyrack/cmd/keyrack/internal/api"
	"github.com/keyrack-dev/keyrack/cmd/keyrack/internal/usage"
)

func newHistory(env environment) *cobra.Command {
	var l looking
	limit := 0
	history := &cobra.Command{
		Use:   "history INTEGRATION [flags]",
		Short: "List what happened to one integration",
		Long: `History prints a line for each thing that happened to an integration, oldest first,
as far as the journal reaches back: what keyrack tail would have shown.

` + clientHelp + `
The key needs the scope read.`,
		Example: `  keyrack history 9e5e84e9-974d-4f16-9662-ab2200f27cb1
  keyrack history 9e5e84e9-974d-4f16-9662-ab2200f27cb1 --format jsonl | jq -r .outcome`,
		Args: exactly("INTEGRATION"),
		RunE: func(verb *cobra.Command, args []string) error {
			if limit < 0 {
				return usage.Errorf("--limit is a number of entries, or 0 for all")
			}
			return l.run(verb, env, func(ctx context.Context) error { return l.history(ctx, args[0], limit) })
		},
	}
	history.Flags().IntVar(&limit, "limit", 0, "at most so many, the oldest; 0 is all")
	l.flags(history)
	return history
}

func (l *looking) history(ctx context.Context, id string, limit int) error {
	rows := []json.RawMessage{}
	for raw, err := range l.client.history(ctx, id) {
		if err != nil {
			return err
		}
		if rows = append(rows, raw); len(rows) == limit {
			break
		}
	}
	switch l.output.format {
	case formatJSON:
		return l.output.value(rows)
	case formatJSONL:
		for _, raw := range rows {
			if err := l.output.raw(raw); err != nil {
				return err
			}
		}
		return nil
	}
	for _, raw := range rows {
		e, err := read[api.Entry](raw)
		if err != nil {
			return err
		}
		if err := l.output.printf("%s\n", lineOf(&l.output, e)); err != nil {
			return err
		}
	}
	return nil
}
