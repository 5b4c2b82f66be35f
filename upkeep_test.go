package keyrack_test

import (
	"context"
	"iter"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/keyrack-dev/keyrack"
	"github.com/keyrack-dev/keyrack/atrest"
	"github.com/keyrack-dev/keyrack/lifecycle"
	"github.com/keyrack-dev/keyrack/memstore"
	"github.com/keyrack-dev/keyrack/seal"
	"github.com/keyrack-dev/keyrack/store"
)

// scanned is a store in which somebody else does something, once, right after the
// sealed values were scanned.
type scanned struct {
	store.Store
	then atomic.Pointer[func()]
}

func (s *scanned) Volatile() bool { return true }

func (s *scanned) ScanSealed(ctx context.Context) iter.Seq2[store.Ref, error] {
	return func(yield func(store.Ref, error) bool) {
		s.Store.ScanSealed(ctx)(yield)
		if then := s.then.Swap(nil); then != nil {
			(*then)()
		}
	}
}

// A token that comes back into use while housekeeping is about to erase it stays.
func TestHousekeepingErasesNothingInUse(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &scanned{Store: memstore.New(nil)}
		rack, err := keyrack.Open(context.Background(), s, nil)
		if err != nil {
			t.Fatal(err)
		}
		defer rack.Close()
		b := bench{T: t, Rack: rack}
		b.deliver(creation("a", "k", lifecycle.Yes))
		b.deliver(creation("b", "l", lifecycle.Yes))
		settle(10 * time.Hour) // so that nothing is trimmed when they are erased
		b.deliver(deletion("a", time.Time{}))
		b.deliver(deletion("b", time.Time{}))
		refs := func() (n int) {
			for ref := range s.Store.ScanSealed(context.Background()) {
				if ref.Integration != "" {
					n++
				}
			}
			return n
		}
		settle(23*time.Hour + 30*time.Minute)
		if refs() != 2 {
			t.Fatal("the tokens are erased already")
		}
		reopen := func() {
			again := keyrack.Import{Integration: lifecycle.Named{ID: integrationID("a")}, Token: lifecycle.NewToken(tokenText("k"))}
			if _, err := b.Import(context.Background(), again); err != nil {
				t.Error(err)
			}
		}
		s.then.Store(&reopen)
		settle(2 * time.Hour)
		if token, v, err := b.Token(context.Background(), integrationID("a")); err != nil || token.Reveal() != tokenText("k") || refs() != 1 {
			t.Errorf("the token is %v (%v), %v; %d are kept", v.Status, v.Reason, err, refs())
		}
	})
}

// entriesOf counts what the journal has of an integration.
func (b bench) entriesOf(integration string) int {
	b.Helper()
	n := 0
	for _, err := range b.History(context.Background(), integrationID(integration)) {
		if err != nil {
			b.Fatal(err)
		}
		n++
	}
	return n
}

// examined fails for everything that Examine finds.
func (b bench) examined(sealer seal.Sealer) {
	b.Helper()
	for finding, err := range atrest.Examine(context.Background(), b.store, sealer) {
		b.Errorf("found in the store: %v, %v", finding, err)
	}
}

// Trimming keeps what the limits say, what is young, and what a subscription has
// not worked off, and the rest of the journal still folds to the record.
func TestTrimming(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := fixture{t, memstore.New(nil), seal.Ephemeral()}
		b := f.keeping(f.store, keyrack.Retention{Age: 24 * time.Hour, Entries: 5})
		defer b.Close()
		b.deliver(creation("a", "k", lifecycle.Yes))
		b.deliver(creation("b", "l", lifecycle.Yes))
		for i := range 20 {
			b.toggle("a", i%2 == 1)
		}
		b.deliver([]byte(`{"odd":1}`))
		trim := func(want int) {
			t.Helper()
			settle(2 * time.Second) // the view follows
			if _, err := b.Trim(context.Background()); err != nil {
				t.Fatal(err)
			}
			if n := b.entriesOf("a"); n != want {
				t.Errorf("%d entries are left, want %d", n, want)
			}
			b.examined(f.sealer)
			audit(t, f.store, b.Rack)
		}
		trim(21) // young
		settle(2 * time.Hour)
		trim(5)
		b.is("k", lifecycle.Valid, lifecycle.ReasonLive)
		if n := b.entriesOf("b"); n != 1 {
			t.Errorf("%d entries of an integration within the limits", n)
		}
		var h heard
		b.subscribe(&h, nil)
		settle(time.Second)
		if err := atrest.Pause(context.Background(), b.store, "test"); err != nil {
			t.Fatal(err)
		}
		settle(2 * time.Second)
		for i := range 10 {
			b.toggle("a", i%2 == 1)
		}
		settle(2 * time.Hour)
		trim(10) // the subscription has none of them
		if err := atrest.Resume(context.Background(), b.store, "test"); err != nil {
			t.Fatal(err)
		}
		settle(time.Minute)
		trim(5)
		settle(25 * time.Hour)
		trim(0)
		if n := b.entriesOf("b"); n != 0 {
			t.Errorf("%d entries that are too old", n)
		}
	})
}

// What came before an integration was forgotten is no part of what is trimmed later.
func TestTrimmingAfterForget(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := fixture{t, memstore.New(nil), seal.Ephemeral()}
		b := f.keeping(f.store, keyrack.Retention{Entries: 5})
		defer b.Close()
		b.deliver(creation("a", "k", lifecycle.Yes))
		if _, err := b.Forget(context.Background(), integrationID("a")); err != nil {
			t.Fatal(err)
		}
		b.deliver(creation("a", "k", lifecycle.Yes))
		for i := range 20 {
			b.toggle("a", i%2 == 1)
		}
		settle(2 * time.Hour)
		if _, err := b.Trim(context.Background()); err != nil {
			t.Fatal(err)
		}
		if n := b.entriesOf("a"); n != 5 {
			t.Errorf("%d entries are left, want 5", n)
		}
		b.examined(f.sealer)
	})
}

// The journal is trimmed once a day, though no instance lives for that long.
func TestTrimmingByInstancesThatDoNotLiveForADay(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := fixture{t, memstore.New(nil), seal.Ephemeral()}
		live := func(of time.Duration) (entries int) {
			b := f.keeping(f.store, keyrack.Retention{Entries: 5})
			defer b.Close()
			b.deliver(creation("a", "k", lifecycle.Yes))
			for i := range 10 {
				b.toggle("a", i%2 == 1)
			}
			settle(of)
			return b.entriesOf("a")
		}
		for range 3 {
			live(10 * time.Hour)
		}
		if n := live(10 * time.Hour); n > 3*11+5 {
			t.Errorf("%d entries after two days, and nobody has trimmed", n)
		}
	})
}

// meddling is a store in which somebody else does something right before the
// first history is read.
type meddling struct {
	store.Store
	once   sync.Once
	meddle func()
}

func (s *meddling) Volatile() bool { return true }

func (s *meddling) History(ctx context.Context, integration string, after store.EntryID) iter.Seq2[store.Entry, error] {
	return func(yield func(store.Entry, error) bool) {
		s.once.Do(s.meddle)
		s.Store.History(ctx, integration, after)(yield)
	}
}

// Two instances that trim the same at the same time leave a base from which the
// rest still folds.
func TestTrimmingTwiceAtTheSameTime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := fixture{t, memstore.New(nil), seal.Ephemeral()}
		between := &meddling{Store: f.store}
		other := f.keeping(f.store, keyrack.Retention{Entries: 5})
		// A guest trims to a limit of its own.
		rack, err := keyrack.Open(t.Context(), between, &keyrack.Options{
			Sealer: f.sealer, Horizon: time.Second, Retention: keyrack.Retention{Entries: 2}, Guest: true,
		})
		if err != nil {
			t.Fatal(err)
		}
		one := bench{T: f.T, Rack: rack, store: f.store}
		defer one.Close()
		defer other.Close()
		one.deliver(creation("a", "k", lifecycle.Yes))
		for i := range 20 {
			one.toggle("a", i%2 == 1)
		}
		settle(2 * time.Hour)
		between.meddle = func() {
			if _, err := other.Trim(context.Background()); err != nil {
				t.Error(err)
			}
		}
		for _, want := range []int{5, 2} { // the second time nobody is in the way
			if _, err := one.Trim(context.Background()); err != nil {
				t.Fatal(err)
			}
			if n := one.entriesOf("a"); n != want {
				t.Errorf("%d entries are left, want %d", n, want)
			}
			one.examined(f.sealer)
		}
	})
}

// unplaced is a store whose entries have no position yet, as those have that nobody
// has read in the journal.
type unplaced struct{ store.Store }

func (u unplaced) History(ctx context.Context, integration string, after store.EntryID) iter.Seq2[store.Entry, error] {
	return func(yield func(store.Entry, error) bool) {
		for e, err := range u.Store.History(ctx, integration, after) {
			e.Position = 0
			if !yield(e, err) {
				return
			}
		}
	}
}

// What has no position yet has not been followed by anybody, and is not trimmed.
func TestTrimmingLeavesWhatHasNoPosition(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := fixture{t, memstore.New(nil), seal.Ephemeral()}
		b := f.keeping(unplaced{f.store}, keyrack.Retention{Entries: 5})
		defer b.Close()
		b.deliver(creation("a", "k", lifecycle.Yes))
		for i := range 10 {
			b.toggle("a", i%2 == 1)
		}
		settle(2 * time.Hour)
		if n, err := b.Trim(context.Background()); n != 0 || err != nil || b.entriesOf("a") != 11 {
			t.Errorf("%d integrations were trimmed, and %d of 11 entries are left; %v", n, b.entriesOf("a"), err)
		}
	})
}

// A guest, such as a tool's, with another policy and another retention than the
// application's, journals nothing and trims nothing by itself.
func TestGuest(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		mem, sealer := memstore.New(nil), seal.Ephemeral()
		open := func(o keyrack.Options) *keyrack.Rack {
			o.Sealer = sealer
			r, err := keyrack.Open(t.Context(), mem, &o)
			if err != nil {
				t.Fatal(err)
			}
			return r
		}
		for guest, grows := range map[bool]bool{true: false, false: true} {
			r := open(keyrack.Options{Policy: keyrack.Policy{MaxAge: 12 * time.Hour}})
			for day := range 3 {
				deliver(r, creation("a", "k", lifecycle.Yes))
				deliver(r, webhook(lifecycle.IntegrationEnabled, "a", nil))
				if day < 2 {
					time.Sleep(24 * time.Hour)
				}
			}
			r.Close()
			count := func() (n int) {
				for range mem.History(t.Context(), integrationID("a"), store.EntryID{}) {
					n++
				}
				return n
			}
			before := count()
			tool := open(keyrack.Options{Guest: guest, Retention: keyrack.Retention{Entries: 2}, Policy: keyrack.Policy{MaxAge: 3 * time.Hour}})
			time.Sleep(26 * time.Hour)
			tool.Close()
			if after := count(); (after != before) != grows {
				t.Errorf("guest: %v; %d entries became %d", guest, before, after)
			}
		}
	})
}
