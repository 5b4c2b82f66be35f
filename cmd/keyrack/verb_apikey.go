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
		Short: "Create an API key",
		Long: `Apikey creates a key with which a program may use the API of keyrack serve. It prints
two lines: the key, which cannot be shown again, and a line to add to the file of
--api-keys-file or to KEYRACK_API_KEYS. That line is not secret: it holds the SHA-256
of the key. Scopes are

  read         read lists, histories, explanations, changes and metrics
  introspect   ask whether a token is valid
  token        get the current token of an integration
  report       report what Mews answered
  admin        everything`,
		Example: `  keyrack apikey booking-engine introspect,report`,
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
				return usage.Errorf("a name consists of at most 64 letters, digits, dots, dashes and underscores")
			}
			value, key := api.NewKey(args[0], scopes)
			_, err = fmt.Fprintf(verb.OutOrStdout(), "%s\n%v\n", value, key)
			return err
		},
	}
}
