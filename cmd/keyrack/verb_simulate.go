package main

import (
	"context"
	cryptorand "crypto/rand"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"math/rand/v2"
	"slices"
	"time"

	"github.com/spf13/cobra"

	"github.com/keyrack-dev/keyrack/cmd/keyrack/internal/api"
	"github.com/keyrack-dev/keyrack/cmd/keyrack/internal/httpserver"
	"github.com/keyrack-dev/keyrack/cmd/keyrack/internal/pause"
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

	simulatedAttempts = 3
	simulatedGap      = 500 * time.Millisecond // between two attempts
	// secondLook is for how long a receiver that is wrong in the end is asked again:
	// of several instances, one hears a moment later what another took in.
	secondLook = 3 * time.Second
	// defaultWithin is how long a receiver that asks Mews has to find out the rest. It
	// asks about one integration at most every 10 s.
	defaultWithin = 45 * time.Second
)

// simulation is a fleet of hotels and what goes wrong on the way.
type simulation struct {
	seed       uint64
	count      int
	rate       float64
	duration   time.Duration
	lag        time.Duration
	duplicates float64
	losses     float64
	reorder    float64
	connector  string // where the hotels' Connector API listens; empty: there is none
	within     time.Duration

	clientToken lifecycle.Token // that the Connector API asks for

	target target
	client client
	output output
	errors io.Writer
	world  *mewstest.World
}

func newSimulate(env environment) *cobra.Command {
	var s simulation
	simulate := &cobra.Command{
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
			s.clientToken = lifecycle.NewToken(env(clientTokenVariable))
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
			defer s.client.close()
			return s.run(verb.Context())
		},
	}
	flags := simulate.Flags()
	flags.SortFlags = false
	flags.Uint64Var(&s.seed, "seed", 0, "decides everything random; 0 is a random one, which is printed")
	flags.IntVar(&s.count, "count", 10, "`hotels` that connect")
	flags.Float64Var(&s.rate, "rate", 10, "`changes` a second, the connections included")
	flags.DurationVar(&s.duration, "duration", 10*time.Second, "how long hotels change, 1h at most")
	flags.Float64Var(&s.duplicates, "duplicates", 0.2, "`share` of webhooks that are sent twice, from 0 to 1")
	flags.Float64Var(&s.losses, "losses", 0, "`share` of webhooks that are never sent, from 0 to 1")
	flags.Float64Var(&s.reorder, "reorder", 0.3, "`share` of webhooks that may overtake others, from 0 to 1")
	flags.DurationVar(&s.lag, "lag", 500*time.Millisecond, "the longest time from a change to its webhook")
	flags.StringVar(&s.connector, "connector-addr", "", "serve the hotels' Connector API at `addr`")
	flags.DurationVar(&s.within, "within", defaultWithin, "how `long` the receiver then has to find out")
	s.target.flags(flags)
	s.client.flags(flags)
	s.output.flags(flags)
	return simulate
}

// check finds what cannot be meant so.
func (s *simulation) check() error {
	for _, share := range []struct {
		flag  string
		value float64
	}{{"duplicates", s.duplicates}, {"losses", s.losses}, {"reorder", s.reorder}} {
		if !(share.value >= 0 && share.value <= 1) {
			return usage.Errorf("--%s is a share from 0 to 1", share.flag)
		}
	}
	switch {
	case s.count < 1 || s.count > mostHotels:
		return usage.Errorf("--count is a number of hotels from 1 to %d", mostHotels)
	case !(s.rate > 0 && s.rate <= mostRate):
		return usage.Errorf("--rate is a number of changes a second, above 0 and up to %v", mostRate)
	case s.duration <= 0 || s.duration > mostDuration:
		return usage.Errorf("--duration is a time up to %v", mostDuration)
	case s.lag <= 0 || s.lag > mostLag:
		return usage.Errorf("--lag is a time up to %v", mostLag)
	case s.connector != "" && !api.IsLoopback(s.connector):
		return usage.Errorf("--connector-addr is a loopback address, such as 127.0.0.1:8082: what listens there is a fake")
	case s.connector != "" && s.clientToken.IsZero():
		return usage.Errorf("with --connector-addr, %s is the token that the receiver asks with; set it for both", clientTokenVariable)
	case s.within <= 0 || s.within > mostDuration:
		return usage.Errorf("--within is a time up to %v", mostDuration)
	case s.changes() < s.count:
		return usage.Errorf("in %v at %v changes a second there are %d changes, too few for %d hotels to connect; raise --rate or --duration",
			s.duration, s.rate, s.changes(), s.count)
	}
	return nil
}

// changes returns how many there will be, the connections included.
func (s *simulation) changes() int { return int(s.rate * s.duration.Seconds()) }

// run plays, settles and compares.
func (s *simulation) run(ctx context.Context) error {
	for s.seed == 0 {
		var b [8]byte
		_, _ = cryptorand.Read(b[:]) // it never fails
		s.seed = uint64(binary.LittleEndian.Uint32(b[:]))
	}
	carrier := newCarrier()
	carrier.MaxConnsPerHost = carrier.MaxIdleConnsPerHost
	defer carrier.CloseIdleConnections()
	if err := s.fresh(ctx); err != nil {
		return err
	}
	s.world = mewstest.New(mewstest.Options{
		Seed: s.seed, URL: s.target.url, Secret: s.target.secret, Transport: carrier, LogMost: -1,
		Lag: mewstest.Spread{Max: s.lag}, Attempts: simulatedAttempts, Gap: mewstest.Spread{Max: simulatedGap},
		Faults: mewstest.Faults{
			Duplicate: s.duplicates, Lose: s.losses, Reorder: s.reorder, CopyAfter: mewstest.Spread{Max: s.lag},
		},
		ClientToken: s.clientToken,
	})
	if s.connector != "" {
		l, err := listen(ctx, "connector-addr", s.connector)
		if err != nil {
			return err
		}
		mews := httpserver.Open(l, s.world.Connector(), slog.New(slog.DiscardHandler))
		defer func() {
			bounded, cancel := context.WithTimeout(context.WithoutCancel(ctx), httpserver.ShutdownTimeout)
			defer cancel()
			_ = mews.Close(bounded) // whoever asks meanwhile gets no answer
		}()
	}
	began := time.Now()
	if err := s.play(ctx); err != nil {
		return err // the process ends, and with it what is under way
	}
	if err := s.settle(ctx); err != nil {
		return err
	}
	v, err := s.compare(ctx)
	if err != nil {
		return err
	}
	return s.tell(v, time.Since(began))
}

// fresh makes sure that the receiver has not met these hotels before.
func (s *simulation) fresh(ctx context.Context) error {
	first := mewstest.New(mewstest.Options{Seed: s.seed, Manual: true}).Connect(hotelName(1))
	i, _, err := s.client.introspect(ctx, lifecycle.NewToken(first.Token()))
	if err != nil {
		return err
	}
	if i.Reason != lifecycle.ReasonUnfamiliar {
		return fmt.Errorf("the receiver knows the hotels of seed %d already; take another seed, or a receiver with a new store", s.seed)
	}
	return nil
}

func hotelName(n int) string { return fmt.Sprintf("Hotel %d", n) }

// play lets everything happen, in its time.
func (s *simulation) play(ctx context.Context) error {
	bar := newProgress(s.errors, s.changes())
	defer bar.end()
	random := rand.New(rand.NewPCG(s.seed, 0x6b65797261636b)) // the truth hangs on the seed alone
	var hotels []*mewstest.Integration
	began := time.Now()
	for n := range s.changes() {
		due := began.Add(time.Duration(float64(n) / s.rate * float64(time.Second)))
		if err := pause.For(ctx, time.Until(due)); err != nil {
			return err
		}
		if len(hotels) < s.count {
			hotels = append(hotels, s.world.Connect(hotelName(n+1)))
		} else {
			hotels = s.change(random, hotels)
		}
		bar.set(n + 1)
	}
	return nil
}

// change lets something happen at one of the hotels. In the place of one that is
// deleted another connects next.
func (s *simulation) change(random *rand.Rand, hotels []*mewstest.Integration) []*mewstest.Integration {
	at := random.IntN(len(hotels))
	i := hotels[at]
	switch n := random.IntN(20); {
	case n < 12:
		if i.Disable() == nil {
			i.Enable()
		}
	case n < 16:
		if i.Cancel() == nil {
			i.Reinstate()
		}
	case n < 19:
		i.RotateKey()
	default:
		i.Delete()
		return slices.Delete(hotels, at, at+1)
	}
	return hotels
}

// settle waits until everything that was to be sent was sent.
func (s *simulation) settle(ctx context.Context) error {
	within := 2*s.lag + simulatedAttempts*(simulatedGap+mewstest.AnswerWithin) + clientTimeout
	bounded, cancel := context.WithTimeout(ctx, within)
	defer cancel()
	if s.world.Settle(bounded) == nil {
		return nil
	}
	if ctx.Err() != nil {
		return errors.New("interrupted")
	}
	return fmt.Errorf("webhooks are still under way after %v: the receiver answers too slowly", within)
}
