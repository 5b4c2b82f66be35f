package main

import (
	"context"
	"strings"

	"github.com/spf13/cobra"

	"github.com/keyrack-dev/keyrack/cmd/keyrack/internal/api"
	"github.com/keyrack-dev/keyrack/cmd/keyrack/internal/terminal"
	"github.com/keyrack-dev/keyrack/cmd/keyrack/internal/usage"
)

func newConnect(env environment) *cobra.Command {
	b := backend{probes: true, makes: true}
	var o output
	var said api.ConnectRequest
	var labels []string
	connect := &cobra.Command{
		Use:   "connect [TOKEN] [flags]",
		Short: "Connect a hotel by its token alone",
		Long: `Connect takes the access token that a hotel sees in Mews, where nobody knows the id of
the integration, and prints whose it is and whether it is valid. It reads the token
from stdin.

If Keyrack is set to ask Mews, it asks at once, and keeps nothing of a token that Mews
refuses. A token that is known is answered for. Otherwise it begins a nameless
integration: the first webhook or import that brings the token gives it its id, and
keyrack name does so by hand.

` + backendHelp + `

Exit codes: as of keyrack check, and 1 if Mews refuses the token or does not answer.`,
		Example: `  printf %s "$TOKEN" | keyrack connect --label tenant=4711
  keyrack connect --store sqlite:keyrack.db < token.txt`,
		Args: atMostOne("TOKEN"),
		RunE: func(verb *cobra.Command, args []string) (err error) {
			if len(labels) > 0 {
				if said.Labels, err = api.ParseLabels(strings.Join(labels, ",")); err != nil {
					return usage.Errorf("--label must be key=value: %v", err)
				}
			}
			if err := o.open(verb, env); err != nil {
				return err
			}
			token, err := tokenFrom(args, verb.InOrStdin(), verb.ErrOrStderr())
			if err != nil {
				return err
			}
			if err := b.open(verb, env); err != nil {
				return err
			}
			defer b.close(&err)
			said.Token = token.Reveal()
			return connect(verb.Context(), &b, &o, said)
		},
	}
	flags := connect.Flags()
	flags.SortFlags = false
	flags.StringArrayVar(&labels, "label", nil, "note this label, as `key=value`; repeatable")
	flags.StringVar(&said.Enterprise, "enterprise", "", "id of the `enterprise`; where Mews names another one, nothing is kept")
	flags.StringVar(&said.Service, "service", "", "id of the `service` that the token is limited to")
	flags.BoolVar(&said.KeepUnproved, "keep-unproved", false, "keep the token although Mews does not answer")
	o.flags(flags)
	b.flags(flags)
	return connect
}

func connect(ctx context.Context, b *backend, o *output, said api.ConnectRequest) error {
	result, err := postForVerdict[api.ConnectResult](ctx, b, o, said, "v1", "connect")
	if err == nil && result.Nameless && o.text() {
		err = o.printf("nameless until a webhook or an import brings this token; or: keyrack name INTEGRATION %s\n", terminal.Plain(result.Integration))
	}
	if err != nil {
		return err
	}
	return exitOf(result.Status)
}

func newName(env environment) *cobra.Command {
	var b backend
	var o output
	var said api.NameRequest
	name := &cobra.Command{
		Use:   "name INTEGRATION NAMELESS --who NAME --why REASON [flags]",
		Short: "Say which integration a nameless one is",
		Long: `Name says that the integration of Mews with the id INTEGRATION is the one that was
connected by its token alone and has an id of Keyrack's, NAMELESS. Its token, labels
and history become INTEGRATION's, and NAMELESS goes on leading there. Both must be of
one enterprise. keyrack list --unnamed shows those that wait for a name, and those that
may be what they are.

The journal keeps who said so and why, sealed, and shows it to keys with the scope
admin alone.

` + backendHelp + `

Exit codes: as of keyrack check, and 1 if your word was refused.`,
		Example: `  keyrack name 9e5e84e9-974d-4f16-9662-ab2200f27cb1 nameless-3f2a --who Kim --why call`,
		Args:    exactly("INTEGRATION", "NAMELESS"),
		RunE: func(verb *cobra.Command, args []string) (err error) {
			if err := given(said.Who, said.Why); err != nil {
				return err
			}
			if err := o.open(verb, env); err != nil {
				return err
			}
			if err := b.open(verb, env); err != nil {
				return err
			}
			defer b.close(&err)
			said.Nameless = args[1]
			return settle(verb.Context(), &b, &o, said, args[0], "name")
		},
	}
	flags := name.Flags()
	flags.SortFlags = false
	wordFlags(flags, &said.Who, &said.Why)
	o.flags(flags)
	b.flags(flags)
	return name
}
