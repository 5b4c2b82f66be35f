package main

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/keyrack-dev/keyrack/events"
	"github.com/keyrack-dev/keyrack/internal/entry"
	"github.com/keyrack-dev/keyrack/lifecycle"
	"github.com/keyrack-dev/keyrack/memstore"
	"github.com/keyrack-dev/keyrack/seal"
	"github.com/keyrack-dev/keyrack/store"
)

// whereTimeGoes races the parts of a delivery, each alone and with what the delivery
// gives it, with the whole: a part's row is its share. What no part has is the Rack's own:
// locks, the clock, the context of the store's time-out, verdicts, the view.
func whereTimeGoes(d time.Duration, a lifecycle.Action) (table, error) {
	rack, err := openRack()
	if err != nil {
		return table{}, err
	}
	defer rack.Close()
	digester, err := seal.NewDigester(seal.NewKey())
	if err != nil {
		return table{}, err
	}
	digest := func(t lifecycle.Token) lifecycle.Digest { return digester.Sum(t.Reveal()) }
	ctx, ring := context.Background(), seal.Ephemeral()
	whole := of("the whole", a, func(body []byte) error {
		_, err := rack.Deliver(ctx, body)
		return err
	}, func(int) error { return nil })

	// What the parts are given.
	body, now := webhook(a, 1), time.Now()
	event, err := events.Decode(body)
	if err != nil {
		return table{}, err
	}
	birth, err := events.Decode(webhook(lifecycle.IntegrationCreated, 1))
	if err != nil {
		return table{}, err
	}
	var base lifecycle.Record
	if a != lifecycle.IntegrationCreated {
		base, _ = base.Apply(birth.Evidence(now, 30*time.Minute, digest))
	}
	evidence := event.Evidence(now, 30*time.Minute, digest)
	next, decision := base.Apply(evidence)
	token := []byte(event.Token().Reveal())
	sealed, err := ring.Seal(body, "body")
	if err != nil {
		return table{}, err
	}
	encoded := func() (e, d, r []byte) {
		return lifecycle.AppendEvidence(nil, evidence), entry.Judgement{Decision: decision}.Append(nil), lifecycle.AppendRecord(nil, next)
	}
	ev, de, re := encoded()
	mem, n := memstore.New(&memstore.Options{JournalLimit: 1024}), 0

	part := func(name string, once func() error) way {
		return way{name: name, batch: func() error {
			for range batch {
				if err := once(); err != nil {
					return err
				}
			}
			return nil
		}}
	}
	rows, err := race(d, batch, []way{
		whole,
		part("decoding", func() error {
			e, err := events.Decode(body)
			if err == nil && !e.Equal(event) {
				err = errors.New("another event")
			}
			return err
		}),
		part("evidence, the token's digest", func() error {
			if e := event.Evidence(now, 30*time.Minute, digest); e.Token != evidence.Token {
				return errors.New("another digest")
			}
			return nil
		}),
		part("folding, with what is certain", func() error {
			if r, _ := base.Apply(evidence); r.State != next.State {
				return fmt.Errorf("folded to %v", r.State)
			}
			return nil
		}),
		part("encoding for the store", func() error {
			if e, d, r := encoded(); len(e) != len(ev) || len(d) != len(de) || len(r) != len(re) {
				return errors.New("encoded otherwise")
			}
			return nil
		}),
		part("sealing body and token", func() error {
			s, err := ring.Seal(body, "body")
			if err == nil && len(token) > 0 {
				_, err = ring.Seal(token, "token")
			}
			if err == nil && len(s) != len(sealed) {
				err = errors.New("sealed otherwise")
			}
			return err
		}),
		part("the commit in memory", func() error {
			n++
			_, err := mem.Commit(ctx, store.Commit{
				Entry: store.Entry{ID: store.NewEntryID(now), Integration: hotelID(n), At: evidence.At, Evidence: ev, Decision: de},
				Body:  sealed, Record: re,
			})
			return err
		}),
	})
	return table{"Where the time of a delivery goes: " + a.String(), "The floor is the whole delivery, so a row is a share. What no row has is the Rack's own: locks, the context of the store's time-out, verdicts, the view; a whole delivery also finds its memory less warm than a part that is run alone.", rows}, err
}
