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

	"github.com/keyrack-dev/keyrack/cmd/keyrack/internal/api"
	"github.com/keyrack-dev/keyrack/cmd/keyrack/internal/simulation"
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

	// defaultWithin is how long a receiver that asks Mews has to find out the rest. It
	// asks about one integration at most every 10 s.
	defaultWithin = 45 * time.Second
)

// simulate is a simulation and where it is reported.
type simulate struct {
	options   simulation.Options
	connector string // where the hotels' Connector API listens; empty: there is none

	target target
	client receiver
	output output
	errors io.Writer
}

func newSimulate(env environment) *cobra.Command {
	var s simulate
	verb := &cobra.Command{
		Use:   "simulate [flags]",
		Short: "Play a fleet of hotels, and compare what the receiver says with the truth",
		Long: `Simulate plays hotels that connect, disable, cancel, rotate their tokens and delete,
and sends the webhooks about it as Mews would: late, and if you say so twice, in
another order, or never. It ends by itself.

In the end it asks the receiver's API about every token, and prints what was true,
what the receiver says, and every difference. Unknown is no mistake: webhooks alone
cannot always tell. Valid for a token that does not work is, and so is invalid for
one that works. Where webhooks are lost, a receiver that asks nobody must make
such mistakes, and with --losses you see them.

The same seed plays the same lives and prints nothing secret. Use a receiver of its
own: the hotels are made up, and stay in its store. Its horizon must be longer than
--lag, as the default one is.

With --connector-addr the hotels can be asked about as well: their Connector API
listens there until the end, on loopback alone, and takes KEYRACK_CLIENT_TOKEN, which
the receiver must have, too. Start the receiver with that address as its
--connector-url. In the end it has the time of --within to find out what it does not
know, and no longer is wrong about what it was not told: for that, give it a --lease
shorter than --within.

` + targetHelp + `

` + clientHelp + `
The key needs the scope introspect.

Exit codes: 0 if the receiver said nothing wrong with certainty, otherwise 1.`,
		Example: `  keyrack simulate
  keyrack simulate --count 100 --rate 50 --duplicates 0.3 --reorder 0.5 --seed 7
  keyrack simulate --losses 0.05 --format json

  # A receiver that asks, and hotels that can be asked about.
  export KEYRACK_CLIENT_TOKEN=made-up
  keyrack serve --store memory --lease 20s --client-name Trial \
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
	flags.Uint64Var(&s.options.Seed, "seed", 0, "decides everything random; 0 is a random one, which is printed")
	flags.IntVar(&s.options.Hotels, "count", 10, "`hotels` that connect")
	flags.Float64Var(&s.options.Rate, "rate", 10, "`changes` a second, the connections included")
	flags.DurationVar(&s.options.Duration, "duration", 10*time.Second, "how long hotels change, 1h at most")
	flags.Float64Var(&s.options.Duplicates, "duplicates", 0.2, "`share` of webhooks that are sent twice, from 0 to 1")
	flags.Float64Var(&s.options.Losses, "losses", 0, "`share` of webhooks that are never sent, from 0 to 1")
	flags.Float64Var(&s.options.Reorder, "reorder", 0.3, "`share` of webhooks that may overtake others, from 0 to 1")
	flags.DurationVar(&s.options.Lag, "lag", 500*time.Millisecond, "the longest time from a change to its webhook")
	flags.StringVar(&s.connector, "connector-addr", "", "serve the hotels' Connector API at `addr`")
	flags.DurationVar(&s.options.Within, "within", defaultWithin, "how `long` the receiver then has to find out")
	s.target.flags(flags)
	s.client.flags(flags)
	s.output.flags(flags)
	return verb
}

// check finds what cannot be meant so.
func (s *simulate) check() error {
	for _, share := range []struct {
		flag  string
		value float64
	}{{"duplicates", s.options.Duplicates}, {"losses", s.options.Losses}, {"reorder", s.options.Reorder}} {
		if !(share.value >= 0 && share.value <= 1) {
			return usage.Errorf("--%s is a share from 0 to 1", share.flag)
		}
	}
	switch {
	case s.options.Hotels < 1 || s.options.Hotels > mostHotels:
		return usage.Errorf("--count is a number of hotels from 1 to %d", mostHotels)
	case !(s.options.Rate > 0 && s.options.Rate <= mostRate):
		return usage.Errorf("--rate is a number of changes a second, above 0 and up to %v", mostRate)
	case s.options.Duration <= 0 || s.options.Duration > mostDuration:
		return usage.Errorf("--duration is a time up to %v", mostDuration)
	case s.options.Lag <= 0 || s.options.Lag > mostLag:
		return usage.Errorf("--lag is a time up to %v", mostLag)
	case s.connector != "" && !api.IsLoopback(s.connector):
		return usage.Errorf("--connector-addr is a loopback address, such as 127.0.0.1:8082: what listens there is a fake")
	case s.connector != "" && s.options.ClientToken.IsZero():
		return usage.Errorf("with --connector-addr, %s is the token that the receiver asks with; set it for both", clientTokenVariable)
	case s.options.Within <= 0 || s.options.Within > mostDuration:
		return usage.Errorf("--within is a time up to %v", mostDuration)
	case s.options.Changes() < s.options.Hotels:
		return usage.Errorf("in %v at %v changes a second there are %d changes, too few for %d hotels to connect; raise --rate or --duration",
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

// tell prints the account, and fails where the receiver was wrong with certainty.
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
		err = fmt.Errorf("%d webhooks were not taken in; %s", stats.Discarded, s.refusedHint(stats))
	}
	if valid+invalid > 0 {
		text := fmt.Sprintf("the receiver is wrong with certainty about %d tokens", valid+invalid)
		if stats.Lost > 0 && s.connector == "" {
			text += "; webhooks were lost, which only a receiver that asks Mews can find out"
		}
		err = errors.Join(err, errors.New(text))
	}
	return err
}

// refusedHint says what to do about webhooks that were not taken in.
func (s *simulate) refusedHint(stats mewstest.Stats) string {
	for _, status := range []int{0, http.StatusUnauthorized, http.StatusNotFound, http.StatusServiceUnavailable} {
		if stats.Answers[status] > 0 {
			a := mewstest.Answer{Status: status}
			if status == 0 {
				a.Trouble = "no answer"
			}
			return s.target.hint(a)
		}
	}
	return "the receiver refused them"
}

func (s *simulate) tellText(r simulation.Report) error {
	stats := r.Stats
	valid, invalid := r.Wrong()
	var b strings.Builder
	fmt.Fprintf(&b, "seed %d: %d changes in %.1f s, settled after %.1f s\n\n", r.Seed, stats.Changes, s.options.Duration.Seconds(), r.Took.Seconds())
	var t table
	t.row("webhooks", fmt.Sprintf("%d of changes, %d sent twice, %d lost, %d not taken in after %d attempts",
		stats.Messages, stats.Duplicates, stats.Lost, stats.Discarded, simulation.Attempts))
	t.row("answers", describeAnswers(stats.Answers))
	if s.connector != "" {
		t.row("asked", describeAnswers(stats.Requests))
	}
	t.row("truth", fmt.Sprintf("%d integrations: %d work, %d do not, %d are deleted",
		r.Integrations, r.Works, r.Integrations-r.Works-r.Deleted, r.Deleted))
	t.row("receiver", fmt.Sprintf("right about %d, unknown about %d; of %d tokens wrongly valid %d, wrongly invalid %d",
		r.Right, r.Undecided, r.Tokens, valid, invalid))
	_ = t.write(&b) // a Builder takes everything
	if len(r.Differences) > 0 {
		b.WriteString("\ndifferences\n")
	}
	for _, d := range r.Differences {
		fmt.Fprintf(&b, "  %v\n", d)
	}
	return s.output.printf("%s", b.String())
}

// simulationReport is the account for a program.
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
