package main

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/spf13/cobra"

	"github.com/keyrack-dev/keyrack/cmd/keyrack/internal/api"
	"github.com/keyrack-dev/keyrack/cmd/keyrack/internal/client"
	"github.com/keyrack-dev/keyrack/cmd/keyrack/internal/pause"
	"github.com/keyrack-dev/keyrack/cmd/keyrack/internal/usage"
	"github.com/keyrack-dev/keyrack/lifecycle"
)

const (
	defaultWait = 30 * time.Second
	lookEvery   = 200 * time.Millisecond // at an integration that Mews is asked about
)

// asked is a question to Mews that is waited for.
type asked struct {
	office office
	output output
	wait   time.Duration
}

func (a *asked) flags(verb *cobra.Command, waits string) {
	flags := verb.Flags()
	flags.SortFlags = false
	flags.DurationVar(&a.wait, "wait", defaultWait, waits)
	a.output.flags(flags)
	a.office.flags(flags)
}

// open opens what is printed to. The office is opened when the rest is in order.
func (a *asked) open(verb *cobra.Command, env environment) error {
	if a.wait <= 0 {
		return usage.Errorf("--wait is a time above 0")
	}
	return a.output.open(verb, env)
}

func newProbe(env environment) *cobra.Command {
	a := asked{office: office{probes: true}}
	probe := &cobra.Command{
		Use:   "probe INTEGRATION [flags]",
		Short: "Have Mews asked now whether an integration's token works",
		Long: `Probe has Mews asked anew about an integration, waits for the answer, and prints
the verdict afterwards. Whoever does the asking keeps to its own pace: at most one
question in 10 s for an integration. The journal says who asked.

That takes a receiver that asks Mews, or with --store, --connector-url,
--client-name and KEYRACK_CLIENT_TOKEN here.

` + officeHelp + `

Exit codes: 0 the token is valid, 3 not valid, 4 unknown; 1 if no answer came.`,
		Example: `  keyrack probe 9e5e84e9-974d-4f16-9662-ab2200f27cb1`,
		Args:    exactly("INTEGRATION"),
		RunE: func(verb *cobra.Command, args []string) (err error) {
			if err := a.open(verb, env); err != nil {
				return err
			}
			if err := a.office.open(verb, env); err != nil {
				return err
			}
			defer a.office.close(&err)
			return a.probe(verb.Context(), args[0])
		},
	}
	a.flags(probe, "how long to wait for the answer")
	return probe
}

func (a *asked) probe(ctx context.Context, id string) error {
	before, err := a.integration(ctx, id)
	if err != nil {
		return err
	}
	if _, err := a.office.Post(ctx, struct{}{}, client.IntegrationPath(id, "probe")...); err != nil {
		return err
	}
	for end := time.Now().Add(a.wait); ; {
		if err := pause.For(ctx, lookEvery); err != nil {
			return err
		}
		now, err := a.integration(ctx, id)
		if err != nil {
			return err
		}
		if answer := newestAnswer(before, now); answer != nil {
			return a.tell(now, *answer)
		}
		if time.Now().After(end) {
			return errors.New("no answer that settles anything has come yet; the question stays open, so look later: keyrack show")
		}
	}
}

func (a *asked) integration(ctx context.Context, id string) (api.Integration, error) {
	answer, err := a.office.Get(ctx, nil, client.IntegrationPath(id)...)
	if err != nil {
		return api.Integration{}, err
	}
	return client.Decode[api.Integration](answer)
}

// newestAnswer returns the token about which Mews answered since, or nil.
func newestAnswer(before, now api.Integration) *api.Token {
	since := map[string]time.Time{}
	for _, t := range before.Tokens {
		if t.Asked != nil {
			since[t.Digest] = *t.Asked
		}
	}
	for _, t := range now.Tokens {
		if t.Asked != nil && t.Asked.After(since[t.Digest]) {
			return &t
		}
	}
	return nil
}

func (a *asked) tell(d api.Integration, t api.Token) error {
	var err error
	if a.output.text() {
		verdict := fmt.Sprintf("%s: %v", a.output.status(d.Status.String()), d.Reason)
		if d.Status == lifecycle.Unknown {
			verdict += fmt.Sprintf(" (probably %v)", d.Guess)
		}
		err = a.output.printf("%s\n  Mews answered: %v\n", verdict, t.Answer)
	} else {
		err = a.output.value(d)
	}
	if err != nil {
		return err
	}
	return exitOf(d.Status)
}
