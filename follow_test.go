package keyrack_test

import (
	"context"
	"errors"
	"iter"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/keyrack-dev/keyrack"
	"github.com/keyrack-dev/keyrack/lifecycle"
	"github.com/keyrack-dev/keyrack/memstore"
	"github.com/keyrack-dev/keyrack/store"
)

// moody is a store whose journal fails, or lets who reads it hang.
type moody struct {
	*memstore.Store
	fails, gone, hangs atomic.Bool
}

func (m *moody) Journal(ctx context.Context, after store.Position) iter.Seq2[store.Entry, error] {
	if m.hangs.Load() {
		<-ctx.Done()
	}
	if m.gone.Load() {
		return func(yield func(store.Entry, error) bool) { yield(store.Entry{}, store.ErrGone) }
	}
	if m.fails.Load() {
		return func(yield func(store.Entry, error) bool) { yield(store.Entry{}, errors.New("failing")) }
	}
	return m.Store.Journal(ctx, after)
}

// TestSyncStatus: a store that fails or hangs is told from one that works, and is
// looked at again and again.
func TestSyncStatus(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &moody{Store: memstore.New(nil)}
		rack, err := keyrack.Open(context.Background(), s, &keyrack.Options{Poll: time.Second})
		if err != nil {
			t.Fatal(err)
		}
		defer rack.Close()
		look := func(what string, within time.Duration, works bool) {
			t.Helper()
			time.Sleep(2 * time.Minute)
			synctest.Wait()
			f := rack.SyncStatus()
			if ago := time.Since(f.Looked); ago > within {
				t.Errorf("%s: it was looked at %v ago", what, ago)
			}
			if ago := time.Since(f.Synced); works != (ago <= within) {
				t.Errorf("%s: the view was up to date %v ago", what, ago)
			}
			if (f.Err == nil) != works {
				t.Errorf("%s: %v", what, f.Err)
			}
		}
		look("a store that works", time.Second, true)
		s.fails.Store(true)
		look("a store that fails", time.Second, false)
		s.fails.Store(false)
		look("a store that works again", time.Second, true)
		s.hangs.Store(true)
		look("a store that hangs", 31*time.Second, false)
	})
}

// TestGoneAfterFailing: a store that is found to be gone is an alarm, also where it failed
// for another reason first.
func TestGoneAfterFailing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &moody{Store: memstore.New(nil)}
		var alarms atomic.Int32
		rack, err := keyrack.Open(context.Background(), s, &keyrack.Options{
			Poll: time.Second,
			Telemetry: &keyrack.Telemetry{Alarmed: func(_ context.Context, a keyrack.Alarm) {
				if a.Kind == keyrack.AlarmStore {
					alarms.Add(1)
				}
			}},
		})
		if err != nil {
			t.Fatal(err)
		}
		defer rack.Close()
		s.fails.Store(true)
		time.Sleep(time.Minute)
		if got := alarms.Load(); got != 0 {
			t.Errorf("%d alarms of a store that fails", got)
		}
		s.gone.Store(true)
		time.Sleep(time.Minute)
		if got := alarms.Load(); got != 1 {
			t.Errorf("%d alarms of a store that is gone, want 1", got)
		}
	})
}

// A record that a newer version wrote is Unknown, and holds nobody else up.
func TestANewerRecordHoldsNobodyUp(t *testing.T) {
	subscribing(t, func(f fixture) {
		b := f.open()
		defer b.Close()
		b.deliver(creation("a", "k", lifecycle.Yes))
		c := f.open()
		defer c.Close()
		c.is("k", lifecycle.Valid, lifecycle.ReasonLive)
		id := store.NewEntryID(time.Now())
		newer := store.Commit{
			Expect: 1, Record: []byte(`{"Format":99}`),
			Entry: store.Entry{ID: id, Integration: integrationID("a"), At: lifecycle.At(time.Now()), Evidence: []byte(`{"Kind":"newer"}`), Decision: []byte(`{}`)},
		}
		if _, err := f.store.Commit(context.Background(), newer); err != nil {
			t.Fatal(err)
		}
		b.deliver(creation("b", "l", lifecycle.Yes))
		settle(2 * pollEvery)
		c.is("l", lifecycle.Valid, lifecycle.ReasonLive)
		c.is("k", lifecycle.Unknown, lifecycle.ReasonUnfamiliar)
		if err := c.SyncStatus().Err; err != nil {
			t.Errorf("the journal is not followed: %v", err)
		}
		if _, _, err := c.Token(context.Background(), integrationID("a")); !errors.Is(err, keyrack.ErrNotFound) {
			t.Errorf("its token is handed out: %v", err)
		}
	})
}
