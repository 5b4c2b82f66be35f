package keyrack_test

import (
	"context"
	"errors"
	"iter"
	"log/slog"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/keyrack-dev/keyrack"
	"github.com/keyrack-dev/keyrack/atrest"
	"github.com/keyrack-dev/keyrack/internal/stamp"
	"github.com/keyrack-dev/keyrack/internal/testkit"
	"github.com/keyrack-dev/keyrack/lifecycle"
	"github.com/keyrack-dev/keyrack/memstore"
	"github.com/keyrack-dev/keyrack/seal"
	"github.com/keyrack-dev/keyrack/store"
)

// timeMachine is a store in memory that can be put back to any moment of its past, as a
// database is by a failover or a dump. It keeps its incarnation.
type timeMachine struct {
	incarnation string

	mu     sync.Mutex
	now    *memstore.Store
	past   []func(context.Context, *memstore.Store) error
	holds  chan struct{}        // Scan waits for its end; nil: for nothing
	meets  func(c store.Commit) // called before a commit
	yields func(s store.Stored) // called before Scan yields
}

func newTimeMachine() *timeMachine { return &timeMachine{incarnation: "one", now: memstore.New(nil)} }

func (m *timeMachine) Volatile() bool { return true }

func (m *timeMachine) store() *memstore.Store {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.now
}

// do does something that changes the store, and remembers it if it did.
func (m *timeMachine) do(ctx context.Context, change func(context.Context, *memstore.Store) error) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	err := change(ctx, m.now)
	if err == nil {
		m.past = append(m.past, change)
	}
	return err
}

// moment returns the present, to go back to.
func (m *timeMachine) moment() int {
	m.mu.Lock()
	defer m.mu.Unlock()
	return len(m.past)
}

// back puts the store back to a moment.
func (m *timeMachine) back(to int) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.now, m.past = memstore.New(nil), m.past[:to:to]
	for _, change := range m.past {
		_ = change(context.Background(), m.now) // a lease may have ended by now
	}
}

func (m *timeMachine) Commit(ctx context.Context, c store.Commit) (receipt store.Committed, err error) {
	m.mu.Lock()
	meets := m.meets
	m.mu.Unlock()
	if meets != nil {
		meets(c)
	}
	err = m.do(ctx, func(ctx context.Context, s *memstore.Store) (err error) {
		receipt, err = s.Commit(ctx, c)
		return err
	})
	return receipt, err
}

func (m *timeMachine) Reseal(ctx context.Context, ref store.Ref, old, new []byte) error {
	return m.do(ctx, func(ctx context.Context, s *memstore.Store) error { return s.Reseal(ctx, ref, old, new) })
}

func (m *timeMachine) Shred(ctx context.Context, refs ...store.Ref) error {
	return m.do(ctx, func(ctx context.Context, s *memstore.Store) error { return s.Shred(ctx, refs...) })
}

func (m *timeMachine) Annotate(ctx context.Context, all ...store.Annotation) error {
	return m.do(ctx, func(ctx context.Context, s *memstore.Store) error { return s.Annotate(ctx, all...) })
}

func (m *timeMachine) Trim(ctx context.Context, id string, through uint64, base []byte) error {
	return m.do(ctx, func(ctx context.Context, s *memstore.Store) error { return s.Trim(ctx, id, through, base) })
}

func (m *timeMachine) Acquire(ctx context.Context, name, holder string, ttl time.Duration) (l store.Lease, err error) {
	err = m.do(ctx, func(ctx context.Context, s *memstore.Store) (err error) {
		l, err = s.Acquire(ctx, name, holder, ttl)
		return err
	})
	return l, err
}

func (m *timeMachine) Release(ctx context.Context, l store.Lease) error {
	return m.do(ctx, func(ctx context.Context, s *memstore.Store) error { return s.Release(ctx, l) })
}

func (m *timeMachine) Advance(ctx context.Context, l store.Lease, to store.Position) error {
	return m.do(ctx, func(ctx context.Context, s *memstore.Store) error { return s.Advance(ctx, l, to) })
}

func (m *timeMachine) Incarnation(ctx context.Context) (string, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.incarnation, ctx.Err()
}

func (m *timeMachine) Renew(context.Context) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.incarnation += " more"
	return nil
}

func (m *timeMachine) Scan(ctx context.Context, after string) iter.Seq2[store.Stored, error] {
	m.mu.Lock()
	holds, now, yields := m.holds, m.now, m.yields
	m.mu.Unlock()
	if holds != nil {
		<-holds
	}
	return func(yield func(store.Stored, error) bool) {
		for s, err := range now.Scan(ctx, after) {
			if yields != nil {
				yields(s)
			}
			if !yield(s, err) {
				return
			}
		}
	}
}

func (m *timeMachine) Load(ctx context.Context, id string) (store.Stored, error) {
	return m.store().Load(ctx, id)
}

func (m *timeMachine) Owner(ctx context.Context, d lifecycle.Digest) (string, error) {
	return m.store().Owner(ctx, d)
}

func (m *timeMachine) Journal(ctx context.Context, after store.Position) iter.Seq2[store.Entry, error] {
	return m.store().Journal(ctx, after)
}

func (m *timeMachine) Bounds(ctx context.Context) (first, last store.Position, err error) {
	return m.store().Bounds(ctx)
}

func (m *timeMachine) History(ctx context.Context, id string, after store.EntryID) iter.Seq2[store.Entry, error] {
	return m.store().History(ctx, id, after)
}

func (m *timeMachine) Sealed(ctx context.Context, ref store.Ref) ([]byte, error) {
	return m.store().Sealed(ctx, ref)
}

func (m *timeMachine) Names(ctx context.Context, prefix string) iter.Seq2[string, error] {
	return m.store().Names(ctx, prefix)
}

func (m *timeMachine) ScanSealed(ctx context.Context) iter.Seq2[store.Ref, error] {
	return m.store().ScanSealed(ctx)
}

func (m *timeMachine) Cursor(ctx context.Context, name string) (store.Position, error) {
	return m.store().Cursor(ctx, name)
}

// traveller is several instances on a store that goes back.
type traveller struct {
	*testing.T
	machine *timeMachine
	sealer  seal.Sealer
	log     testkit.Buffer

	mu     sync.Mutex
	alarms int
}

func travelling(t *testing.T, test func(f *traveller)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		test(&traveller{T: t, machine: newTimeMachine(), sealer: seal.Ephemeral()})
	})
}

func (f *traveller) open() bench { return f.openAs(false) }

func (f *traveller) openAs(guest bool) bench {
	f.Helper()
	rack, err := keyrack.Open(f.Context(), f.machine, &keyrack.Options{
		Guest: guest, Sealer: f.sealer, Logger: slog.New(slog.NewTextHandler(&f.log, nil)),
		Telemetry: &keyrack.Telemetry{Alarmed: func(_ context.Context, a keyrack.Alarm) {
			if a.Kind == keyrack.AlarmStore {
				f.mu.Lock()
				f.alarms++
				f.mu.Unlock()
			}
		}},
	})
	if err != nil {
		f.Fatal(err)
	}
	f.Cleanup(func() { rack.Close() })
	return bench{T: f.T, Rack: rack}
}

func (f *traveller) alarmed(want int) {
	f.Helper()
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.alarms != want {
		f.Errorf("%d alarms about the store, want %d\n%s", f.alarms, want, f.log.String())
	}
}

// settled checks that each instance is equal to the store, and that the store is sound.
func (f *traveller) settled(all ...bench) {
	f.Helper()
	time.Sleep(5 * time.Second)
	synctest.Wait()
	for stored, err := range f.machine.Scan(f.Context(), "") {
		if err != nil {
			f.Fatal(err)
		}
		for i, b := range all {
			record, ok := b.Record(stored.Integration)
			if got := string(lifecycle.AppendRecord(nil, record)); !ok || got != string(stamp.Strip(stored.Record)) {
				f.Errorf("instance %d has of %s\n%s, the store\n%s", i, stored.Integration, got, stored.Record)
			}
		}
	}
	for finding, err := range atrest.Examine(f.Context(), f.machine, f.sealer) {
		f.Errorf("%+v, %v", finding, err)
	}
	for i, b := range all {
		if err := b.SyncStatus().Err; err != nil {
			f.Errorf("instance %d does not follow: %v", i, err)
		}
	}
}

// TestStoreGoesBack: what only the instances know they write down, and what is true of the
// new history they learn, wherever they had read to.
func TestStoreGoesBack(t *testing.T) {
	for name, unread := range map[string]bool{"after it was read": false, "before anybody read it": true} {
		t.Run(name, func(t *testing.T) {
			travelling(t, func(f *traveller) {
				b, c := f.open(), f.open()
				for _, id := range []string{"disabled", "deleted", "rotated", "other", "untouched"} {
					b.deliver(creation(id, "of "+id, lifecycle.Yes))
				}
				time.Sleep(2 * time.Hour)
				to := f.machine.moment()
				b.deliver(webhook(lifecycle.IntegrationDisabled, "disabled", nil))
				b.deliver(deletion("deleted", time.Now()))
				b.deliver(rotation("rotated", "newer"))
				b.deliver(creation("new", "of new", lifecycle.Yes))
				if !unread {
					time.Sleep(2 * time.Second)
				}
				f.machine.back(to)
				b.deliver(webhook(lifecycle.IntegrationDisabled, "other", nil))
				f.settled(b, c)
				d := f.open()
				for i, one := range []bench{b, c, d} {
					if unread && i == 1 {
						continue // it learns from the others alone
					}
					one.is("of disabled", lifecycle.Unknown, lifecycle.ReasonForked)
					one.is("of deleted", lifecycle.Invalid, lifecycle.ReasonDeleted)
					one.is("of rotated", lifecycle.Unknown, lifecycle.ReasonForked)
					one.is("newer", lifecycle.Unknown, lifecycle.ReasonForked)
					one.is("of new", lifecycle.Unknown, lifecycle.ReasonForked)
					one.is("of other", lifecycle.Invalid, lifecycle.ReasonDisabled)
					one.is("of untouched", lifecycle.Valid, lifecycle.ReasonLive)
				}
				if !unread {
					f.alarmed(2)
				}
				time.Sleep(2 * time.Hour)
				c.deliver(webhook(lifecycle.IntegrationEnabled, "disabled", nil))
				b.deliver(rotation("rotated", "newest"))
				f.settled(b, c, d)
				for _, one := range []bench{b, c, d} {
					one.is("of disabled", lifecycle.Valid, lifecycle.ReasonLive)
					one.is("newest", lifecycle.Valid, lifecycle.ReasonLive)
					one.is("newer", lifecycle.Invalid, lifecycle.ReasonSuperseded)
				}
			})
		})
	}
}

// TestNothingIsWrittenOverAnotherHistory: evidence that comes before anybody has noticed is
// decided on what the store has, behind what was lost.
func TestNothingIsWrittenOverAnotherHistory(t *testing.T) {
	for name, between := range map[string]int{"fewer versions": 0, "as many versions": 1, "more versions": 2} {
		t.Run(name, func(t *testing.T) {
			travelling(t, func(f *traveller) {
				b := f.open()
				b.deliver(creation("a", "k", lifecycle.Yes))
				b.deliver(creation("b", "other", lifecycle.Yes))
				to := f.machine.moment()
				b.deliver(deletion("a", time.Now()))
				time.Sleep(2 * time.Second)
				f.machine.back(to)
				stranger := f.open() // has never seen the other history
				for range between {
					stranger.deliver(webhook(lifecycle.IntegrationEnabled, "a", nil))
				}
				b.deliver(webhook(lifecycle.IntegrationEnabled, "a", nil))
				f.settled(b, stranger)
				for _, one := range []bench{b, stranger} {
					one.is("k", lifecycle.Invalid, lifecycle.ReasonDeleted)
					one.is("other", lifecycle.Valid, lifecycle.ReasonLive)
				}
			})
		})
	}
}

// TestIncarnation: somebody says that the store went back. Nobody answers from what was
// known before until all was read anew.
func TestIncarnation(t *testing.T) {
	travelling(t, func(f *traveller) {
		b := f.open()
		b.deliver(creation("a", "k", lifecycle.Yes))
		time.Sleep(2 * time.Second)
		holds := make(chan struct{})
		f.machine.mu.Lock()
		f.machine.holds = holds
		f.machine.mu.Unlock()
		if err := f.machine.Renew(f.Context()); err != nil {
			t.Fatal(err)
		}
		time.Sleep(2 * time.Second)
		synctest.Wait()
		b.is("k", lifecycle.Unknown, lifecycle.ReasonUnavailable)
		if v := b.CheckIntegration(integrationID("a")); v.Reason != lifecycle.ReasonUnavailable {
			t.Errorf("CheckIntegration: %v", v.Reason)
		}
		if _, v, _ := b.Token(f.Context(), integrationID("a")); v.Active() {
			t.Error("a token is given out as valid")
		}
		for s := range b.Summaries() {
			if s.Verdict.Reason != lifecycle.ReasonUnavailable {
				t.Errorf("the list says %v", s.Verdict.Reason)
			}
		}
		close(holds)
		f.machine.mu.Lock()
		f.machine.holds = nil
		f.machine.mu.Unlock()
		f.settled(b)
		b.is("k", lifecycle.Valid, lifecycle.ReasonLive)
		f.alarmed(1)
	})
}

// TestSubscriptionsGoBackWithTheStore: what came to the new history is heard, though its
// positions had been given out before.
func TestSubscriptionsGoBackWithTheStore(t *testing.T) {
	travelling(t, func(f *traveller) {
		var h heard
		b := f.open()
		b.subscribe(&h, &keyrack.SubscribeOptions{Kinds: []keyrack.ChangeKind{keyrack.ChangeAny}})
		b.deliver(creation("a", "k", lifecycle.Yes))
		time.Sleep(3 * time.Second)
		to := f.machine.moment()
		for _, id := range []string{"b", "c", "d"} {
			b.deliver(creation(id, "of "+id, lifecycle.Yes))
		}
		time.Sleep(3 * time.Second)
		f.machine.back(to)
		b.deliver(webhook(lifecycle.IntegrationDisabled, "a", nil))
		f.settled(b)
		time.Sleep(time.Minute)
		synctest.Wait()
		listening := map[store.EntryID]bool{}
		h.mu.Lock()
		for _, c := range h.all {
			listening[c.ID] = true
		}
		h.mu.Unlock()
		n := 0
		for e, err := range f.machine.Journal(f.Context(), 0) {
			if err != nil {
				t.Fatal(err)
			}
			if n++; !listening[e.ID] {
				t.Errorf("entry %d of %q was never heard of", e.Position, e.Integration)
			}
		}
		if n < 5 {
			t.Errorf("the journal has %d entries: nothing was written down", n)
		}
	})
}

// forgets has an instance disable a, and the store go back behind that between two of its looks.
func (f *traveller) forgets(b bench) {
	f.Helper()
	to := f.machine.moment()
	b.deliver(webhook(lifecycle.IntegrationDisabled, "a", nil))
	time.Sleep(2100 * time.Millisecond) // between two looks
	f.machine.back(to)
}

// TestForkMeetsACommit: a fork that another instance's commit comes before is written behind
// it, without reading everything again.
func TestForkMeetsACommit(t *testing.T) {
	travelling(t, func(f *traveller) {
		b := f.open()
		b.deliver(creation("a", "k", lifecycle.Yes))
		f.forgets(b)
		stranger := f.open()
		met := 0
		f.machine.mu.Lock()
		f.machine.meets = func(c store.Commit) {
			if e, err := lifecycle.ParseEvidence(c.Entry.Evidence); err == nil && e.Kind == lifecycle.KindFork {
				if met++; met == 1 {
					stranger.deliver(rotation("a", "newer"))
				}
			}
		}
		f.machine.mu.Unlock()
		time.Sleep(2 * time.Second)
		synctest.Wait()
		f.machine.mu.Lock()
		f.machine.meets = nil
		f.machine.mu.Unlock()
		if met != 2 || strings.Contains(f.log.String(), "cannot be followed") {
			f.Errorf("%d attempts, want 2\n%s", met, f.log.String())
		}
		f.settled(b, stranger)
		b.is("newer", lifecycle.Unknown, lifecycle.ReasonForked)
	})
}

// TestCommittedWhileTheStoreIsRead: what is committed while the store is read anew is no loss.
func TestCommittedWhileTheStoreIsRead(t *testing.T) {
	travelling(t, func(f *traveller) {
		b := f.open()
		b.deliver(creation("a", "k", lifecycle.Yes))
		time.Sleep(2100 * time.Millisecond) // between two looks
		var once sync.Once
		f.machine.mu.Lock()
		f.machine.yields = func(store.Stored) {
			once.Do(func() { b.deliver(webhook(lifecycle.IntegrationDisabled, "a", nil)) })
		}
		f.machine.mu.Unlock()
		if err := f.machine.Renew(f.Context()); err != nil {
			f.Fatal(err)
		}
		f.settled(b)
		b.is("k", lifecycle.Invalid, lifecycle.ReasonDisabled)
	})
}

// TestGuestOfAStoreThatGoesBack: a guest reads the store anew, and writes down nothing.
func TestGuestOfAStoreThatGoesBack(t *testing.T) {
	travelling(t, func(f *traveller) {
		b := f.open()
		b.deliver(creation("a", "k", lifecycle.Yes))
		to := f.machine.moment()
		b.deliver(webhook(lifecycle.IntegrationDisabled, "a", nil))
		guest := f.openAs(true)
		guest.is("k", lifecycle.Invalid, lifecycle.ReasonDisabled)
		if err := b.Close(); err != nil {
			f.Fatal(err)
		}
		f.machine.back(to)
		f.settled(guest)
		guest.is("k", lifecycle.Valid, lifecycle.ReasonLive)
		if now := f.machine.moment(); now != to {
			f.Errorf("a guest changed the store %d times", now-to)
		}
		f.alarmed(1)
	})
}

// TestUnreadableInTheOtherHistory: a record that cannot be read holds up no other.
func TestUnreadableInTheOtherHistory(t *testing.T) {
	travelling(t, func(f *traveller) {
		b := f.open()
		b.deliver(creation("a", "k", lifecycle.Yes))
		b.deliver(creation("b", "other", lifecycle.Yes))
		f.forgets(b)
		stored, err := f.machine.Load(f.Context(), integrationID("a"))
		if err == nil {
			_, err = f.machine.Commit(f.Context(), store.Commit{
				Entry:  store.Entry{ID: store.NewEntryID(time.Now()), Integration: integrationID("a")},
				Expect: stored.Version, Record: []byte("from the future"),
			})
		}
		if err != nil {
			f.Fatal(err)
		}
		time.Sleep(5 * time.Second)
		synctest.Wait()
		b.is("k", lifecycle.Unknown, lifecycle.ReasonUnfamiliar)
		b.is("other", lifecycle.Valid, lifecycle.ReasonLive)
		if err := b.SyncStatus().Err; err != nil {
			f.Errorf("the journal is not followed: %v", err)
		}
	})
}

// TestWentBackAndWasTrimmed: that the journal was trimmed beyond the place does not hide that
// the store went back.
func TestWentBackAndWasTrimmed(t *testing.T) {
	travelling(t, func(f *traveller) {
		b := f.open()
		b.deliver(creation("a", "k", lifecycle.Yes))
		f.forgets(b)
		stranger := f.open()
		for range 3 {
			stranger.deliver(creation("b", "other", lifecycle.Yes))
		}
		stored, err := f.machine.Load(f.Context(), integrationID("b"))
		if err == nil {
			err = f.machine.Trim(f.Context(), stored.Integration, stored.Version-1, stored.Record)
		}
		if err != nil {
			f.Fatal(err)
		}
		time.Sleep(5 * time.Second)
		synctest.Wait()
		for _, one := range []bench{b, stranger} {
			one.is("k", lifecycle.Unknown, lifecycle.ReasonForked)
			one.is("other", lifecycle.Valid, lifecycle.ReasonLive)
		}
	})
}

// TestContextsWhileTheStoreIsBack: while everything is Unknown, a context of While is as
// patient as it is with any Unknown.
func TestContextsWhileTheStoreIsBack(t *testing.T) {
	for name, held := range map[string]time.Duration{"for long": 10 * time.Minute, "for a moment": time.Second} {
		t.Run(name, func(t *testing.T) {
			travelling(t, func(f *traveller) {
				b := f.open()
				b.deliver(creation("a", "k", lifecycle.Yes))
				time.Sleep(2 * time.Second)
				holds := make(chan struct{})
				f.machine.mu.Lock()
				f.machine.holds = holds
				f.machine.mu.Unlock()
				ctx, stop := b.While(f.Context(), integrationID("a"))
				defer stop()
				if err := f.machine.Renew(f.Context()); err != nil {
					f.Fatal(err)
				}
				time.Sleep(held)
				close(holds)
				time.Sleep(10 * time.Minute)
				synctest.Wait()
				if ended := ctx.Err() != nil; ended != (held > 5*time.Minute) {
					f.Errorf("the context ended: %v", ended)
				}
			})
		})
	}
}

// TestAcceptedBackup: where Mews is asked, all are asked anew, and none is Valid before that.
func TestAcceptedBackup(t *testing.T) {
	probing(t, newOracle("k", "l"), func(b bench) {
		b.witness()
		b.deliver(creation("a", "k", lifecycle.Yes))
		b.deliver(creation("b", "l", lifecycle.Yes))
		b.deliver(creation("c", "m", lifecycle.Yes))
		b.deliver(deletion("c", time.Now()))
		time.Sleep(time.Minute)
		synctest.Wait()
		b.is("k", lifecycle.Valid, lifecycle.ReasonLive)
		b.is("l", lifecycle.Valid, lifecycle.ReasonLive)
		b.oracle.set(func(o *oracle) { delete(o.works, tokenText("l")) }) // since the backup, and nobody knows
		for _, name := range []string{"a", "b", "witness"} {
			_, err := b.Act(b.Context(), keyrack.Act{
				Kind: lifecycle.KindFork, Integration: integrationID(name), Who: keyrack.NewToken("Kim"), Why: keyrack.NewToken("a backup"),
			})
			if err != nil {
				b.Fatal(err)
			}
		}
		b.is("k", lifecycle.Unknown, lifecycle.ReasonForked)
		b.is("l", lifecycle.Unknown, lifecycle.ReasonForked)
		b.is("m", lifecycle.Invalid, lifecycle.ReasonDeleted)
		for range 20 {
			time.Sleep(time.Minute)
			synctest.Wait()
			if v := b.Check(tokenText("l")); v.Active() {
				b.Fatalf("%v (%v) of a token that does not work", v.Status, v.Reason)
			}
		}
		b.is("k", lifecycle.Valid, lifecycle.ReasonLive)
		b.is("l", lifecycle.Invalid, lifecycle.ReasonRejected)
	})
}

// TestAsOfBackup: a person's word that nothing happened since ends the doubt, and that alone.
func TestAsOfBackup(t *testing.T) {
	travelling(t, func(f *traveller) {
		b := f.open()
		b.deliver(creation("a", "k", lifecycle.Yes))
		b.deliver(creation("b", "l", lifecycle.No))
		word := keyrack.Settlement{AsOfBackup: true, Who: keyrack.NewToken("Kim"), Why: keyrack.NewToken("asked all of them")}
		if receipt, err := b.Settle(f.Context(), integrationID("a"), word); err != nil || receipt.Decision.Outcome != lifecycle.Duplicate {
			f.Errorf("where nobody doubts: %v, %v", receipt.Decision.Outcome, err)
		}
		bad := word
		bad.AnsweredBy = "another"
		if _, err := b.Settle(f.Context(), integrationID("a"), bad); !errors.Is(err, keyrack.ErrInvalid) {
			f.Errorf("two words at once: %v", err)
		}
		for _, name := range []string{"a", "b"} {
			act := keyrack.Act{Kind: lifecycle.KindFork, Integration: integrationID(name), Who: word.Who, Why: word.Why}
			if _, err := b.Act(f.Context(), act); err != nil {
				f.Fatal(err)
			}
		}
		b.deliver(webhook(lifecycle.IntegrationEnabled, "b", nil))
		b.is("k", lifecycle.Unknown, lifecycle.ReasonForked)
		b.is("l", lifecycle.Unknown, lifecycle.ReasonForked)
		if _, err := b.Settle(f.Context(), integrationID("a"), word); err != nil {
			f.Fatal(err)
		}
		b.is("k", lifecycle.Valid, lifecycle.ReasonLive)
		b.is("l", lifecycle.Unknown, lifecycle.ReasonForked)
		word.Enabled = lifecycle.No
		if _, err := b.Settle(f.Context(), integrationID("b"), word); err != nil {
			f.Fatal(err)
		}
		b.is("l", lifecycle.Invalid, lifecycle.ReasonDisabled)
		f.settled(b)
	})
}
