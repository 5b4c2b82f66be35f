package main

import (
	"context"
	"time"

	"github.com/spf13/cobra"

	"github.com/keyrack-dev/keyrack/cmd/keyrack/internal/api"
	"github.com/keyrack-dev/keyrack/cmd/keyrack/internal/client"
	"github.com/keyrack-dev/keyrack/cmd/keyrack/internal/usage"
)

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
	raw, err := b.Post(ctx, seen, "v1", "report")
	if err != nil {
		return err
	}
	result, err := client.Decode[api.ReportResult](raw)
	if err != nil {
		return err
	}
	if o.text() {
		err = tellIntrospection(o, result.Introspection)
	} else {
		err = o.raw(raw)
	}
	if err != nil {
		return err
	}
	return exitOf(result.Status)
}
