package keyrack_test

import (
	"context"
	"fmt"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/keyrack-dev/keyrack"
	"github.com/keyrack-dev/keyrack/lifecycle"
	"github.com/keyrack-dev/keyrack/memstore"
	"github.com/keyrack-dev/keyrack/seal"
	"github.com/keyrack-dev/keyrack/store"
)

// Changes yields each entry after its commit, in the order of commits, waits for
// more, and ends with its context.
func TestChanges(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		tr := begin(t, keyrack.Options{})
		defer tr.close()
		enabled("A").do(tr)
		latest, err := tr.rack.JournalEnd(tr.ctx)
		if err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithCancel(tr.ctx)
		follow := func(after store.Position) *[]keyrack.Change {
			seen := new([]keyrack.Change)
			go func() {
				for e, err := range tr.rack.Changes(ctx, after) {
					if err != nil {
						t.Errorf("Changes: %v", err)
						return
					}
					if _, err := journaled(context.Background(), tr.store, e.Integration, e.ID); err != nil {
						t.Errorf("an entry before its commit: %v", err)
					}
					*seen = append(*seen, e)
				}
			}()
			return seen
		}
		all, fresh := follow(0), follow(latest)
		for _, d := range []deed{
			created("A", "k", lifecycle.Yes), created("B", "b", lifecycle.No), disabled("A"), reinstated("A"),
			delivered("", []byte(`[]`)), reported("A", "k", 200, 0), deleted("B", time.Time{}),
		} {
			time.Sleep(time.Minute) // longer than ReportSlack
			synctest.Wait()
			before := len(*all)
			d.do(tr)
			synctest.Wait()
			if len(*all) != before+1 {
				t.Errorf("%d entries after one more commit, %d before", len(*all), before)
			}
		}
		cancel()
		synctest.Wait() // the bubble would not end if an iteration did not
		var got []string
		for i, e := range *all {
			if i > 0 && e.Position <= (*all)[i-1].Position {
				t.Errorf("position %d after %d", e.Position, (*all)[i-1].Position)
			}
			got = append(got, fmt.Sprintf("%v %v %v to %v", e.Evidence.Kind, e.Decision.Outcome, e.Was, e.Is))
			if e.Has(keyrack.ChangeStatus) != (e.Was != e.Is) {
				t.Error("the kind status is wrong")
			}
		}
		want := []string{
			"delivery parked unknown to unknown", "delivery applied unknown to valid",
			"delivery applied unknown to invalid", "delivery reconciled valid to valid", "delivery parked valid to unknown",
			"delivery unrecognized unknown to unknown", "report applied unknown to valid",
			"delivery applied invalid to invalid",
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("Changes (-want +got):\n%s", diff)
		}
		// How it was answered may become known before an entry is read, or after.
		answerless := cmp.Transformer("answerless", func(e keyrack.Change) keyrack.Change { e.Response = store.Response{}; return e })
		if diff := cmp.Diff((*all)[1:], *fresh, cmp.FilterValues(func(a, b keyrack.Change) bool {
			return a.Response != b.Response
		}, answerless)); diff != "" {
			t.Errorf("from the latest position on (-want +got):\n%s", diff)
		}
	})
}

// TestIterationsTakeTheStoresTime: what the consumer does meanwhile is not the
// store's doing.
func TestIterationsTakeTheStoresTime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var mu sync.Mutex
		var histories []keyrack.StoreCall
		rack, err := keyrack.Open(context.Background(), memstore.New(nil), &keyrack.Options{Telemetry: &keyrack.Telemetry{
			Stored: func(_ context.Context, s keyrack.StoreCall) {
				mu.Lock()
				defer mu.Unlock()
				if s.Method == "History" {
					histories = append(histories, s)
				}
			},
		}})
		if err != nil {
			t.Fatal(err)
		}
		defer rack.Close()
		bench{T: t, Rack: rack}.deliver(creation("a", "k", lifecycle.Yes))
		for range rack.History(context.Background(), integrationID("a")) {
			time.Sleep(time.Hour)
		}
		if len(histories) != 1 || histories[0].Took != 0 || histories[0].Err != nil {
			t.Errorf("told %v", histories)
		}
	})
}

// lingering is a store whose commit has happened for a while before it returns.
type lingering struct {
	store.Store
	happened func()
}

func (s lingering) Commit(ctx context.Context, c store.Commit) (store.Committed, error) {
	stored, err := s.Store.Commit(ctx, c)
	if err == nil && s.happened != nil {
		s.happened()
		time.Sleep(100 * time.Millisecond)
	}
	return stored, err
}

// A program that hears of a change, and asks then, gets an answer that knows of it: by Changes and
// by a subscription, also while the commit is under way.
func TestChangesAreShown(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &lingering{Store: memstore.New(nil)}
		rack, err := keyrack.Open(t.Context(), s, &keyrack.Options{Poll: minute, Sealer: seal.Ephemeral()})
		if err != nil {
			t.Fatal(err)
		}
		defer rack.Close()
		heard := make(chan string, 10)
		hear := func(by string, c keyrack.Change) {
			if now := rack.CheckIntegration(c.Integration); now.Status != c.Is {
				t.Errorf("by %s it is %v, and asked %v", by, c.Is, now.Status)
			}
			heard <- by
		}
		s.happened = func() {
			s.happened = nil
			go func() {
				for c, err := range rack.Changes(t.Context(), 0) {
					if err != nil {
						t.Error(err)
					}
					hear("Changes", c)
					return
				}
			}()
			err := rack.Subscribe("billing", func(_ context.Context, c keyrack.Change) error {
				hear("a subscription", c)
				return nil
			}, &keyrack.SubscribeOptions{FromStart: true})
			if err != nil {
				t.Error(err)
			}
		}
		if _, err := rack.Deliver(t.Context(), creation("A", "k", lifecycle.Yes)); err != nil {
			t.Fatal(err)
		}
		<-heard
		<-heard
	})
}
