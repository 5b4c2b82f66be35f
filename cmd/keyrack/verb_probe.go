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
	lookEvery   = 200 * time.Millisecond // between looks at an integration that Mews is asked about
)

// probing is a probe whose answer is waited for.
type probing struct {
	backend backend
	output  output
	wait    time.Duration
}

func (p *probing) flags(verb *cobra.Command, waits string) {
	flags := verb.Flags()
	flags.SortFlags = false
	flags.DurationVar(&p.wait, "wait", defaultWait, waits)
	p.output.flags(flags)
	p.backend.flags(flags)
}

// open checks the flags and opens the output. The backend is opened afterwards, when the
// rest is in order.
func (p *probing) open(verb *cobra.Command, env environment) error {
	if p.wait <= 0 {
		return usage.Errorf("--wait must be above 0")
	}
	return p.output.open(verb, env)
}

func newProbe(env environment) *cobra.Command {
	p := probing{backend: backend{probes: true}}
	probe := &cobra.Command{
		Use:   "probe INTEGRATION [flags]",
		Short: "Ask Mews now whether the token of an integration works",
		Long: `Probe asks Mews about an integration, waits for the answer, and prints the verdict
afterwards. Mews is asked about an integration at most once in 10 s. The journal holds
the name of the API key that asked.

The sidecar must be set to ask Mews; with --store, set --connector-url, --client-name
and KEYRACK_CLIENT_TOKEN here.

` + backendHelp + `

Exit codes: 0 the token is valid, 3 not valid, 4 unknown, 1 if Mews did not answer.`,
		Example: `  keyrack probe 9e5e84e9-974d-4f16-9662-ab2200f27cb1`,
		Args:    exactly("INTEGRATION"),
		RunE: func(verb *cobra.Command, args []string) (err error) {
			if err := p.open(verb, env); err != nil {
				return err
			}
			if err := p.backend.open(verb, env); err != nil {
				return err
			}
			defer p.backend.close(&err)
			return p.probe(verb.Context(), args[0])
		},
	}
	p.flags(probe, "how long to wait for the answer")
	return probe
}

func (p *probing) probe(ctx context.Context, id string) error {
	before, err := p.integration(ctx, id)
	if err != nil {
		return err
	}
	if _, err := p.backend.Post(ctx, struct{}{}, client.IntegrationPath(id, "probe")...); err != nil {
		return err
	}
	for end := time.Now().Add(p.wait); ; {
		if err := pause.For(ctx, lookEvery); err != nil {
			return err
		}
		now, err := p.integration(ctx, id)
		if err != nil {
			return err
		}
		if answer := newestAnswer(before, now); answer != nil {
			return p.tell(now, *answer)
		}
		if time.Now().After(end) {
			return errors.New("no answer of Mews that settles anything; Keyrack keeps asking, so try keyrack show later")
		}
	}
}

func (p *probing) integration(ctx context.Context, id string) (api.Integration, error) {
	answer, err := p.backend.Get(ctx, nil, client.IntegrationPath(id)...)
	if err != nil {
		return api.Integration{}, err
	}
	return client.Decode[api.Integration](answer)
}

// newestAnswer returns the token that Mews has answered about since, or nil.
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

func (p *probing) tell(d api.Integration, t api.Token) error {
	var err error
	if p.output.text() {
		verdict := fmt.Sprintf("%s: %v", p.output.status(d.Status.String()), d.Reason)
		if d.Status == lifecycle.Unknown {
			verdict += fmt.Sprintf(" (probably %v)", d.Guess)
		}
		err = p.output.printf("%s\n  Mews answered: %v\n", verdict, t.Answer)
	} else {
		err = p.output.value(d)
	}
	if err != nil {
		return err
	}
	return exitOf(d.Status)
}

func newReport(env environment) *cobra.Command {
	var b backend
	var o output
	var elapsed time.Duration
	var seen api.ReportRequest
	report := &cobra.Command{
		Use:   "report [TOKEN] [flags]",
		Short: "Report what Mews answered to a call of your own",
		Long: `Report tells Keyrack the status of Mews's answer to a call with an access token, and
prints the verdict afterwards. It reads the token from stdin. --elapsed is how long ago
the call began; no time of day is taken, since clocks differ. The call is taken to have
begun 30 s earlier than that, and what may have been overtaken by a webhook or another
answer settles nothing.

` + backendHelp + `
The scope report is enough.

Exit codes: as of keyrack check.`,
		Example: `  printf %s "$TOKEN" | keyrack report --answer 401 --elapsed 2s --operation services/getAll`,
		Args:    atMostOne("TOKEN"),
		RunE: func(verb *cobra.Command, args []string) (err error) {
			switch {
			case seen.Status < 100 || seen.Status > 599:
				return usage.Errorf("--answer must be the HTTP status of Mews's answer, such as 200 or 401")
			case elapsed < 0 || !verb.Flags().Changed("elapsed"):
				return usage.Errorf("--elapsed must be how long ago the call to Mews began, such as 2s")
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
			milliseconds := elapsed.Milliseconds()
			seen.Token, seen.ElapsedMS = token.Reveal(), &milliseconds
			return report(verb.Context(), &b, &o, seen)
		},
	}
	flags := report.Flags()
	flags.SortFlags = false
	flags.IntVar(&seen.Status, "answer", 0, "HTTP `status` of Mews's answer")
	flags.DurationVar(&elapsed, "elapsed", 0, "how long ago the call began")
	flags.StringVar(&seen.Operation, "operation", "", "`path` of the call, such as services/getAll")
	o.flags(flags)
	b.flags(flags)
	return report
}

func report(ctx context.Context, b *backend, o *output, seen api.ReportRequest) error {
	result, err := postForVerdict[api.ReportResult](ctx, b, o, seen, "v1", "report")
	if err != nil {
		return err
	}
	return exitOf(result.Status)
}
