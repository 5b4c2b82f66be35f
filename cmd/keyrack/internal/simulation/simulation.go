// Package simulation plays a fleet of hotels to a receiver of webhooks and compares what
// its API says of their tokens with the truth.
//
//	connect, change ──▶ settle ──▶ ask about every token ──▶ Report
//	    webhooks, late, twice, reordered or lost on the way
//
// The truth depends on the seed alone: the same seed plays the same lives. Hotels are
// made up, and nothing secret is in a Report.
package simulation

import (
	"context"
	cryptorand "crypto/rand"
	"encoding/binary"
	"fmt"
	"io"
	"log/slog"
	"math/rand/v2"
	"net"
	"slices"
	"time"

	"github.com/keyrack-dev/keyrack/cmd/keyrack/internal/client"
	"github.com/keyrack-dev/keyrack/cmd/keyrack/internal/httpserver"
	"github.com/keyrack-dev/keyrack/cmd/keyrack/internal/pause"
	"github.com/keyrack-dev/keyrack/lifecycle"
	"github.com/keyrack-dev/keyrack/mewstest"
)

const (
	// Attempts is how often a webhook is sent before Mews gives up.
	Attempts = 3
	gap      = 500 * time.Millisecond // between two attempts, at most

	// secondLook is how long a receiver that is wrong in the end is asked again: one
	// of several instances hears a moment later what another took in.
	secondLook = 3 * time.Second
)

// Options are a fleet of hotels, what goes wrong on the way, and who is tested.
type Options struct {
	Seed       uint64  // decides everything random; 0 is a random one
	Hotels     int     // that connect
	Rate       float64 // changes a second, connections included
	Duration   time.Duration
	Lag        time.Duration // the longest time from a change to its webhook
	Duplicates float64       // share of webhooks that are sent twice
	Losses     float64       // share of webhooks that are never sent
	Reorder    float64       // share of webhooks that may overtake others

	// Connector serves the hotels' Connector API until the end, if it is not nil.
	// Requests need ClientToken. Then the receiver has Within to find out the rest.
	Connector   net.Listener
	ClientToken lifecycle.Token
	Within      time.Duration

	URL    string          // of the receiver
	Secret lifecycle.Token // for the receiver; zero is none
	API    *client.Client  // of the receiver

	Progress io.Writer // gets a bar, if it is a terminal
}

// Changes returns how many changes there will be, connections included.
func (o *Options) Changes() int { return int(o.Rate * o.Duration.Seconds()) }

// simulation is one run.
type simulation struct {
	Options
	world *mewstest.World
}

// Run plays the hotels' lives, waits for the last webhook, and asks about every token.
func Run(ctx context.Context, o Options) (Report, error) {
	s := simulation{Options: o}
	for s.Seed == 0 {
		var b [8]byte
		_, _ = cryptorand.Read(b[:]) // it never fails
		s.Seed = uint64(binary.LittleEndian.Uint32(b[:]))
	}
	if err := s.fresh(ctx); err != nil {
		return Report{}, err
	}
	transport := client.NewTransport()
	transport.MaxConnsPerHost = transport.MaxIdleConnsPerHost
	defer transport.CloseIdleConnections()
	s.world = mewstest.New(&mewstest.Options{
		Seed: s.Seed, URL: s.URL, Secret: s.Secret, Transport: transport, LogMost: -1,
		Lag: mewstest.Spread{Max: s.Lag}, Attempts: Attempts, Gap: mewstest.Spread{Max: gap},
		Faults: mewstest.Faults{
			Duplicate: s.Duplicates, Lose: s.Losses, Reorder: s.Reorder, CopyAfter: mewstest.Spread{Max: s.Lag},
		},
		ClientToken: s.ClientToken,
	})
	if s.Connector != nil {
		mews := httpserver.Open(s.Connector, httpserver.MostConnections, s.world.Connector(), slog.New(slog.DiscardHandler))
		defer func() {
			bounded, cancel := context.WithTimeout(context.WithoutCancel(ctx), httpserver.ShutdownTimeout)
			defer cancel()
			_ = mews.Close(bounded) // a request that is cut off gets no answer
		}()
	}
	began := time.Now()
	if err := s.play(ctx); err != nil {
		return Report{}, err // the process ends, and with it what is under way
	}
	if err := s.settle(ctx); err != nil {
		return Report{}, err
	}
	report, err := s.compare(ctx)
	report.Seed, report.Stats, report.Took = s.Seed, s.world.Stats(), time.Since(began)
	return report, err
}

// fresh fails if the receiver knows these hotels already.
func (s *simulation) fresh(ctx context.Context) error {
	first := mewstest.New(&mewstest.Options{Seed: s.Seed, Manual: true}).Connect(HotelName(1))
	i, _, err := s.API.Introspect(ctx, lifecycle.NewToken(first.Token()))
	if err != nil {
		return err
	}
	if i.Reason != lifecycle.ReasonUnfamiliar {
		return fmt.Errorf("the receiver already knows the hotels of seed %d; use another seed, or a receiver with a new store", s.Seed)
	}
	return nil
}

// HotelName returns the name of the nth hotel, counted from 1.
func HotelName(n int) string { return fmt.Sprintf("Hotel %d", n) }

// play makes every change at its time.
func (s *simulation) play(ctx context.Context) error {
	bar := newProgress(s.Progress, s.Changes())
	defer bar.end()
	random := rand.New(rand.NewPCG(s.Seed, 0x6b65797261636b)) // the truth depends on the seed alone
	var hotels []*mewstest.Integration
	began := time.Now()
	for n := range s.Changes() {
		due := began.Add(time.Duration(float64(n) / s.Rate * float64(time.Second)))
		if err := pause.For(ctx, time.Until(due)); err != nil {
			return err
		}
		if len(hotels) < s.Hotels {
			hotels = append(hotels, s.world.Connect(HotelName(n+1)))
		} else {
			hotels = change(random, hotels)
		}
		bar.set(n + 1)
	}
	return nil
}

// change changes one of the hotels. When one is deleted, another connects next.
func change(random *rand.Rand, hotels []*mewstest.Integration) []*mewstest.Integration {
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

// settle waits until everything is sent that is to be sent.
func (s *simulation) settle(ctx context.Context) error {
	within := 2*s.Lag + Attempts*(gap+mewstest.AnswerWithin) + client.Timeout
	bounded, cancel := context.WithTimeout(ctx, within)
	defer cancel()
	if s.world.Settle(bounded) == nil {
		return nil
	}
	if ctx.Err() != nil {
		return pause.ErrInterrupted
	}
	return fmt.Errorf("webhooks are still on their way after %v: the receiver answers too slowly", within)
}
