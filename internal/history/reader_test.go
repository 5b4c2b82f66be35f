package history_test

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/keyrack-dev/keyrack/internal/history"
	"github.com/keyrack-dev/keyrack/memstore"
	"github.com/keyrack-dev/keyrack/store"
)

// world is a store that can be exchanged for another, as a server is.
type world struct {
	*testing.T
	*memstore.Store
	incarnation string
	versions    map[string]uint64
	ids         map[string]store.EntryID // of each integration's newest
}

func newWorld(t *testing.T) *world {
	w := &world{T: t, incarnation: "one"}
	w.empty()
	return w
}

func (w *world) empty() {
	w.Store, w.versions, w.ids = memstore.New(nil), map[string]uint64{}, map[string]store.EntryID{}
}

func (w *world) Incarnation(context.Context) (string, error) { return w.incarnation, nil }

// commit commits entries by their names, each "integration" or "integration forget", with ids
// that are the same for the same history.
func (w *world) commit(branch string, all ...string) {
	w.Helper()
	for _, name := range all {
		var id, how string
		fmt.Sscan(name, &id, &how)
		c := store.Commit{
			Entry:  store.Entry{ID: idOf(branch, id, w.versions[id]+1), Integration: id},
			Expect: w.versions[id], Record: []byte("record"), Forget: how == "forget",
		}
		if _, err := w.Commit(w.Context(), c); err != nil {
			w.Fatal(err)
		}
		w.versions[id]++
		w.ids[id] = c.Entry.ID
	}
}

func idOf(branch, id string, version uint64) (e store.EntryID) {
	copy(e[:], branch)
	copy(e[8:], id)
	e[15] = byte(version)
	return e
}

func (w *world) look(r *history.Reader) (read []string, err error) {
	w.Helper()
	err = r.Look(w.Context(), func(e store.Entry) error {
		read = append(read, fmt.Sprint(e.Integration, e.Version))
		return nil
	})
	return read, err
}

// TestLook: what is read in which case, and what does not count as going back.
func TestLook(t *testing.T) {
	for name, c := range map[string]struct {
		then   func(w *world, r *history.Reader) // after "a b a" was read
		read   string
		failed error
	}{
		"nothing new": {func(*world, *history.Reader) {}, "[]", nil},
		"more":        {func(w *world, _ *history.Reader) { w.commit("", "b", "c") }, "[b2 c1]", nil},
		"the last one forgotten": {func(w *world, _ *history.Reader) {
			w.commit("", "a forget", "b")
		}, "[a3 b2]", nil},
		"the last one trimmed": {func(w *world, _ *history.Reader) {
			_ = w.Trim(w.Context(), "b", 1, []byte("base"))
			_ = w.Trim(w.Context(), "a", 2, []byte("base"))
		}, "[]", nil},
		"the last one trimmed, and more": {func(w *world, _ *history.Reader) {
			_ = w.Trim(w.Context(), "b", 1, []byte("base"))
			_ = w.Trim(w.Context(), "a", 2, []byte("base"))
			w.commit("", "b")
		}, "[b2]", nil},
		"trimmed beyond": {func(w *world, _ *history.Reader) {
			w.commit("", "c", "c")
			_ = w.Trim(w.Context(), "c", 1, []byte("base"))
		}, "[]", store.ErrTrimmed},
		"another incarnation": {func(w *world, _ *history.Reader) { w.incarnation = "two" }, "[]", history.ErrBack},
		"behind":              {func(w *world, _ *history.Reader) { w.empty(); w.commit("", "a", "b") }, "[]", history.ErrBack},
		"behind, with the last one": {func(w *world, _ *history.Reader) {
			w.empty()
			w.commit("", "a")
		}, "[]", history.ErrBack},
		"empty":   {func(w *world, _ *history.Reader) { w.empty() }, "[]", history.ErrBack},
		"another": {func(w *world, _ *history.Reader) { w.empty(); w.commit("", "a", "b"); w.commit("x", "a") }, "[]", history.ErrBack},
		"another, and as many as before": {func(w *world, _ *history.Reader) {
			w.empty()
			w.commit("", "a")
			w.commit("x", "b", "a", "c", "c")
		}, "[]", history.ErrBack},
		"gone, and no wonder": {func(w *world, _ *history.Reader) {
			w.empty()
			w.commit("", "a", "b")
			w.commit("x", "c", "c forget", "b")
		}, "[]", history.ErrBack},
		"committed and lost before it was read": {func(w *world, r *history.Reader) {
			r.Expect("b", 2, idOf("", "b", 2))
		}, "[]", history.ErrBack},
		"committed and lost, with all of its integration": {func(w *world, r *history.Reader) {
			r.Expect("new", 1, idOf("", "new", 1))
		}, "[]", history.ErrBack},
		"committed and another in its place": {func(w *world, r *history.Reader) {
			w.commit("x", "b", "b")
			r.Expect("b", 2, idOf("", "b", 2))
		}, "[b2 b3]", history.ErrBack},
		"committed and read": {func(w *world, r *history.Reader) {
			w.commit("", "b", "c")
			r.Expect("b", 2, idOf("", "b", 2))
		}, "[b2 c1]", nil},
		"committed and read, noted later": {func(w *world, r *history.Reader) {
			w.commit("", "b", "b", "c")
			_, _ = w.look(r)
			r.Expect("b", 2, idOf("", "b", 2))
		}, "[]", nil},
		"committed and forgotten": {func(w *world, r *history.Reader) {
			w.commit("", "b", "b forget")
			r.Expect("b", 2, idOf("", "b", 2))
		}, "[b3]", nil},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			r, err := history.New(t.Context(), w)
			if err != nil {
				t.Fatal(err)
			}
			w.commit("", "a", "b", "a")
			if _, err := w.look(r); err != nil || r.Position() != 3 {
				t.Fatalf("at %d, %v", r.Position(), err)
			}
			c.then(w, r)
			read, err := w.look(r)
			if !errors.Is(err, c.failed) || fmt.Sprint(read) != c.read {
				t.Errorf("read %v, %v; want %s, %v", read, err, c.read, c.failed)
			}
			if c.failed == nil {
				if read, err := w.look(r); err != nil || len(read) > 0 {
					t.Errorf("the next look: %v, %v", read, err)
				}
				w.commit("", "d")
				if read, err := w.look(r); err != nil || fmt.Sprint(read) != "[d1]" {
					t.Errorf("the look after that: %v, %v", read, err)
				}
			}
		})
	}
}

// TestOpenedLate: a Reader that begins at the end knows which entry stands there.
func TestOpenedLate(t *testing.T) {
	w := newWorld(t)
	w.commit("", "a", "b")
	r, err := history.New(t.Context(), w)
	if err != nil {
		t.Fatal(err)
	}
	if err := r.Intact(t.Context()); err != nil {
		t.Error(err)
	}
	w.empty()
	w.commit("", "a")
	w.commit("x", "b")
	if err := r.Intact(t.Context()); !errors.Is(err, history.ErrBack) {
		t.Errorf("Intact: %v", err)
	}
	if _, err := w.look(r); !errors.Is(err, history.ErrBack) {
		t.Errorf("Look: %v", err)
	}
}

// TestFork: up to where two histories are the same.
func TestFork(t *testing.T) {
	for same := range 6 {
		w := newWorld(t)
		r, err := history.New(t.Context(), w)
		if err != nil {
			t.Fatal(err)
		}
		all := []string{"a", "b", "c", "a", "b"}
		w.commit("", all...)
		if _, err := w.look(r); err != nil {
			t.Fatal(err)
		}
		w.empty()
		w.commit("", all[:same]...)
		w.commit("x", all[same:]...)
		w.commit("x", "d", "e")
		if at, err := r.Fork(t.Context()); err != nil || at != store.Position(same) {
			t.Errorf("%d entries are the same, the histories part at %d, %v", same, at, err)
		}
	}
}

// TestLooksWhileOthersCommit: committing beside a Reader is no going back.
func TestLooksWhileOthersCommit(t *testing.T) {
	w := newWorld(t)
	r, err := history.New(t.Context(), w)
	if err != nil {
		t.Fatal(err)
	}
	done := make(chan struct{})
	go func() {
		defer close(done)
		for i := range uint64(2000) {
			id := store.NewEntryID(time.Now())
			if _, err := w.Commit(context.Background(), store.Commit{Entry: store.Entry{ID: id, Integration: "a"}, Expect: i, Record: []byte("r")}); err != nil {
				t.Error(err)
				return
			}
			r.Expect("a", i+1, id)
		}
	}()
	for reading := true; reading; {
		select {
		case <-done:
			reading = false
		default:
		}
		if _, err := w.look(r); err != nil {
			t.Fatal(err)
		}
	}
	if r.Position() != 2000 {
		t.Errorf("it ends at %d", r.Position())
	}
}

// TestRestartedTwice: after a restart the entry at the position is known again at the next
// look, though nothing new has come.
func TestRestartedTwice(t *testing.T) {
	w := newWorld(t)
	r, err := history.New(t.Context(), w)
	if err != nil {
		t.Fatal(err)
	}
	w.commit("", "a", "b")
	if _, err := w.look(r); err != nil {
		t.Fatal(err)
	}
	r.Restart(w.incarnation, 2)
	if read, err := w.look(r); err != nil || len(read) > 0 {
		t.Fatalf("read %v, %v", read, err)
	}
	w.empty()
	w.commit("", "a")
	w.commit("x", "b")
	if _, err := w.look(r); !errors.Is(err, history.ErrBack) {
		t.Errorf("another entry stands where one was: %v", err)
	}
}

// trimmedMeanwhile is a store that is trimmed after each Load.
type trimmedMeanwhile struct{ *world }

func (s trimmedMeanwhile) Load(ctx context.Context, id string) (store.Stored, error) {
	stored, err := s.world.Load(ctx, id)
	_ = s.Trim(ctx, id, stored.Version-1, []byte("base"))
	return stored, err
}

// TestTrimmedMeanwhile: an entry that is trimmed while it is looked for is not lost.
func TestTrimmedMeanwhile(t *testing.T) {
	w := newWorld(t)
	w.commit("", "a", "a", "a", "a")
	r, err := history.New(t.Context(), trimmedMeanwhile{w})
	if err != nil {
		t.Fatal(err)
	}
	r.Expect("a", 2, idOf("", "a", 2))
	if _, err := w.look(r); err != nil {
		t.Error(err)
	}
}
