package main

import (
	"fmt"

	"github.com/spf13/cobra"

	"github.com/keyrack-dev/keyrack/cmd/keyrack/internal/api"
	"github.com/keyrack-dev/keyrack/cmd/keyrack/internal/usage"
)

func newAPIKeyVerb() *cobra.Command {
	return &cobra.Command{
		Use:   "apikey NAME SCOPE[,SCOPE]...",
		Short: "Make a key for the API",
		Long: `Apikey makes a key with which a program may use the API of keyrack serve. It prints
two lines: the key, which nobody can show again, and the line that belongs into
the file that --api-keys-file names, or into KEYRACK_API_KEYS. That line is no
secret: it has the key's SHA-256 in it, not the key.

  read         lists, histories, explanations, the stream of changes, metrics
  introspect   ask whether a token is valid
  token        be handed an integration's current token
  evidence     report what Mews answered
  admin        everything`,
		Example: `  keyrack apikey booking-engine introspect,evidence`,
		Args: func(verb *cobra.Command, args []string) error {
			if len(args) != 2 {
				return usage.Errorf("%s takes a name and scopes, such as: keyrack apikey booking-engine introspect", verb.CommandPath())
			}
			return nil
		},
		RunE: func(verb *cobra.Command, args []string) error {
			scopes, err := api.ParseScopes(args[1])
			if err != nil {
				return usage.Errorf("%w", err)
			}
			if !api.ValidKeyName(args[0]) {
				return usage.Errorf("a name is of letters, digits, dots, dashes and underscores, 64 at most")
			}
			value, key := api.NewKey(args[0], scopes)
			_, err = fmt.Fprintf(verb.OutOrStdout(), "%s\n%v\n", value, key)
			return err
		},
	}
}
