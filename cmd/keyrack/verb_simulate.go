package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/keyrack-dev/keyrack/cmd/keyrack/internal/demo"
	"github.com/keyrack-dev/keyrack/cmd/keyrack/internal/httpserver"
	"github.com/keyrack-dev/keyrack/cmd/keyrack/internal/simulation"
	"github.com/keyrack-dev/keyrack/cmd/keyrack/internal/terminal"
	"github.com/keyrack-dev/keyrack/cmd/keyrack/internal/usage"
	"github.com/keyrack-dev/keyrack/lifecycle"
	"github.com/keyrack-dev/keyrack/mewstest"
)

// The bounds of a simulation: it ends by itself.
const (
	mostHotels   = 10_000
	mostRate     = 10_000.0
	mostDuration = time.Hour
	mostLag      = 5 * time.Minute

	// defaultWithin is how long a sidecar that asks Mews has to find out the rest. It asks
	// about one integration at most every 10 s.
	defaultWithin = 45 * time.Second
)

// simulate is a simulation, and where its report goes.
type simulate struct {
	options   simulation.Options
	connector string // where the hotels' Connector API listens; empty: there is none

	target target
	client sidecar
	output output
	errors io.Writer
}

func newSimulate(env environment) *cobra.Command {
	var s simulate
	verb := &cobra.Command{
		Use:   "simulate [flags]",
		Short: "Play a fleet of hotels and compare the answers with the truth",
		Long: `Simulate plays hotels that connect, disable, cancel, rotate their tokens and delete,
and sends the webhooks as Mews would: late and, if you set it so, twice, out of order
or never. It ends by itself.

At the end it asks the API of the sidecar about every token, and prints what was true,
what the sidecar answers, and every difference. Unknown is not a mistake: webhooks alone
cannot always tell. Valid for a token that does not work is a mistake, and so is invalid
for one that works. When webhooks are lost, a sidecar that does not ask Mews has to make
such mistakes; --losses shows them.

The same seed plays the same lives. Nothing secret is printed. Use a sidecar with a
store of its own, because the invented hotels stay in it. Its horizon must be longer
than --lag, as the default is.

With --connector-addr, simulate also serves the Connector API of the hotels, on loopback
and until the end. It requires KEYRACK_CLIENT_TOKEN, which must be the same for the
sidecar. Start the sidecar with that address as its --connector-url. At the end it has
the time of --within to find out what it does not know. To have it find out about lost
webhooks as well, give it a --max-age shorter than --within.

` + targetHelp + `

` + sidecarHelp + `
The key needs the scope introspect.

Exit codes: 0 if the sidecar was never wrong with certainty, otherwise 1.`,
		Example: `  keyrack simulate
  keyrack simulate --count 100 --rate 50 --duplicates 0.3 --reorder 0.5 --seed 7
  keyrack simulate --losses 0.05 --format json

  # A sidecar that asks Mews, with hotels that it can ask about.
  export KEYRACK_CLIENT_TOKEN=made-up
  keyrack serve --store memory --max-age 20s --client-name Trial \
      --connector-url http://127.0.0.1:8082 &
  keyrack simulate --losses 0.2 --connector-addr 127.0.0.1:8082`,
		Args: noArguments,
		RunE: func(verb *cobra.Command, _ []string) error {
			s.options.ClientToken = lifecycle.NewToken(env(clientTokenVariable))
			if err := s.check(); err != nil {
				return err
			}
			if err := s.output.open(verb, env); err != nil {
				return err
			}
			s.errors = verb.ErrOrStderr()
			if err := s.target.check(env, s.errors); err != nil {
				return err
			}
			if err := s.client.open(env, s.errors); err != nil {
				return err
			}
			defer s.client.Close()
			return s.run(verb.Context())
		},
	}
	flags := verb.Flags()
	flags.SortFlags = false
	flags.Uint64Var(&s.options.Seed, "seed", 0, "seed of everything random; 0 picks one, which is printed")
	flags.IntVar(&s.options.Hotels, "count", 10, "number of `hotels`")
	flags.Float64Var(&s.options.Rate, "rate", 10, "`changes` per second, connections included")
	flags.DurationVar(&s.options.Duration, "duration", 10*time.Second, "how long hotels change, at most 1h")
	flags.Float64Var(&s.options.Duplicates, "duplicates", 0.2, "`share` of webhooks that are sent twice, from 0 to 1")
	flags.Float64Var(&s.options.Losses, "losses", 0, "`share` of webhooks that are never sent, from 0 to 1")
	flags.Float64Var(&s.options.Reorder, "reorder", 0.3, "`share` of webhooks that may overtake others, from 0 to 1")
	flags.DurationVar(&s.options.Lag, "lag", 500*time.Millisecond, "the longest time from a change to its webhook")
	flags.StringVar(&s.connector, "connector-addr", "", "serve the hotels' Connector API at `addr`")
	flags.DurationVar(&s.options.Within, "within", defaultWithin, "how `long` the sidecar then has to find out")
	s.target.flags(flags)
	s.client.flags(flags)
	s.output.flags(flags)
	return verb
}

// check checks the flags.
func (s *simulate) check() error {
	for _, share := range []struct {
		flag  string
		value float64
	}{{"duplicates", s.options.Duplicates}, {"losses", s.options.Losses}, {"reorder", s.options.Reorder}} {
		if !(share.value >= 0 && share.value <= 1) {
			return usage.Errorf("--%s must be a share from 0 to 1", share.flag)
		}
	}
	switch {
	case s.options.Hotels < 1 || s.options.Hotels > mostHotels:
		return usage.Errorf("--count must be a number of hotels from 1 to %d", mostHotels)
	case !(s.options.Rate > 0 && s.options.Rate <= mostRate):
		return usage.Errorf("--rate must be a number of changes per second, above 0 and up to %v", mostRate)
	case s.options.Duration <= 0 || s.options.Duration > mostDuration:
		return usage.Errorf("--duration must be above 0 and at most %v", mostDuration)
	case s.options.Lag <= 0 || s.options.Lag > mostLag:
		return usage.Errorf("--lag must be above 0 and at most %v", mostLag)
	case s.connector != "" && !httpserver.IsLoopback(s.connector):
		return usage.Errorf("--connector-addr must be a loopback address, such as 127.0.0.1:8082, because a fake listens there")
	case s.connector != "" && s.options.ClientToken.IsZero():
		return usage.Errorf("--connector-addr requires %s; set the same value for simulate and for the sidecar", clientTokenVariable)
	case s.options.Within <= 0 || s.options.Within > mostDuration:
		return usage.Errorf("--within must be above 0 and at most %v", mostDuration)
	case s.options.Changes() < s.options.Hotels:
		return usage.Errorf("%v at %v changes per second are %d changes, too few for %d hotels to connect; raise --rate or --duration",
			s.options.Duration, s.options.Rate, s.options.Changes(), s.options.Hotels)
	}
	return nil
}

// run plays the simulation and prints the report.
func (s *simulate) run(ctx context.Context) error {
	if s.connector != "" {
		l, err := listen(ctx, "connector-addr", s.connector)
		if err != nil {
			return err
		}
		defer l.Close()
		s.options.Connector = l
	}
	s.options.URL, s.options.Secret, s.options.API, s.options.Progress = s.target.url, s.target.secret, s.client.Client, s.errors
	report, err := simulation.Run(ctx, s.options)
	if err != nil {
		return err
	}
	return s.tell(report)
}

// tell prints the report. It returns an error if the sidecar was wrong with certainty.
func (s *simulate) tell(r simulation.Report) error {
	stats := r.Stats
	valid, invalid := r.Wrong()
	var err error
	if s.output.text() {
		err = s.tellText(r)
	} else {
		err = s.output.value(reportOf(r))
	}
	if err != nil {
		return err
	}
	if stats.Discarded > 0 {
		err = fmt.Errorf("%d webhooks were not accepted; %s", stats.Discarded, s.refusedHint(stats))
	}
	if valid+invalid > 0 {
		text := fmt.Sprintf("the sidecar is wrong with certainty about %d tokens", valid+invalid)
		if stats.Lost > 0 && s.connector == "" {
			text += "; webhooks were lost, which only a sidecar that asks Mews can find out"
		}
		err = errors.Join(err, errors.New(text))
	}
	return err
}

// refusedHint returns what to do about webhooks that were not accepted.
func (s *simulate) refusedHint(stats mewstest.Stats) string {
	for _, status := range []int{0, http.StatusUnauthorized, http.StatusNotFound, http.StatusServiceUnavailable} {
		if stats.Answers[status] > 0 {
			a := mewstest.Reply{Status: status}
			if status == 0 {
				a.Trouble = "no answer"
			}
			return s.target.hint(a)
		}
	}
	return "the receiver refused them; see its log"
}

func (s *simulate) tellText(r simulation.Report) error {
	stats := r.Stats
	valid, invalid := r.Wrong()
	var b strings.Builder
	fmt.Fprintf(&b, "seed %d: %d changes in %.1f s, settled after %.1f s\n\n", r.Seed, stats.Changes, s.options.Duration.Seconds(), r.Took.Seconds())
	var t terminal.Table
	t.Row("webhooks", fmt.Sprintf("%d of changes, %d sent twice, %d lost, %d not accepted after %d attempts",
		stats.Messages, stats.Duplicates, stats.Lost, stats.Discarded, simulation.Attempts))
	t.Row("answers", describeAnswers(stats.Answers))
	if s.connector != "" {
		t.Row("asked", describeAnswers(stats.Requests))
	}
	t.Row("truth", fmt.Sprintf("%d integrations: %d work, %d do not, %d are deleted",
		r.Integrations, r.Works, r.Integrations-r.Works-r.Deleted, r.Deleted))
	t.Row("sidecar", fmt.Sprintf("right about %d, unknown about %d; of %d tokens wrongly valid %d, wrongly invalid %d",
		r.Right, r.Undecided, r.Tokens, valid, invalid))
	_ = t.Write(&b, 0) // a Builder takes everything
	if len(r.Differences) > 0 {
		b.WriteString("\ndifferences\n")
	}
	for _, d := range r.Differences {
		fmt.Fprintf(&b, "  %v\n", d)
	}
	return s.output.printf("%s", b.String())
}

// simulationReport is the report for programs.
type simulationReport struct {
	Seed         uint64               `json:"seed"`
	Changes      int                  `json:"changes"`
	Messages     int                  `json:"messages"`
	Duplicates   int                  `json:"duplicates"`
	Lost         int                  `json:"lost"`
	Discarded    int                  `json:"discarded"`
	Answers      map[int]int          `json:"answers"`            // by status; 0 is none
	Requests     map[int]int          `json:"requests,omitempty"` // to the Connector API, likewise
	Took         float64              `json:"took_ms"`
	Integrations int                  `json:"integrations"`
	Works        int                  `json:"works"`
	Deleted      int                  `json:"deleted"`
	Tokens       int                  `json:"tokens"`
	Right        int                  `json:"right"`
	Unknown      int                  `json:"unknown"`
	WrongValid   int                  `json:"wrongly_valid"`
	WrongInvalid int                  `json:"wrongly_invalid"`
	Differences  []differenceDocument `json:"differences"`
}

type differenceDocument struct {
	Integration string           `json:"integration"`
	Former      int              `json:"former"` // how many tokens came after it
	Works       bool             `json:"works"`
	Said        lifecycle.Status `json:"said"`
	Wrong       bool             `json:"wrong"` // with certainty
}

func reportOf(r simulation.Report) simulationReport {
	stats := r.Stats
	valid, invalid := r.Wrong()
	d := simulationReport{
		Seed: r.Seed, Changes: stats.Changes, Messages: stats.Messages, Duplicates: stats.Duplicates, Lost: stats.Lost,
		Discarded: stats.Discarded, Answers: stats.Answers, Requests: stats.Requests, Took: milliseconds(r.Took),
		Integrations: r.Integrations, Works: r.Works, Deleted: r.Deleted, Tokens: r.Tokens,
		Right: r.Right, Unknown: r.Undecided, WrongValid: valid, WrongInvalid: invalid, Differences: []differenceDocument{},
	}
	for _, one := range r.Differences {
		d.Differences = append(d.Differences, differenceDocument{
			one.Integration.ID(), one.Former, one.Works, one.Said, one.Stance == mewstest.Wrong || one.Stance == mewstest.Denied,
		})
	}
	return d
}

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
