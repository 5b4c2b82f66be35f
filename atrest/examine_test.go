package atrest_test

import (
	"context"
	"errors"
	"iter"
	"strings"
	"sync"
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

// meddling is a store in which somebody else does something right before the
// first history is read.
type meddling struct {
	store.Store
	once   sync.Once
	meddle func()
}

func (s *meddling) History(ctx context.Context, integration string, after store.EntryID) iter.Seq2[store.Entry, error] {
	return func(yield func(store.Entry, error) bool) {
		s.once.Do(s.meddle)
		s.Store.History(ctx, integration, after)(yield)
	}
}

// unreadable is a store whose bodies cannot be read.
type unreadable struct{ store.Store }

var errUnreadable = errors.New("the store is not itself")

func (s unreadable) Sealed(ctx context.Context, ref store.Ref) ([]byte, error) {
	if !ref.Entry.IsZero() {
		return nil, errUnreadable
	}
	return s.Store.Sealed(ctx, ref)
}

// TestExamineAStoreInUse: deliveries that come in and a journal that is trimmed
// meanwhile are no findings, and a failure of the store's is not hidden.
func TestExamineAStoreInUse(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := fixture{t, memstore.New(nil), seal.Ephemeral()}
		b := f.keeping(keyrack.Retention{Entries: 5})
		defer b.Close()
		b.deliver(creation("a", "k", lifecycle.Yes))
		for i := range 20 {
			b.toggle("a", i%2 == 1)
		}
		time.Sleep(2 * time.Hour)
		for _, meddle := range []func(){
			func() { b.toggle("a", false) },
			func() {
				if n, err := b.Trim(t.Context()); n != 1 || err != nil {
					t.Errorf("Trim: %d, %v", n, err)
				}
			},
		} {
			for finding, err := range atrest.Examine(t.Context(), &meddling{Store: f.store, meddle: meddle}, f.sealer) {
				t.Errorf("found in the store: %v, %v", finding, err)
			}
		}
		var failed error
		for _, err := range atrest.Examine(t.Context(), unreadable{f.store}, f.sealer) {
			failed = err
		}
		if !errors.Is(failed, errUnreadable) {
			t.Errorf("what could not be read was taken for sound: %v", failed)
		}
	})
}

// TestExamine: what is wrong is found.
func TestExamine(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := fixture{t, memstore.New(nil), seal.Ephemeral()}
		b := f.open()
		defer b.Close()
		id := b.deliver(creation("a", "k", lifecycle.Yes))
		f.examined()
		ref := store.Ref{Entry: id}
		body, err := f.store.Sealed(t.Context(), ref)
		if err != nil {
			t.Fatal(err)
		}
		if err := f.store.Reseal(t.Context(), ref, body, append([]byte{9}, body...)); err != nil {
			t.Fatal(err)
		}
		// A commit of somebody else's that is not the fold of anything.
		record, _ := b.Record(named("a").ID)
		record.State, record.Version = lifecycle.CanceledDisabled, record.Version+1
		_, err = f.store.Commit(t.Context(), store.Commit{
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
		for finding, err := range atrest.Examine(t.Context(), f.store, f.sealer) {
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
