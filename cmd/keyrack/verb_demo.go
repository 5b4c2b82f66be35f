package main

import (
	"github.com/spf13/cobra"

	"github.com/keyrack-dev/keyrack/cmd/keyrack/internal/demo"
)

func newDemo() *cobra.Command {
	return &cobra.Command{
		Use:   "demo",
		Short: "Play a hotel's life and show what follows from each webhook",
		Long: `Demo starts a receiver on a free loopback port and plays a hotel's life to it in
real HTTP deliveries. The first one is that of Mews's own documentation; one
comes twice, one early, and two late.

For each it prints the status that was answered, what Keyrack made of it, and
whether the token is valid now. All of that is what really happened, and is
compared with what should have: a difference ends the demo with exit code 1. It
takes some seconds and leaves nothing behind.`,
		Example: `  keyrack demo`,
		Args:    noArguments,
		RunE: func(verb *cobra.Command, _ []string) error {
			return demo.Run(verb.Context(), verb.OutOrStdout(), newLogger(verb.ErrOrStderr()))
		},
	}
}
