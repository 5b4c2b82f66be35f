package keyrack_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"iter"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/keyrack-dev/keyrack"
	"github.com/keyrack-dev/keyrack/lifecycle"
	"github.com/keyrack-dev/keyrack/memstore"
	"github.com/keyrack-dev/keyrack/seal"
	"github.com/keyrack-dev/keyrack/store"
)

// rewritten is a store in which somebody has changed what is kept of some integrations.
type rewritten struct {
	store.Store
	change func(*store.Stored)
	sealed func(ref store.Ref, value []byte) []byte
}

func (s *rewritten) Volatile() bool { return true }

func (s *rewritten) Load(ctx context.Context, id string) (store.Stored, error) {
	stored, err := s.Store.Load(ctx, id)
	if err == nil && s.change != nil {
		s.change(&stored)
	}
	return stored, err
}

func (s *rewritten) Scan(ctx context.Context, after string) iter.Seq2[store.Stored, error] {
	return func(yield func(store.Stored, error) bool) {
		for stored, err := range s.Store.Scan(ctx, after) {
			if err == nil && s.change != nil {
				s.change(&stored)
			}
			if !yield(stored, err) {
				return
			}
		}
	}
}

func (s *rewritten) Sealed(ctx context.Context, ref store.Ref) ([]byte, error) {
	value, err := s.Store.Sealed(ctx, ref)
	if err == nil && s.sealed != nil {
		value = s.sealed(ref, value)
	}
	return value, err
}

// A record that cannot be read is set aside, named and alarmed, and all others are served.
// So is one that is another integration's.
func TestUnreadableRecordIsSetAside(t *testing.T) {
	for name, spoil := range map[string]func(*store.Stored){
		"broken":             func(s *store.Stored) { s.Record = []byte(`{"ID":`) },
		"of a newer version": func(s *store.Stored) { s.Record = []byte(`{"Format":1000}`) },
		"another's": func(s *store.Stored) {
			s.Record = bytes.ReplaceAll(s.Record, []byte(integrationID("a")), []byte(integrationID("b")))
		},
		"changed by a hand": func(s *store.Stored) {
			s.Record = bytes.ReplaceAll(s.Record, []byte(enterpriseID("H")), []byte(enterpriseID("other")))
		},
		"made by another entry": func(s *store.Stored) { s.Last[3]++ },
		"of another version":    func(s *store.Stored) { s.Version += 3 },
		"with a broken base":    func(s *store.Stored) { s.Record, s.Base, s.BaseVersion = []byte("?"), []byte("?"), 1 },
	} {
		t.Run(name, func(t *testing.T) {
			subscribing(t, func(f fixture) {
				b := f.open()
				b.deliver(creation("a", "k", lifecycle.Yes))
				b.deliver(creation("b", "l", lifecycle.Yes, atHotel("other")))
				b.Close()
				var spoiled atomic.Bool
				spoiled.Store(true)
				s := &rewritten{Store: f.store, change: func(stored *store.Stored) {
					if spoiled.Load() && stored.Integration == integrationID("a") {
						spoil(stored)
					}
				}}
				var log bytes.Buffer
				var alarms []keyrack.Alarm
				var mu sync.Mutex
				rack, err := keyrack.Open(context.Background(), s, &keyrack.Options{Sealer: f.sealer, Logger: slog.New(slog.NewTextHandler(&log, nil)), Telemetry: &keyrack.Telemetry{
					Alarmed: func(_ context.Context, a keyrack.Alarm) { mu.Lock(); defer mu.Unlock(); alarms = append(alarms, a) },
				}})
				if err != nil {
					t.Fatal(err)
				}
				defer rack.Close()
				if v := rack.Check(tokenText("l")); v.Status != lifecycle.Valid {
					t.Errorf("another integration is %v (%v)", v.Status, v.Reason)
				}
				if v := rack.Check(tokenText("k")); v.Status != lifecycle.Unknown {
					t.Errorf("its token is %v (%v)", v.Status, v.Reason)
				}
				if v := rack.CheckIntegration(integrationID("a")); v.Status != lifecycle.Unknown || v.Reason != lifecycle.ReasonUnavailable {
					t.Errorf("it is %v (%v)", v.Status, v.Reason)
				}
				mu.Lock()
				if want := (keyrack.Alarm{Kind: keyrack.AlarmUnreadable, Integration: integrationID("a")}); !slices.Equal(alarms, []keyrack.Alarm{want}) {
					t.Errorf("alarms %v", alarms)
				}
				mu.Unlock()
				if !strings.Contains(log.String(), integrationID("a")) {
					t.Errorf("the log does not name it: %s", &log)
				}
				if _, err := rack.Trim(context.Background()); err != nil {
					t.Errorf("Trim: %v", err)
				}
				// What others commit is followed all the same.
				other := f.open()
				other.deliver(webhook(lifecycle.IntegrationDisabled, "a", nil))
				other.deliver(webhook(lifecycle.IntegrationDisabled, "b", nil))
				other.Close()
				settle(2 * time.Second)
				if v := rack.CheckIntegration(integrationID("b")); v.Status != lifecycle.Invalid || rack.SyncStatus().Err != nil {
					t.Errorf("another integration is %v (%v), and the journal's state %v", v.Status, v.Reason, rack.SyncStatus().Err)
				}
				spoiled.Store(false) // repaired by hand
				settle(time.Hour)
				if v := rack.CheckIntegration(integrationID("a")); v.Reason != lifecycle.ReasonDisabled {
					t.Errorf("after it was repaired it is %v (%v)", v.Status, v.Reason)
				}
			})
		})
	}
}

// A value that statistics alone need stops nothing.
func TestUnreadableStatistics(t *testing.T) {
	subscribing(t, func(f fixture) {
		if err := f.store.Reseal(context.Background(), store.Ref{Name: "actions seen"}, nil, []byte("?")); err != nil {
			t.Fatal(err)
		}
		b := f.open()
		defer b.Close()
		b.deliver(creation("a", "k", lifecycle.Yes))
		settle(2 * time.Second)
		again := f.open()
		defer again.Close()
		if !again.Stats().Seen[lifecycle.IntegrationCreated] {
			t.Error("what was seen since is not kept")
		}
	})
}

// A token that none of the keys opens is told: with its integration, once.
func TestUnopenedTokenIsTold(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		o, sealer := newOracle("k"), seal.Ephemeral()
		mem := memstore.New(nil)
		var spoiled atomic.Bool
		spoiled.Store(true)
		s := &rewritten{Store: mem, sealed: func(ref store.Ref, value []byte) []byte {
			if spoiled.Load() && ref.Integration != "" {
				value = slices.Clone(value)
				value[len(value)-1] ^= 1
			}
			return value
		}}
		var alarms []keyrack.Alarm
		var mu sync.Mutex
		rack, err := keyrack.Open(context.Background(), s, &keyrack.Options{Sealer: sealer, Prober: o, Telemetry: &keyrack.Telemetry{
			Alarmed: func(_ context.Context, a keyrack.Alarm) { mu.Lock(); defer mu.Unlock(); alarms = append(alarms, a) },
		}})
		if err != nil {
			t.Fatal(err)
		}
		defer rack.Close()
		if _, err := rack.Deliver(context.Background(), creation("a", "k", lifecycle.Yes)); err != nil {
			t.Fatal(err)
		}
		settle(time.Minute)
		mu.Lock()
		if want := (keyrack.Alarm{Kind: keyrack.AlarmUnreadable, Integration: integrationID("a")}); !slices.Equal(alarms, []keyrack.Alarm{want}) {
			t.Errorf("alarms %v", alarms)
		}
		mu.Unlock()
		if v := rack.Check(tokenText("k")); v.Status == lifecycle.Valid {
			t.Errorf("it is %v (%v)", v.Status, v.Reason)
		}
		spoiled.Store(false) // the key was put back
		settle(time.Hour)
		if v := rack.Check(tokenText("k")); v.Status != lifecycle.Valid {
			t.Errorf("once it opens it is %v (%v)", v.Status, v.Reason)
		}
	})
}

// After Forget nothing is counted, listed or left to be forgotten again, on any instance.
func TestForgottenIsNotCounted(t *testing.T) {
	subscribing(t, func(f fixture) {
		b, other := f.open(), f.open()
		defer b.Close()
		defer other.Close()
		b.deliver(creation("a", "k", lifecycle.Yes))
		b.deliver(webhook(lifecycle.IntegrationEnabled, "never created", nil))
		settle(2 * time.Second)
		for _, id := range []string{"a", "never created"} {
			if _, err := b.Forget(context.Background(), integrationID(id)); err != nil {
				t.Fatal(err)
			}
		}
		settle(time.Hour)
		for name, r := range map[string]*keyrack.Rack{"here": b.Rack, "at another instance": other.Rack, "after a restart": f.open().Rack} {
			stats := r.Stats()
			if stats.Parked != 0 || stats.Orphaned != 0 || len(stats.States) != 0 || r.Len() != 0 {
				t.Errorf("%s: %+v, %d integrations", name, stats, r.Len())
			}
			for record := range r.Integrations() {
				t.Errorf("%s: %v is listed", name, record.ID)
			}
			if _, ok := r.Record(integrationID("a")); ok {
				t.Errorf("%s: it has a record", name)
			}
			if _, err := r.Forget(context.Background(), integrationID("a")); !errors.Is(err, keyrack.ErrNotFound) {
				t.Errorf("%s: forgotten again: %v", name, err)
			}
			if _, _, err := r.Token(context.Background(), integrationID("a")); !errors.Is(err, keyrack.ErrNotFound) {
				t.Errorf("%s: its token: %v", name, err)
			}
			defer r.Close()
		}
		b.deliver(creation("a", "k", lifecycle.Yes))
		b.is("k", lifecycle.Valid, lifecycle.ReasonLive)
		audit(t, f.store, b.Rack)
	})
}

// After Close nothing is taken in any more, and the sender is told to send it again.
func TestClosedRackTakesNothingIn(t *testing.T) {
	subscribing(t, func(f fixture) {
		b := f.open()
		b.deliver(creation("a", "k", lifecycle.Yes))
		handler, err := b.Handler([]keyrack.Secret{{Name: "one", Value: lifecycle.NewToken("secret")}}, nil)
		if err != nil {
			t.Fatal(err)
		}
		b.Close()
		body := webhook(lifecycle.IntegrationDisabled, "a", nil)
		answer := httptest.NewRecorder()
		handler.ServeHTTP(answer, httptest.NewRequest("POST", "/webhooks/mews?Token=secret", bytes.NewReader(body)))
		if answer.Code != http.StatusServiceUnavailable {
			t.Errorf("a delivery was answered %d", answer.Code)
		}
		for what, do := range map[string]func() error{
			"Deliver": func() error { _, err := b.Deliver(context.Background(), body); return err },
			"Import": func() error {
				_, err := b.Import(context.Background(), keyrack.Import{Integration: lifecycle.Named{ID: integrationID("b")}, Token: lifecycle.NewToken("made-up-0123456789")})
				return err
			},
			"Report": func() error {
				settle(time.Minute)
				_, err := b.Report(context.Background(), answered("k", 401, 0))
				return err
			},
			"Forget": func() error { _, err := b.Forget(context.Background(), integrationID("a")); return err },
		} {
			if err := do(); !errors.Is(err, keyrack.ErrClosed) {
				t.Errorf("%s: %v", what, err)
			}
		}
		b.is("k", lifecycle.Valid, lifecycle.ReasonLive)
		if _, last, err := f.store.Bounds(context.Background()); last != 1 || err != nil {
			t.Errorf("the journal ends at %d, %v", last, err)
		}
	})
}

// Close inside a handler, or while one does not return, ends with an error.
func TestCloseInsideAHandler(t *testing.T) {
	subscribing(t, func(f fixture) {
		b := f.open()
		inside := make(chan error, 1)
		err := b.Subscribe("test", func(context.Context, keyrack.Change) error {
			inside <- b.Close()
			return nil
		}, &keyrack.SubscribeOptions{Kinds: []keyrack.ChangeKind{keyrack.ChangeAny}})
		if err != nil {
			t.Fatal(err)
		}
		synctest.Wait()
		b.deliver(creation("a", "k", lifecycle.Yes))
		select {
		case err := <-inside:
			if err == nil {
				t.Error("Close inside a handler returned nil, and the handler had not")
			}
		case <-time.After(time.Minute):
			t.Fatal("Close inside a handler hangs")
		}
		if err := b.Close(); err != nil {
			t.Errorf("Close after the handler has returned: %v", err)
		}
	})
}

// slowCommits is a store at some distance.
type slowCommits struct{ store.Store }

func (slowCommits) Volatile() bool { return true }

func (s slowCommits) Commit(ctx context.Context, c store.Commit) (store.Committed, error) {
	time.Sleep(time.Millisecond)
	return s.Store.Commit(ctx, c)
}

// A hundred who write about one hotel, over two instances and at the same time, all get
// through.
func TestManyWritersOfOneHotel(t *testing.T) {
	subscribing(t, func(f fixture) {
		racks := [2]bench{f.keeping(slowCommits{f.store}, keyrack.Retention{}), f.keeping(slowCommits{f.store}, keyrack.Retention{})}
		var all sync.WaitGroup
		for i := range 100 {
			all.Go(func() {
				if _, err := racks[i%2].Deliver(context.Background(), webhook(lifecycle.IntegrationEnabled, "a", nil)); err != nil {
					t.Errorf("writer %d: %v", i, err)
				}
			})
		}
		all.Wait()
		for _, b := range racks {
			b.Close()
		}
		audit(t, f.store)
	})
}

// What says who got a token does not push the deliveries out of the journal.
func TestHandOutsPushNothingOut(t *testing.T) {
	subscribing(t, func(f fixture) {
		b := f.keeping(f.store, keyrack.Retention{Entries: 5})
		defer b.Close()
		b.deliver(creation("a", "k", lifecycle.Yes))
		b.toggle("a", false)
		b.toggle("a", true)
		for range 40 {
			if _, _, err := b.IssueToken(context.Background(), integrationID("a"), "billing"); err != nil {
				t.Fatal(err)
			}
		}
		trimmed := func(want int) {
			t.Helper()
			settle(2 * time.Hour)
			if _, err := b.Trim(context.Background()); err != nil {
				t.Fatal(err)
			}
			if n := b.entriesOf("a"); n != want {
				t.Errorf("%d entries are left, want %d", n, want)
			}
			b.examined(f.sealer)
		}
		trimmed(43)
		for range 40 { // they are bounded all the same
			if _, _, err := b.IssueToken(context.Background(), integrationID("a"), "billing"); err != nil {
				t.Fatal(err)
			}
		}
		trimmed(50)
	})
}

// slowTrim is a store that takes its time to trim.
type slowTrim struct{ store.Store }

func (slowTrim) Volatile() bool { return true }

func (s slowTrim) Trim(ctx context.Context, integration string, through uint64, base []byte) error {
	time.Sleep(20 * time.Second)
	return s.Store.Trim(ctx, integration, through, base)
}

// Trimming that takes longer than an hour ends, and is done once, though two instances are
// there to do it.
func TestLongTrimEnds(t *testing.T) {
	subscribing(t, func(f fixture) {
		const hotels = 400 // over two hours
		b := f.keeping(slowTrim{f.store}, keyrack.Retention{Entries: 1})
		other := f.keeping(slowTrim{f.store}, keyrack.Retention{Entries: 1})
		defer b.Close()
		defer other.Close()
		for i := range hotels {
			b.deliver(creation(fmt.Sprint(i), fmt.Sprint("k", i), lifecycle.Yes))
			b.deliver(webhook(lifecycle.IntegrationEnabled, fmt.Sprint(i), nil))
		}
		settle(30 * time.Hour)
		if first, last, err := f.store.Bounds(context.Background()); err != nil || first < last-2 {
			t.Errorf("trimmed up to %d of %d, %v", first, last, err)
		}
		if at, err := f.store.Cursor(context.Background(), "trim"); err != nil || lifecycle.Instant(at) < lifecycle.At(time.Now().Add(-10*time.Hour)) {
			t.Errorf("trimming was noted at %v, %v", lifecycle.Instant(at).Time(), err)
		}
		b.examined(f.sealer)
	})
}

// A start with a clock that is far ahead trims nothing, nor do deliveries that come while it
// is wrong make that clock right.
func TestClockAheadTrimsNothing(t *testing.T) {
	subscribing(t, func(f fixture) {
		b := f.open()
		b.deliver(creation("a", "k", lifecycle.Yes))
		for i := range 30 {
			b.toggle("a", i%2 == 1)
			settle(time.Hour)
		}
		b.Close()
		entries := b.entriesOf("a")
		settle(800 * 24 * time.Hour) // as a clock that has jumped would have it
		b = f.open()
		b.deliver(webhook(lifecycle.IntegrationEnabled, "a", nil))
		settle(20 * time.Hour)
		if n := b.entriesOf("a"); n != entries+1 {
			t.Errorf("%d entries of %d are left", n, entries+1)
		}
		settle(10 * time.Hour) // nobody has put it right for a day
		if n := b.entriesOf("a"); n != 1 {
			t.Errorf("%d entries after the clock has been right for a day", n)
		}
		b.Close()
	})
}
