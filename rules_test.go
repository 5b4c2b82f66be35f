package keyrack_test

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/keyrack-dev/keyrack"
	"github.com/keyrack-dev/keyrack/lifecycle"
	"github.com/keyrack-dev/keyrack/store"
)

// untouched is a store that counts what changes anything in it but leases.
type untouched struct {
	store.Store
	changes atomic.Int64
}

func (s *untouched) Volatile() bool { return true }

func (s *untouched) Commit(ctx context.Context, c store.Commit) (store.Committed, error) {
	s.changes.Add(1)
	return s.Store.Commit(ctx, c)
}

func (s *untouched) Annotate(ctx context.Context, all ...store.Annotation) error {
	s.changes.Add(1)
	return s.Store.Annotate(ctx, all...)
}

func (s *untouched) Reseal(ctx context.Context, ref store.Ref, old, fresh []byte) error {
	s.changes.Add(1)
	return s.Store.Reseal(ctx, ref, old, fresh)
}

func (s *untouched) Shred(ctx context.Context, refs ...store.Ref) error {
	s.changes.Add(1)
	return s.Store.Shred(ctx, refs...)
}

func (s *untouched) Trim(ctx context.Context, id string, through uint64, base []byte) error {
	s.changes.Add(1)
	return s.Store.Trim(ctx, id, through, base)
}

func (s *untouched) Advance(ctx context.Context, l store.Lease, to store.Position) error {
	s.changes.Add(1)
	return s.Store.Advance(ctx, l, to)
}

// A guest changes nothing by itself: not at once, not in days, and not when it is told to do
// something about another integration. Everything that housekeeping would find is there.
func TestGuestTouchesNothing(t *testing.T) {
	subscribing(t, func(f fixture) {
		mews := newOracle("k", "l", "m")
		open := func(s store.Store, o keyrack.Options) bench {
			f.Helper()
			o.Sealer, o.Poll = f.sealer, time.Minute
			rack, err := keyrack.Open(f.Context(), s, &o)
			if err != nil {
				f.Fatal(err)
			}
			return bench{T: f.T, Rack: rack, store: f.store}
		}
		// The application keeps everything, and does not ask Mews: a superseded token is kept.
		application := open(f.store, keyrack.Options{Horizon: time.Second, Retention: keyrack.Retention{Age: -1, Entries: -1}})
		application.deliver(creation("a", "k", lifecycle.Yes))
		application.deliver(creation("b", "l", lifecycle.Yes))
		for i := range 20 {
			application.toggle("a", i%2 == 1)
		}
		application.deliver(rotation("a", "m"))
		if err := application.Close(); err != nil {
			f.Fatal(err)
		}
		settle(30 * 24 * time.Hour) // enough for all of it to be due
		application = open(f.store, keyrack.Options{Horizon: time.Second})
		application.deliver(webhook(lifecycle.IntegrationEnabled, "b", nil))
		settle(time.Second)
		if err := application.Close(); err != nil {
			f.Fatal(err)
		}
		settle(25 * time.Hour)
		sealedBefore, entriesBefore := f.sealedValues(), application.entriesOf("a")
		watched := &untouched{Store: f.store}
		for _, o := range []keyrack.Options{
			{Guest: true},
			{Guest: true, Retention: keyrack.Retention{Age: time.Minute, Entries: 1}, Horizon: time.Hour, Policy: keyrack.Policy{Assume: true}},
			{Guest: true, Prober: mews},
		} {
			for range 3 {
				guest := open(watched, o)
				settle(5 * time.Hour)
				guest.is("m", lifecycle.Valid, lifecycle.ReasonLive)
				if err := guest.Close(); err != nil {
					f.Fatal(err)
				}
			}
		}
		if n := watched.changes.Load(); n != 0 {
			f.Errorf("guests have changed the store %d times", n)
		}
		if sealed, entries := f.sealedValues(), application.entriesOf("a"); sealed != sealedBefore || entries != entriesBefore {
			f.Errorf("%d sealed values and %d entries, before the guests %d and %d", sealed, entries, sealedBefore, entriesBefore)
		}
		// It asks about what it is told to, and about nothing else.
		guest := open(watched, keyrack.Options{Guest: true, Prober: mews})
		defer guest.Close()
		if _, err := guest.Probe(f.Context(), integrationID("b"), "desk"); err != nil {
			f.Fatal(err)
		}
		settle(time.Minute)
		if b, a := mews.questions("l"), mews.questions("k")+mews.questions("m"); b == 0 || a != 0 {
			f.Errorf("asked %d times about what it was told to, and %d times about another", b, a)
		}
		// Trimming it can be told to, also with limits of its own.
		trimming := open(f.store, keyrack.Options{Guest: true, Retention: keyrack.Retention{Entries: 2}})
		defer trimming.Close()
		settle(2 * time.Hour)
		if n, err := trimming.Trim(f.Context()); err != nil || application.entriesOf("a") != 2 {
			f.Errorf("trimmed %d, %v; %d entries are left", n, err, application.entriesOf("a"))
		}
	})
}

// A guest that trims to a limit of its own keeps to the store's where it has none.
func TestGuestTrimsByTheLimitsItWasGiven(t *testing.T) {
	subscribing(t, func(f fixture) {
		application := f.keeping(f.store, keyrack.Retention{Age: -1})
		application.deliver(creation("a", "k", lifecycle.Yes))
		application.toggle("a", false)
		if err := application.Close(); err != nil {
			f.Fatal(err)
		}
		settle(500 * 24 * time.Hour) // more than the default
		for _, trimmed := range []struct {
			to   keyrack.Retention
			left int
		}{{keyrack.Retention{Entries: 10}, 2}, {keyrack.Retention{Entries: 1}, 1}, {keyrack.Retention{Age: time.Hour}, 0}} {
			rack, err := keyrack.Open(f.Context(), f.store, &keyrack.Options{Sealer: f.sealer, Guest: true, Retention: trimmed.to})
			if err != nil {
				f.Fatal(err)
			}
			if _, err := rack.Trim(f.Context()); err != nil || application.entriesOf("a") != trimmed.left {
				f.Errorf("trimmed to %+v: %v; %d entries are left, not %d", trimmed.to, err, application.entriesOf("a"), trimmed.left)
			}
			if err := rack.Close(); err != nil {
				f.Fatal(err)
			}
		}
	})
}

// sealedValues returns how many sealed tokens and bodies there are.
func (f fixture) sealedValues() (n int) {
	for ref, err := range f.store.ScanSealed(f.Context()) {
		if err != nil {
			f.Fatal(err)
		}
		if ref.Name == "" {
			n++
		}
	}
	return n
}

// What one instance sets counts for all, within a minute and after a restart, and is logged.
// What an instance leaves out follows. A guest answers as the application does.
func TestAllInstancesFollowTheStore(t *testing.T) {
	subscribing(t, func(f fixture) {
		var log bytes.Buffer
		open := func(o keyrack.Options) bench {
			f.Helper()
			o.Sealer = f.sealer
			rack, err := keyrack.Open(f.Context(), f.store, &o)
			if err != nil {
				f.Fatal(err)
			}
			return bench{T: f.T, Rack: rack, store: f.store}
		}
		first := open(keyrack.Options{Logger: slog.New(slog.NewTextHandler(&log, nil))})
		first.deliver(creation("a", "k", lifecycle.Yes))
		settle(2 * time.Hour)
		first.is("k", lifecycle.Valid, lifecycle.ReasonLive)
		second := open(keyrack.Options{Policy: keyrack.Policy{MaxAge: time.Hour}})
		settle(2 * time.Minute)
		third, guest := open(keyrack.Options{}), open(keyrack.Options{Guest: true, Policy: keyrack.Policy{Assume: true}})
		for _, b := range []bench{first, second, third, guest} {
			b.is("k", lifecycle.Unknown, lifecycle.ReasonLease)
		}
		defaults := open(keyrack.Options{SetDefaults: true})
		settle(2 * time.Minute)
		for _, b := range []bench{first, second, third, guest, defaults} {
			b.is("k", lifecycle.Valid, lifecycle.ReasonLive)
			if err := b.Close(); err != nil {
				f.Fatal(err)
			}
		}
		if text := log.String(); !strings.Contains(text, `max age`) || !strings.Contains(text, "1h0m0s, was 0s") || !strings.Contains(text, "0s, was 1h0m0s") {
			f.Errorf("the log does not say what was changed:\n%s", text)
		}
	})
}

// What an instance sets ends what time ends by it, on the instances that were there before:
// contexts of work, and what subscriptions were told.
func TestNewRulesReachWhatWaits(t *testing.T) {
	subscribing(t, func(f fixture) {
		open := func(maxAge time.Duration) bench {
			f.Helper()
			rack, err := keyrack.Open(f.Context(), f.store, &keyrack.Options{Sealer: f.sealer, Policy: keyrack.Policy{MaxAge: maxAge}})
			if err != nil {
				f.Fatal(err)
			}
			return bench{T: f.T, Rack: rack, store: f.store}
		}
		first := open(3 * time.Hour) // it has time tell
		defer first.Close()
		var h heard
		first.subscribe(&h, nil)
		first.deliver(creation("a", "k", lifecycle.Yes))
		work, stop := first.While(f.Context(), integrationID("a"))
		defer stop()
		settle(30 * time.Minute)
		defer open(time.Hour).Close()
		settle(2 * time.Minute)
		if work.Err() != nil {
			f.Fatal("the work has ended too early")
		}
		settle(time.Hour)
		if cause := new(keyrack.NotActiveError); !errors.As(context.Cause(work), &cause) || cause.Verdict.Reason != lifecycle.ReasonLease {
			f.Errorf("the work has ended with %v", context.Cause(work))
		}
		if told := h.of("a"); told != "[valid unknown]" {
			f.Errorf("the subscription was told %s", told)
		}
	})
}

// Settings that somebody without the sealing key has put into the store count for nothing.
func TestForgedSettingsCountForNothing(t *testing.T) {
	subscribing(t, func(f fixture) {
		b := f.open()
		b.deliver(creation("a", "k", lifecycle.Yes))
		if err := b.Close(); err != nil {
			f.Fatal(err)
		}
		ref := store.Ref{Name: "settings"}
		was, err := f.store.Sealed(f.Context(), ref)
		if err == nil {
			err = f.store.Reseal(f.Context(), ref, was, []byte(`{"Assume":true}`))
		}
		if err != nil {
			f.Fatal(err)
		}
		var alarms atomic.Int64
		rack, err := keyrack.Open(f.Context(), f.store, &keyrack.Options{
			Sealer: f.sealer, Guest: true,
			Telemetry: &keyrack.Telemetry{Alarmed: func(_ context.Context, a keyrack.Alarm) {
				if a.Kind == keyrack.AlarmUnreadable {
					alarms.Add(1)
				}
			}},
		})
		if err != nil {
			f.Fatal(err)
		}
		defer rack.Close()
		settle(5 * time.Minute)
		if n := alarms.Load(); n != 1 {
			f.Errorf("%d alarms, not one", n)
		}
	})
}
