package main

import (
	"context"
	"fmt"

	"github.com/spf13/cobra"

	"github.com/keyrack-dev/keyrack/cmd/keyrack/internal/api"
	"github.com/keyrack-dev/keyrack/cmd/keyrack/internal/client"
	"github.com/keyrack-dev/keyrack/cmd/keyrack/internal/terminal"
	"github.com/keyrack-dev/keyrack/cmd/keyrack/internal/usage"
	"github.com/keyrack-dev/keyrack/lifecycle"
)

func newSettle(env environment) *cobra.Command {
	b := backend{probes: true}
	var o output
	var said api.SettleRequest
	var enabled, canceled bool
	settle := &cobra.Command{
		Use:   "settle INTEGRATION --who NAME --why REASON [flags]",
		Short: "Say how things are with an integration, as you found out",
		Long: `Settle takes your word about an integration: whether it is enabled, whether it is
canceled, which of its tokens is the current one (by the digest that keyrack show
prints), or which enterprise Mews names in its answers for the integration's. It is
evidence like any other: what comes later may say otherwise, and Mews is asked if
Keyrack is set to ask.

The journal keeps who said so and why, sealed, and shows it to keys with the scope
admin alone. Settle never moves an integration to another enterprise, never reopens a
deleted one (import does), and does not prove a token.

` + backendHelp + `

Exit codes: as of keyrack check, and 1 if your word was refused.`,
		Example: `  keyrack settle 9e5e84e9-974d-4f16-9662-ab2200f27cb1 --enabled --who Kim --why "the hotel called"
  keyrack settle 9e5e84e9-974d-4f16-9662-ab2200f27cb1 --canceled=false --who desk --why ticket-7`,
		Args: exactly("INTEGRATION"),
		RunE: func(verb *cobra.Command, args []string) (err error) {
			if verb.Flags().Changed("enabled") {
				said.Enabled = &enabled
			}
			if verb.Flags().Changed("canceled") {
				said.Canceled = &canceled
			}
			switch {
			case said.Who == "" || said.Why == "":
				return usage.Errorf("--who and --why are required: the journal keeps who said so, and why")
			case said.Enabled == nil && said.Canceled == nil && said.Current == "" && said.AnsweredBy == "":
				return usage.Errorf("say something: --enabled, --enabled=false, --canceled, --canceled=false, --current or --answered-by")
			}
			if err := o.open(verb, env); err != nil {
				return err
			}
			if err := b.open(verb, env); err != nil {
				return err
			}
			defer b.close(&err)
			return settle(verb.Context(), &b, &o, args[0], said)
		},
	}
	flags := settle.Flags()
	flags.SortFlags = false
	flags.BoolVar(&enabled, "enabled", false, "the integration is enabled, or with =false disabled")
	flags.BoolVar(&canceled, "canceled", false, "it is canceled, or with =false not, or no longer")
	flags.StringVar(&said.Current, "current", "", "`digest` of the token that is the current one")
	flags.StringVar(&said.AnsweredBy, "answered-by", "", "id of the `enterprise` that Mews names for the integration's")
	flags.StringVar(&said.Enterprise, "enterprise", "", "id of the integration's `enterprise`; another one is refused")
	flags.StringVar(&said.Who, "who", "", "your `name`; required")
	flags.StringVar(&said.Why, "why", "", "your `reason`; required")
	o.flags(flags)
	b.flags(flags)
	return settle
}

func settle(ctx context.Context, b *backend, o *output, id string, said api.SettleRequest) error {
	raw, err := b.Post(ctx, said, client.IntegrationPath(id, "settle")...)
	if err != nil {
		return err
	}
	result, err := client.Decode[api.SettleResult](raw)
	if err != nil {
		return err
	}
	if o.text() {
		err = tellIntrospection(o, result.Introspection)
	} else {
		err = o.raw(raw)
	}
	switch {
	case err != nil:
		return err
	case result.Outcome != lifecycle.Applied:
		return fmt.Errorf("your word changed nothing: %v %s", result.Outcome, terminal.Plain(result.Cause))
	}
	return exitOf(result.Status)
}
