package main

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"net/url"
	"slices"
	"strconv"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

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
	var enabled, canceled, all bool
	settle := &cobra.Command{
		Use:   "settle [INTEGRATION] --who NAME --why REASON [flags]",
		Short: "Say how things are with an integration, as you found out",
		Long: `Settle takes your word about an integration: whether it is enabled, whether it is
canceled, which of its tokens is the current one (by the digest that keyrack show
prints), or which enterprise Mews names in its answers for the integration's. It is
evidence like any other: what comes later may say otherwise, and Mews is asked if
Keyrack is set to ask.

The journal keeps who said so and why, sealed, and shows it to keys with the scope
admin alone. After a backup was put in place (keyrack backup accept), --as-of-backup says
that an integration is as the backup has it, and --all says so of each that is Unknown
for that reason (forked).

Settle never moves an integration to another enterprise, never reopens a
deleted one (import does), and does not prove a token.

` + backendHelp + `

Exit codes: as of keyrack check, and 1 if your word was refused.`,
		Example: `  keyrack settle 9e5e84e9-974d-4f16-9662-ab2200f27cb1 --enabled --who Kim --why "the hotel called"
  keyrack settle 9e5e84e9-974d-4f16-9662-ab2200f27cb1 --canceled=false --who desk --why ticket-7
  keyrack settle --all --as-of-backup --who desk --why "nothing happened since the backup"`,
		Args: func(verb *cobra.Command, args []string) error {
			if all {
				return noArguments(verb, args)
			}
			return exactly("INTEGRATION")(verb, args)
		},
		RunE: func(verb *cobra.Command, args []string) (err error) {
			if verb.Flags().Changed("enabled") {
				said.Enabled = &enabled
			}
			if verb.Flags().Changed("canceled") {
				said.Canceled = &canceled
			}
			if err := given(said.Who, said.Why); err != nil {
				return err
			}
			switch {
			case all && said != api.SettleRequest{Who: said.Who, Why: said.Why, AsOfBackup: true}:
				return usage.Errorf("--all goes with --as-of-backup alone: anything else is said of one integration")
			case said.AsOfBackup && said.AnsweredBy != "":
				return usage.Errorf("--as-of-backup and --answered-by exclude each other")
			case said.Enabled == nil && said.Canceled == nil && said.Current == "" && said.AnsweredBy == "" && !said.AsOfBackup:
				return usage.Errorf("say something: --enabled, --enabled=false, --canceled, --canceled=false, --current, --answered-by or --as-of-backup")
			}
			if err := o.open(verb, env); err != nil {
				return err
			}
			if err := b.open(verb, env); err != nil {
				return err
			}
			defer b.close(&err)
			if all {
				return settleAll(verb.Context(), &b, &o, said)
			}
			return settle(verb.Context(), &b, &o, said, args[0], "settle")
		},
	}
	flags := settle.Flags()
	flags.SortFlags = false
	flags.BoolVar(&enabled, "enabled", false, "the integration is enabled, or with =false disabled")
	flags.BoolVar(&canceled, "canceled", false, "it is canceled, or with =false not, or no longer")
	flags.StringVar(&said.Current, "current", "", "`digest` of the token that is the current one")
	flags.StringVar(&said.AnsweredBy, "answered-by", "", "id of the `enterprise` that Mews names for the integration's")
	flags.BoolVar(&said.AsOfBackup, "as-of-backup", false, "all else is as the store has it, although it went back")
	flags.BoolVar(&all, "all", false, "with --as-of-backup: say it of all that are Unknown (forked)")
	_ = flags.SetAnnotation("all", explicit, nil) // the flag is there
	flags.StringVar(&said.Enterprise, "enterprise", "", "id of the integration's `enterprise`; another one is refused")
	wordFlags(flags, &said.Who, &said.Why)
	o.flags(flags)
	b.flags(flags)
	return settle
}

// wordFlags are the flags of what a person says: who says it, and why.
func wordFlags(flags *pflag.FlagSet, who, why *string) {
	flags.StringVar(who, "who", "", "your `name`; required")
	flags.StringVar(why, "why", "", "your `reason`; required")
}

// given checks what wordFlags read.
func given(who, why string) error {
	if who == "" || why == "" {
		return usage.Errorf("--who and --why are required: the journal keeps who said so, and why")
	}
	return nil
}

// settle sends a person's word about an integration, and fails if it changed nothing.
func settle(ctx context.Context, b *backend, o *output, said any, id, what string) error {
	result, err := postForVerdict[api.SettleResult](ctx, b, o, said, client.IntegrationPath(id, what)...)
	switch {
	case err != nil:
		return err
	case result.Outcome != lifecycle.Applied:
		return fmt.Errorf("your word changed nothing: %v %s", result.Outcome, terminal.Plain(result.Cause))
	}
	return exitOf(result.Status)
}

// settleAll settles every integration that a store which went back made Unknown.
func settleAll(ctx context.Context, b *backend, o *output, said api.SettleRequest) error {
	query := url.Values{"limit": {strconv.Itoa(api.MaxPage)}, "reason": {lifecycle.ReasonForked.String()}}
	rows := []json.RawMessage{}
	for more := true; more; more = query.Get("after") != "" {
		answer, err := b.Get(ctx, query, "v1", "integrations")
		if err != nil {
			return err
		}
		page, err := client.Decode[api.IntegrationsPage](answer)
		if err != nil {
			return err
		}
		for _, one := range page.Integrations {
			raw, err := b.Post(ctx, said, client.IntegrationPath(one.Integration.ID, "settle")...)
			if err != nil {
				return fmt.Errorf("after %d integrations: %w", len(rows), err)
			}
			rows = append(rows, raw)
		}
		query.Set("after", page.Next)
	}
	return list(o, rows, func() error { return o.printf("%d integrations are as the backup has them\n", len(rows)) })
}

func newLabel(env environment) *cobra.Command {
	var b backend
	var o output
	label := &cobra.Command{
		Use:   "label INTEGRATION KEY=VALUE... KEY-... [flags]",
		Short: "Set labels of an integration, or remove them",
		Long: `Label notes pairs of a key and a value about an integration, such as which of your
tenants it belongs to. KEY=VALUE sets one, and KEY- removes it; others stay as they
are. Keyrack shows labels wherever it shows the integration, and list --label finds
it by them. A label must not hold a secret.

An integration has at most 16 labels. Keys and values have at most 63 bytes: letters,
digits, '-', '_' and '.', with a letter or a digit at both ends.

` + backendHelp,
		Example: `  keyrack label 9e5e84e9-974d-4f16-9662-ab2200f27cb1 tenant=4711 env=prod
  keyrack label 9e5e84e9-974d-4f16-9662-ab2200f27cb1 env-`,
		Args: func(_ *cobra.Command, args []string) error {
			if len(args) < 2 {
				return usage.Errorf("name an INTEGRATION, and labels to set (KEY=VALUE) or to remove (KEY-)")
			}
			return nil
		},
		RunE: func(verb *cobra.Command, args []string) (err error) {
			var said api.LabelRequest
			for _, arg := range args[1:] {
				if key, removed := strings.CutSuffix(arg, "-"); removed && !strings.Contains(arg, "=") {
					said.Remove = append(said.Remove, key)
					continue
				}
				labels, err := api.ParseLabels(arg)
				if err != nil {
					return usage.Errorf("a label is KEY=VALUE to set it, or KEY- to remove it: %v", err)
				}
				if said.Set == nil {
					said.Set = api.Labels{}
				}
				maps.Copy(said.Set, labels)
			}
			if err := o.open(verb, env); err != nil {
				return err
			}
			if err := b.open(verb, env); err != nil {
				return err
			}
			defer b.close(&err)
			raw, err := b.Post(verb.Context(), said, client.IntegrationPath(args[0], "label")...)
			if err != nil {
				return err
			}
			if !o.text() {
				return o.raw(raw)
			}
			result, err := client.Decode[api.LabelResult](raw)
			if err != nil {
				return err
			}
			return o.printf("%s\n", labelText(result.Labels))
		},
	}
	flags := label.Flags()
	flags.SortFlags = false
	o.flags(flags)
	b.flags(flags)
	return label
}

// labelText returns labels for people, in order of the keys.
func labelText(labels api.Labels) string {
	var all []string
	for _, key := range slices.Sorted(maps.Keys(labels)) {
		all = append(all, terminal.Plain(key+"="+labels[key]))
	}
	return cmp.Or(strings.Join(all, " "), "no labels")
}
