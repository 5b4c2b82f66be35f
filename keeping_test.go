package keyrack_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"iter"
	"strings"
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
	for finding, err := range keyrack.Examine(context.Background(), b.store, sealer) {
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

// What is sealed under an old key is sealed anew, and then opens without it.
func TestResealing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		old, young := seal.NewKey(), seal.NewKey()
		ring := func(keys ...[]byte) *seal.Ring {
			r, err := seal.NewRing(keys...)
			if err != nil {
				t.Fatal(err)
			}
			return r
		}
		f := fixture{t, memstore.New(nil), ring(old)}
		b := f.open()
		for i := range 10 {
			b.deliver(creation(fmt.Sprint(i), fmt.Sprint("k", i), lifecycle.Yes))
		}
		b.Close()
		f.sealer = ring(young, old)
		b = f.open()
		n, err := b.Reseal(context.Background())
		if err != nil || n != 21 { // ten tokens, ten bodies, the key of the digests
			t.Errorf("Reseal: %d, %v", n, err)
		}
		if n, err := b.Reseal(context.Background()); err != nil || n != 0 {
			t.Errorf("Reseal again: %d, %v", n, err)
		}
		b.Close()
		f.sealer = ring(young)
		b = f.open()
		defer b.Close()
		for i := range 10 {
			if token, _, err := b.Token(context.Background(), integrationID(fmt.Sprint(i))); err != nil || token.Reveal() != tokenText(fmt.Sprint("k", i)) {
				t.Errorf("token %d does not open under the new key: %v", i, err)
			}
		}
		b.examined(f.sealer)
		if _, err := keyrack.Open(context.Background(), f.store, &keyrack.Options{Sealer: ring(old)}); !errors.Is(err, keyrack.ErrSealer) {
			t.Errorf("the old key still opens the store: %v", err)
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

func (s *meddling) History(ctx context.Context, integration string) iter.Seq2[store.Entry, error] {
	return func(yield func(store.Entry, error) bool) {
		s.once.Do(s.meddle)
		s.Store.History(ctx, integration)(yield)
	}
}

// Two instances that trim the same at the same time leave a base from which the
// rest still folds.
func TestTrimmingTwiceAtTheSameTime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := fixture{t, memstore.New(nil), seal.Ephemeral()}
		between := &meddling{Store: f.store}
		one, other := f.keeping(between, keyrack.Retention{Entries: 2}), f.keeping(f.store, keyrack.Retention{Entries: 5})
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

// Examine finds nothing where deliveries come in and the journal is trimmed
// meanwhile, and hides no failure of the store's.
func TestExaminingAStoreInUse(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := fixture{t, memstore.New(nil), seal.Ephemeral()}
		b := f.keeping(f.store, keyrack.Retention{Entries: 5})
		defer b.Close()
		b.deliver(creation("a", "k", lifecycle.Yes))
		for i := range 20 {
			b.toggle("a", i%2 == 1)
		}
		settle(2 * time.Hour)
		for _, meddle := range []func(){
			func() { b.toggle("a", false) },
			func() {
				if n, err := b.Trim(context.Background()); n != 1 || err != nil {
					t.Errorf("Trim: %d, %v", n, err)
				}
			},
		} {
			for finding, err := range keyrack.Examine(context.Background(), &meddling{Store: f.store, meddle: meddle}, f.sealer) {
				t.Errorf("found in the store: %v, %v", finding, err)
			}
		}
		broken := &faulty{Store: f.store}
		broken.fail(noFault, noFault, failsBefore) // the key of the digests, the owner of the one digest, the first sealed value
		failed := false
		for _, err := range keyrack.Examine(context.Background(), broken, f.sealer) {
			failed = failed || err != nil
		}
		if !failed {
			t.Error("what could not be read was taken for sound")
		}
	})
}

// unplaced is a store whose entries have no position yet, as those have that nobody
// has read in the journal.
type unplaced struct{ store.Store }

func (u unplaced) History(ctx context.Context, integration string) iter.Seq2[store.Entry, error] {
	return func(yield func(store.Entry, error) bool) {
		for e, err := range u.Store.History(ctx, integration) {
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

// A token that does not open is read anew the next time: it may have been sealed
// again meanwhile.
func TestATokenThatDidNotOpenIsReadAnew(t *testing.T) {
	subscribing(t, func(f fixture) {
		b := f.open()
		defer b.Close()
		b.deliver(creation("a", "k", lifecycle.Yes))
		record, _ := b.Record(integrationID("a"))
		ref := store.Ref{Integration: record.ID, Digest: record.Keys[0].Digest}
		sound, err := f.store.Sealed(context.Background(), ref)
		if err != nil {
			t.Fatal(err)
		}
		put := func(old, value []byte) {
			t.Helper()
			if err := f.store.Reseal(context.Background(), ref, old, value); err != nil {
				t.Fatal(err)
			}
		}
		broken := []byte("sealed by nobody")
		put(sound, broken)
		if _, v, err := b.Token(context.Background(), record.ID); err == nil || v.Status != lifecycle.Unknown {
			t.Errorf("what does not open is %v, %v", v.Status, err)
		}
		put(broken, sound)
		if token, _, err := b.Token(context.Background(), record.ID); err != nil || token.Reveal() != tokenText("k") {
			t.Errorf("what opens again: %v", err)
		}
	})
}

// A token that was erased once its deletion was old comes back by an import that
// brings it.
func TestImportBringsAnErasedTokenBack(t *testing.T) {
	subscribing(t, func(f fixture) {
		b := f.open()
		defer b.Close()
		b.deliver(creation("a", "k", lifecycle.Yes))
		b.deliver(deletion("a", time.Time{}))
		settle(30 * time.Hour)
		again := keyrack.Import{Integration: lifecycle.Named{ID: integrationID("a")}, Token: lifecycle.NewToken(tokenText("k"))}
		if _, err := b.Import(context.Background(), again); err != nil {
			t.Fatal(err)
		}
		b.is("k", lifecycle.Valid, lifecycle.ReasonLive)
		if token, v, err := b.Token(context.Background(), integrationID("a")); err != nil || token.Reveal() != tokenText("k") {
			t.Errorf("the token is %v (%v), %v", v.Status, v.Reason, err)
		}
		b.examined(f.sealer)
	})
}

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
		settle(2 * keyrack.DefaultPoll)
		c.is("l", lifecycle.Valid, lifecycle.ReasonLive)
		c.is("k", lifecycle.Unknown, lifecycle.ReasonUnfamiliar)
		if err := c.Following().Err; err != nil {
			t.Errorf("the journal is not followed: %v", err)
		}
		if _, _, err := c.Token(context.Background(), integrationID("a")); !errors.Is(err, keyrack.ErrNotFound) {
			t.Errorf("its token is handed out: %v", err)
		}
	})
}

// An export goes into any other store, tokens and all; what is there already, and
// what cannot be read, is refused by line.
func TestExportAndRestore(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := fixture{t, memstore.New(nil), seal.Ephemeral()}
		b := f.open()
		b.deliver(creation("a", "k", lifecycle.Yes))
		b.deliver(rotation("a", "k2"))
		b.deliver(creation("b", "l", lifecycle.No))
		b.deliver(creation("d", "m", lifecycle.Yes))
		b.deliver(deletion("d", time.Time{}))
		var with, without bytes.Buffer
		if n, err := keyrack.Export(context.Background(), f.store, &with, true); n != 3 || err != nil {
			t.Fatalf("Export: %d, %v", n, err)
		}
		if _, err := keyrack.Export(context.Background(), f.store, &without, false); err != nil {
			t.Fatal(err)
		}
		b.Close()
		for _, name := range []string{"k", "k2", "l", "m"} {
			if strings.Contains(with.String()+without.String(), tokenText(name)) {
				t.Error("the export has a token in clear")
			}
		}
		g := fixture{t, memstore.New(nil), f.sealer}
		restore := func(text string, want ...string) {
			t.Helper()
			var got []string
			for r, err := range keyrack.Restore(context.Background(), g.store, g.sealer, strings.NewReader(text)) {
				if err != nil {
					t.Fatal(err)
				}
				got = append(got, r.Refused)
			}
			if fmt.Sprint(got) != fmt.Sprint(want) {
				t.Errorf("restored with %q, want %q", got, want)
			}
		}
		lines := strings.SplitAfter(with.String(), "\n")
		restore(lines[0]+lines[1]+"rubbish\n"+lines[2]+lines[3], "", "the line cannot be read", "", "")
		restore(with.String(), "the store has this integration already", "the store has this integration already", "the store has this integration already")
		c := g.open()
		defer c.Close()
		c.is("k", lifecycle.Invalid, lifecycle.ReasonSuperseded)
		c.is("k2", lifecycle.Valid, lifecycle.ReasonLive)
		c.is("l", lifecycle.Invalid, lifecycle.ReasonDisabled)
		c.is("m", lifecycle.Invalid, lifecycle.ReasonDeleted)
		if token, _, err := c.Token(context.Background(), integrationID("a")); err != nil || token.Reveal() != tokenText("k2") {
			t.Errorf("the token did not come along: %v", err)
		}
		c.toggle("b", true) // and life goes on
		c.is("l", lifecycle.Valid, lifecycle.ReasonLive)
		c.examined(g.sealer)

		bare := fixture{t, memstore.New(nil), f.sealer}
		for _, err := range keyrack.Restore(context.Background(), bare.store, bare.sealer, &without) {
			if err != nil {
				t.Fatal(err)
			}
		}
		d := bare.open()
		defer d.Close()
		d.is("k2", lifecycle.Valid, lifecycle.ReasonLive) // to whoever has it
		if _, v, err := d.Token(context.Background(), integrationID("a")); !errors.Is(err, keyrack.ErrNoToken) || v.Status != lifecycle.Unknown {
			t.Errorf("a token that was left out is %v, %v", v.Status, err)
		}
		d.deliver(rotation("a", "k2")) // Mews repeats itself
		if token, _, err := d.Token(context.Background(), integrationID("a")); err != nil || token.Reveal() != tokenText("k2") {
			t.Errorf("a token that came again is not kept: %v", err)
		}

		for _, rubbish := range []string{"", "rubbish", `{"Keyrack":"export","Format":2}`} {
			for _, err := range keyrack.Restore(context.Background(), g.store, g.sealer, strings.NewReader(rubbish)) {
				if !errors.Is(err, keyrack.ErrExport) {
					t.Errorf("restored from %q: %v", rubbish, err)
				}
			}
		}
		for _, err := range keyrack.Restore(context.Background(), memstore.New(nil), seal.Ephemeral(), &with) {
			if !errors.Is(err, keyrack.ErrSealer) {
				t.Errorf("restored under another key: %v", err)
			}
		}
	})
}

// Examine finds what is wrong.
func TestExamining(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := fixture{t, memstore.New(nil), seal.Ephemeral()}
		b := f.open()
		defer b.Close()
		receipt := b.deliver(creation("a", "k", lifecycle.Yes))
		b.examined(f.sealer)
		ref := store.Ref{Entry: receipt.ID}
		body, err := f.store.Sealed(context.Background(), ref)
		if err != nil {
			t.Fatal(err)
		}
		if err := f.store.Reseal(context.Background(), ref, body, append([]byte{9}, body...)); err != nil {
			t.Fatal(err)
		}
		// A commit of somebody else's that is not the fold of anything.
		record, _ := b.Record(integrationID("a"))
		record.State, record.Version = lifecycle.CanceledDisabled, record.Version+1
		_, err = f.store.Commit(context.Background(), store.Commit{
			Expect: 1, Record: lifecycle.AppendRecord(nil, record),
			Entry: store.Entry{
				ID: store.NewEntryID(time.Now()), Integration: record.ID, Version: 2,
				Evidence: lifecycle.AppendEvidence(nil, lifecycle.Evidence{
					Kind: lifecycle.KindDelivery, At: lifecycle.At(time.Now()), Action: lifecycle.IntegrationEnabled,
					Integration: lifecycle.Named{ID: record.ID},
				}),
				Decision: []byte(`{"Decision":{"Outcome":"applied","To":"canceled_disabled"}}`),
			},
		})
		if err != nil {
			t.Fatal(err)
		}
		var problems []string
		for finding, err := range keyrack.Examine(context.Background(), f.store, f.sealer) {
			if err != nil {
				t.Fatal(err)
			}
			problems = append(problems, finding.Problem)
		}
		all := strings.Join(problems, "\n")
		for _, want := range []string{"decided otherwise", "not the fold of its journal", "a body does not open"} {
			if !strings.Contains(all, want) {
				t.Errorf("nothing says %q among:\n%s", want, all)
			}
		}
	})
}
