package main

import (
	"github.com/spf13/cobra"

	"github.com/keyrack-dev/keyrack/cmd/keyrack/internal/demo"
)

func newDemo() *cobra.Command {
	return &cobra.Command{
		Use:   "demo",
		Short: "Play a hotel's life and show what follows from each webhook",
		Long: `Demo starts a receiver on a free loopback port and plays a hotel's life to it over
HTTP. The first webhook is the one in Mews's documentation; one arrives twice, one
early, and two late.

For each webhook it prints the status of the answer, the outcome, and whether the
token is valid afterwards. Everything shown really happens and is compared with what
should happen: a difference ends the demo with exit code 1. It takes some seconds and
leaves nothing behind.`,
		Example: `  keyrack demo`,
		Args:    noArguments,
		RunE: func(verb *cobra.Command, _ []string) error {
			return demo.Run(verb.Context(), verb.OutOrStdout(), newLogger(verb.ErrOrStderr()))
		},
	}
}
