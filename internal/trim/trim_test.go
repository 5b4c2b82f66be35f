package trim_test

import (
	"bytes"
	"fmt"
	"testing"
	"time"

	"github.com/keyrack-dev/keyrack/internal/trim"
	"github.com/keyrack-dev/keyrack/lifecycle"
	"github.com/keyrack-dev/keyrack/store"
)

// What is left is as much as the limits say, and folds from the base to the record.
func TestWhatIsLeftFolds(t *testing.T) {
	began := lifecycle.At(time.Date(2030, 1, 1, 0, 0, 0, 0, time.UTC))
	hour := func(n int) lifecycle.Instant { return lifecycle.At(began.Time().Add(time.Duration(n) * time.Hour)) }
	for name, c := range map[string]struct {
		keep, hours int // entries from before that hour are too old
		worked      store.Position
		left        int
	}{
		"all":                       {-1, 0, 20, 20},
		"a number":                  {7, 0, 20, 7},
		"an age":                    {-1, 15, 20, 5},
		"both, the number is less":  {3, 15, 20, 3},
		"both, the age is less":     {9, 15, 20, 5},
		"a number, not worked off":  {7, 0, 4, 16},
		"an age, not worked off":    {-1, 15, 2, 18},
		"what is young stays":       {0, 0, 20, 1},
		"a number above what it is": {21, 0, 20, 20},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			for i := range 20 {
				w.commit(store.NewEntryID(hour(i).Time()), "a", hour(i))
			}
			p := trim.Pass{Now: lifecycle.At(hour(19).Time().Add(59 * time.Minute)), Keep: c.keep, Worked: c.worked, Settled: 19}
			if c.hours > 0 {
				p.Before = hour(c.hours)
			}
			if n := w.pass(p); (n == 1) != (c.left < 20) {
				t.Errorf("%d integrations were trimmed", n)
			}
			stored, err := w.Load(t.Context(), "a")
			if err != nil {
				t.Fatal(err)
			}
			record := lifecycle.Record{ID: "a"}
			if stored.BaseVersion > 0 {
				if record, err = lifecycle.ParseRecord(stored.Base); err != nil {
					t.Fatal(err)
				}
			}
			n := 0
			for e, err := range w.History(t.Context(), "a", store.EntryID{}) {
				if err != nil {
					t.Fatal(err)
				}
				evidence, err := lifecycle.ParseEvidence(e.Evidence)
				if err != nil {
					t.Fatal(err)
				}
				n++
				record, _ = record.Apply(evidence)
			}
			if n != c.left || !bytes.Equal(lifecycle.AppendRecord(nil, record), stored.Record) {
				t.Errorf("%d entries are left, want %d; they fold to\n%s, want\n%s", n, c.left, fmt.Sprint(record), stored.Record)
			}
		})
	}
}
