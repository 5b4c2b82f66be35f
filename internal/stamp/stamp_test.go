package stamp_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/keyrack-dev/keyrack/internal/stamp"
	"github.com/keyrack-dev/keyrack/internal/testkit"
	"github.com/keyrack-dev/keyrack/memstore"
	"github.com/keyrack-dev/keyrack/seal"
	"github.com/keyrack-dev/keyrack/store"
)

func TestMain(m *testing.M) { testkit.Main(m) }

// world is a store with stamps, and the same without.
type world struct {
	*testing.T
	plain   *memstore.Store
	stamped store.Store
	key     stamp.Key
	last    map[string]store.EntryID
}

func newWorld(t *testing.T, mark stamp.Mark) *world {
	w := &world{T: t, plain: memstore.New(nil), key: stamp.NewKey(seal.NewKey(), mark), last: make(map[string]store.EntryID)}
	w.stamped = stamp.Store(w.plain, w.key)
	return w
}

// commitOf returns the next commit of an integration.
func (w *world) commitOf(integration string, version uint64) store.Commit {
	text := func(what string) []byte { return fmt.Appendf(nil, `{"%s":"%s %d"}`, what, integration, version) }
	return store.Commit{
		Entry: store.Entry{
			ID: store.EntryID{1, byte(version), integration[0]}, Integration: integration, At: 5,
			Evidence: text("Evidence"), Decision: text("Decision"),
		},
		Expect: version - 1, After: w.last[integration], Record: text("Record"), Body: []byte("sealed"),
	}
}

// commit makes a version of an integration through one of the stores.
func (w *world) commit(s store.Store, integration string, version uint64) {
	w.Helper()
	c := w.commitOf(integration, version)
	before := bytes.Clone(c.Record)
	done, err := s.Commit(w.Context(), c)
	if err != nil {
		w.Fatal(err)
	}
	if !bytes.Equal(done.Entry.Decision, c.Entry.Decision) || !bytes.Equal(c.Record, before) {
		w.Errorf("the commit returned %s, and its record is %s", done.Entry.Decision, c.Record)
	}
	w.last[integration] = c.Entry.ID
}

func (w *world) load(s store.Store, integration string) store.Stored {
	w.Helper()
	in, err := s.Load(w.Context(), integration)
	if err != nil {
		w.Fatal(err)
	}
	return in
}

func (w *world) history(s store.Store, integration string) (all []store.Entry) {
	w.Helper()
	for e, err := range s.History(w.Context(), integration, store.EntryID{}) {
		if err != nil {
			w.Fatal(err)
		}
		all = append(all, e)
	}
	return all
}

// faults walks an integration's chain, and returns what does not fit.
func (w *world) faults(in store.Stored, history []store.Entry) (all []error) {
	if _, err := w.key.OpenRecord(&in); err != nil {
		all = append(all, err)
	}
	if _, err := w.key.OpenBase(&in); err != nil {
		all = append(all, err)
	}
	chain := w.key.Begin(&in)
	for i := range history {
		if _, err := chain.Next(&history[i]); err != nil {
			all = append(all, err)
		}
	}
	return all
}

// What was written through the stamped store comes back as it was given, by every way, and
// lies in the store with stamps that fit.
func TestStampsComeAndGo(t *testing.T) {
	w := newWorld(t, stamp.Mark{Required: true})
	for version := range uint64(3) {
		w.commit(w.stamped, "a", version+1)
		w.commit(w.stamped, "b", version+1)
	}
	want := w.commitOf("a", 3)
	same := func(what string, in store.Stored) {
		t.Helper()
		if !bytes.Equal(in.Record, want.Record) {
			t.Errorf("%s has the record %s", what, in.Record)
		}
	}
	same("Load", w.load(w.stamped, "a"))
	for in, err := range w.stamped.Scan(t.Context(), "") {
		if err != nil || in.Integration == "b" {
			break
		}
		same("Scan", in)
	}
	n := 0
	for e, err := range w.stamped.Journal(t.Context(), 0) {
		if err != nil || e.Integration != "a" {
			continue
		}
		n++
		if c := w.commitOf("a", e.Version); !bytes.Equal(e.Decision, c.Entry.Decision) || !bytes.Equal(e.Evidence, c.Entry.Evidence) {
			t.Errorf("Journal has %s and %s", e.Evidence, e.Decision)
		}
	}
	if history := w.history(w.stamped, "a"); n != 3 || len(history) != 3 || !bytes.Equal(history[2].Decision, want.Entry.Decision) {
		t.Errorf("the journal has %d entries, the history %v", n, history)
	}
	raw := w.load(w.plain, "a")
	if !stamp.Has(raw.Record) || !bytes.Equal(stamp.Strip(raw.Record), want.Record) {
		t.Errorf("in the store lies %s", raw.Record)
	}
	if faults := w.faults(raw, w.history(w.plain, "a")); faults != nil {
		t.Error(faults)
	}
	again, err := w.stamped.Commit(t.Context(), want)
	if err != nil || !again.Repeated || !bytes.Equal(again.Entry.Decision, want.Entry.Decision) {
		t.Errorf("repeated: %+v, %v", again, err)
	}
}

// A commit of two integrations stamps both, and leaves what it was given as it was.
func TestStampOfTwo(t *testing.T) {
	w := newWorld(t, stamp.Mark{Required: true})
	w.commit(w.stamped, "b", 1)
	c, with := w.commitOf("a", 1), w.commitOf("b", 2)
	with.Body, c.With = nil, &with
	given := with.Record
	if _, err := w.stamped.Commit(t.Context(), c); err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(with.Record, given) || stamp.Has(with.Record) {
		t.Errorf("the commit that was given has now the record %s", with.Record)
	}
	for _, id := range []string{"a", "b"} {
		raw := w.load(w.plain, id)
		if faults := w.faults(raw, w.history(w.plain, id)); faults != nil || !stamp.Has(raw.Record) {
			t.Errorf("%s: %v in %s", id, faults, raw.Record)
		}
	}
}

// Whatever part of a record, a base or an entry is changed, the stamp does not fit.
func TestEveryPartIsCovered(t *testing.T) {
	w := newWorld(t, stamp.Mark{})
	for version := range uint64(3) {
		w.commit(w.stamped, "a", version+1)
		w.commit(w.stamped, "b", version+1)
	}
	if err := w.stamped.Trim(t.Context(), "a", 1, []byte(`{"Record":"a 1"}`)); err != nil {
		t.Fatal(err)
	}
	in, history, other := w.load(w.plain, "a"), w.history(w.plain, "a"), w.load(w.plain, "b")
	if faults := w.faults(in, history); faults != nil || in.BaseVersion != 1 || len(history) != 2 {
		t.Fatalf("%v in %+v", faults, in)
	}
	for name, change := range map[string]func(*store.Stored, []store.Entry){
		"the integration":         func(in *store.Stored, _ []store.Entry) { in.Integration = "b" },
		"the version":             func(in *store.Stored, _ []store.Entry) { in.Version++ },
		"which entry made it":     func(in *store.Stored, _ []store.Entry) { in.Last[3]++ },
		"that it is not known":    func(in *store.Stored, _ []store.Entry) { in.Last = store.EntryID{} },
		"the version of the base": func(in *store.Stored, _ []store.Entry) { in.BaseVersion++ },
		"another's record":        func(in *store.Stored, _ []store.Entry) { in.Record = other.Record },
		"the base as the record":  func(in *store.Stored, _ []store.Entry) { in.Record, in.Version = in.Base, 1 },
		"the base as an older record's": func(in *store.Stored, _ []store.Entry) {
			in.Record, in.Version, in.Last = in.Base, 1, store.EntryID{1, 1, 'a'}
		},
		"an entry's id":                      func(_ *store.Stored, h []store.Entry) { h[0].ID[3]++ },
		"an entry's integration":             func(_ *store.Stored, h []store.Entry) { h[0].Integration = "b" },
		"an entry's version":                 func(_ *store.Stored, h []store.Entry) { h[1].Version++ },
		"an entry's time":                    func(_ *store.Stored, h []store.Entry) { h[0].At++ },
		"an entry in the place of another":   func(_ *store.Stored, h []store.Entry) { h[0].Decision = h[1].Decision },
		"an evidence in the place of others": func(_ *store.Stored, h []store.Entry) { h[0].Evidence = h[1].Evidence },
		"from one text into the next": func(_ *store.Stored, h []store.Entry) {
			h[0].Evidence, h[0].Decision = append(h[0].Evidence, h[0].Decision[0]), h[0].Decision[1:]
		},
	} {
		changed, entries := in, []store.Entry{history[0], history[1]}
		for i := range entries {
			entries[i].Evidence, entries[i].Decision = bytes.Clone(entries[i].Evidence), bytes.Clone(entries[i].Decision)
		}
		change(&changed, entries)
		if faults := w.faults(changed, entries); len(faults) == 0 || !errors.Is(faults[0], stamp.ErrForged) && !errors.Is(faults[0], stamp.ErrMissing) {
			t.Errorf("%s is changed, and what is found is %v", name, faults)
		}
	}
	strict := *w // else a broken stamp counts as none
	strict.key.Required = true
	for what, text := range map[string]*[]byte{"record": &in.Record, "base": &in.Base, "evidence": &history[0].Evidence, "decision": &history[0].Decision} {
		whole := *text
		for i := range whole {
			for _, bit := range []byte{1, 0x20} {
				*text = bytes.Clone(whole)
				(*text)[i] ^= bit
				if len(strict.faults(in, history)) == 0 {
					t.Errorf("%s: byte %d is changed to %q, and all fits", what, i, (*text)[i])
				}
			}
		}
		*text = whole
	}
}

// An entry that is left out in the middle, or comes from another history, does not fit; a
// beginning that is gone leaves the rest as it was.
func TestChain(t *testing.T) {
	w, fork := newWorld(t, stamp.Mark{}), newWorld(t, stamp.Mark{})
	fork.key = w.key
	fork.stamped = stamp.Store(fork.plain, fork.key)
	for version := range uint64(4) {
		w.commit(w.stamped, "a", version+1)
	}
	c := fork.commitOf("a", 1)
	c.Entry.ID[5] = 1
	if _, err := fork.stamped.Commit(t.Context(), c); err != nil {
		t.Fatal(err)
	}
	in, history := w.load(w.plain, "a"), w.history(w.plain, "a")
	if faults := w.faults(in, history[2:]); faults != nil {
		t.Errorf("without a beginning: %v", faults)
	}
	swapped := append(fork.history(fork.plain, "a"), history[1:]...)
	if faults := w.faults(in, swapped); len(faults) != 1 || !errors.Is(faults[0], stamp.ErrForged) {
		t.Errorf("with an entry of another history: %v", faults)
	}
}

// What does not fit is not shown, and says why; all else is.
func TestUnfitIsNotShown(t *testing.T) {
	w := newWorld(t, stamp.Mark{Required: true})
	w.commit(w.stamped, "a", 1)
	w.commit(stamp.Store(w.plain, stamp.NewKey(seal.NewKey(), stamp.Mark{})), "f", 1)
	w.commit(w.plain, "m", 1)
	for id, want := range map[string]error{"a": nil, "f": stamp.ErrForged, "m": stamp.ErrMissing} {
		in, e := w.load(w.stamped, id), w.history(w.stamped, id)[0]
		for what, b := range map[string][]byte{"record": in.Record, "evidence": e.Evidence, "decision": e.Decision} {
			if unfit := stamp.Unfit(b); unfit != want || bytes.Contains(b, []byte(id+" 1")) != (want == nil) {
				t.Errorf("%s: the %s is shown as %s (%v)", id, what, b, unfit)
			}
		}
	}
	delete(w.last, "f")
	again := w.commitOf("f", 1)
	if done, err := w.stamped.Commit(t.Context(), again); err != nil || stamp.Unfit(done.Entry.Decision) != stamp.ErrForged {
		t.Errorf("repeated: %s, %v", done.Entry.Decision, err)
	}
	if err := w.plain.Trim(t.Context(), "a", 1, []byte(`{"Record":"other"}`)); err != nil {
		t.Fatal(err)
	}
	if in := w.load(w.stamped, "a"); stamp.Unfit(in.Base) != stamp.ErrMissing || stamp.Unfit(in.Record) != nil {
		t.Errorf("with a base that nobody stamped: %s and %s", in.Base, in.Record)
	}
}

// A former version writes without stamps, beside and between. That fits until stamps are
// required, and what it wrote before then fits for ever, except the record.
func TestFormerVersionsBeside(t *testing.T) {
	w := newWorld(t, stamp.Mark{})
	for version := range uint64(4) {
		w.commit([]store.Store{w.stamped, w.plain}[version%2], "a", version+1)
	}
	history := w.history(w.plain, "a")
	if faults := w.faults(w.load(w.plain, "a"), history); faults != nil {
		t.Error(faults)
	}
	w.key.Mark = stamp.Mark{Required: true, After: 3}
	if faults := w.faults(w.load(w.plain, "a"), history); len(faults) != 2 || faults[0] != stamp.ErrMissing || faults[1] != stamp.ErrMissing {
		t.Errorf("required after the third entry: %v", faults)
	}
	w.commit(w.stamped, "a", 5)
	w.key.After = 4
	if faults := w.faults(w.load(w.plain, "a"), w.history(w.plain, "a")); faults != nil {
		t.Errorf("required after the fourth entry, with a stamped record: %v", faults)
	}
}

// Without a key nothing is changed or checked.
func TestNoKey(t *testing.T) {
	w := newWorld(t, stamp.Mark{Required: true})
	w.commit(w.stamped, "a", 1)
	if s := stamp.Store(w.plain, stamp.Key{}); s != store.Store(w.plain) {
		t.Errorf("the store is a %T", s)
	}
	w.key = stamp.Key{}
	in := w.load(w.plain, "a")
	in.Record = bytes.Replace(in.Record, []byte("a 1"), []byte("a 2"), 1)
	if faults := w.faults(in, w.history(w.plain, "a")); faults != nil {
		t.Error(faults)
	}
}

// No formatting of a key shows its secret.
func TestKeyIsNotShown(t *testing.T) {
	secret := []byte("0123456789abcdef0123456789abcdef")
	key := stamp.NewKey(secret, stamp.Mark{})
	for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%x", "%q"} {
		text := fmt.Sprintf(verb, key) + fmt.Sprintf(verb, &key)
		if strings.Contains(text, "0123456789") || strings.Contains(text, fmt.Sprintf("%x", secret[:8])) || strings.Contains(text, fmt.Sprint(secret[:8])) {
			t.Errorf("%s shows %s", verb, text)
		}
	}
}

// volatile is a store that ends with the process, and gives news.
type volatile struct{ store.Store }

func (volatile) Volatile() bool                           { return true }
func (volatile) News(ctx context.Context) <-chan struct{} { return make(chan struct{}) }

// What a store may be besides is not lost.
func TestStampedIsWhatTheStoreIs(t *testing.T) {
	key := stamp.NewKey(seal.NewKey(), stamp.Mark{})
	for _, s := range []store.Store{volatile{memstore.New(nil)}, struct{ store.Store }{memstore.New(nil)}} {
		stamped := stamp.Store(s, key)
		_, is := s.(volatile)
		if stamped.(store.Volatile).Volatile() != is || (stamped.(store.News).News(t.Context()) != nil) != is {
			t.Errorf("%T is something else once it is stamped", s)
		}
	}
}

// The code is that of HMAC-SHA256 over a layout that stays as it is: else nothing that lies
// in a store would fit any more.
func TestStampStaysAsItIs(t *testing.T) {
	key := stamp.NewKey([]byte("0123456789abcdef0123456789abcdef"), stamp.Mark{})
	e := store.Entry{ID: store.EntryID{1, 2}, Integration: "hotel", Version: 7, At: 9, Evidence: []byte(`{"Kind":"import"}`), Decision: []byte(`{"Is":"valid"}`)}
	got := string(key.Entry(nil, &e, store.EntryID{3}, stamp.Body|stamp.Token)) + "\n" + string(key.Record(nil, "hotel", 7, e.ID, []byte(`{"ID":"hotel"}`))) + "\n"
	testkit.Golden(t, "stamps.txt", got)
}

// The stamps of one commit cost at most 1.5 µs: measured as the best of many short runs, so
// that other work on the machine does not count.
func BenchmarkCommit(b *testing.B) {
	key := stamp.NewKey(seal.NewKey(), stamp.Mark{})
	text := func(n int) []byte { return []byte(`{"Text":"` + strings.Repeat("x", n) + `"}`) }
	s := stamp.Store(nothing{}, key)
	c := store.Commit{
		Entry:  store.Entry{ID: store.EntryID{1}, Integration: "3fa85f64-5717-4562-b3fc-2c963f66afa6", Evidence: text(260), Decision: text(150)},
		Record: text(600), Expect: 6, After: store.EntryID{2},
	}
	best := time.Hour
	for b.Loop() {
		began := time.Now()
		for range 20 {
			if _, err := s.Commit(b.Context(), c); err != nil {
				b.Fatal(err)
			}
		}
		best = min(best, time.Since(began)/20)
	}
	b.ReportMetric(float64(best.Nanoseconds()), "best-ns/commit")
}

// nothing is a store that takes every commit and keeps none.
type nothing struct{ store.Store }

func (nothing) Commit(_ context.Context, c store.Commit) (store.Committed, error) {
	if len(c.Record) < 650 || len(c.Entry.Decision) < 200 { // without stamps
		return store.Committed{}, store.ErrInvalid
	}
	return store.Committed{Entry: c.Entry}, nil
}
