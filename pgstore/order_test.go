package pgstore_test

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/keyrack-dev/keyrack/pgstore"
	"github.com/keyrack-dev/keyrack/pgstore/pgtest"
	"github.com/keyrack-dev/keyrack/store"
)

// orphan is a commit under way whose client has gone: the same statement in a
// transaction of the test's.
type orphan struct {
	tx pgx.Tx
	c  store.Commit
}

func begin(t *testing.T, c *pgtest.Cluster, s *pgstore.Store, integration string, expect uint64) *orphan {
	t.Helper()
	tx, err := c.Connect(t).Begin(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	commit := piece(integration, expect)
	commit.Claim = nil
	return &orphan{tx, commit}
}

func (o *orphan) run(ctx context.Context, s *pgstore.Store) error {
	statement, _ := s.CommitStatement(false)
	_, err := o.tx.Exec(ctx, statement, bareArgs(&o.c)...)
	return err
}

// later ends a transaction after a moment. The function that it returns waits for that.
func later(t *testing.T, end func(context.Context) error) func() {
	ended := make(chan error, 1)
	time.AfterFunc(100*time.Millisecond, func() { ended <- end(context.Background()) })
	return func() {
		if err := <-ended; err != nil {
			t.Error(err)
		}
	}
}

func journalAfter(t *testing.T, s *pgstore.Store, after store.Position) (all []store.Entry) {
	t.Helper()
	for e, err := range s.Journal(t.Context(), after) {
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, e)
	}
	return all
}

// What commits late comes after what was read by then, and is not missed.
func TestEntryThatCommitsLate(t *testing.T) {
	c := pgtest.Shared(t)
	s := open(t, c.Socket(), &pgstore.Options{Schema: c.Schema(t), NoListen: true})
	commitPiece(t, s, "late", 0)
	o := begin(t, c, s, "late", 1)
	if err := o.run(t.Context(), s); err != nil {
		t.Fatal(err)
	}
	for i := range uint64(3) {
		commitPiece(t, s, "prompt", i)
	}
	all := journalAfter(t, s, 0)
	if len(all) != 4 {
		t.Fatalf("%d entries of 4", len(all))
	}
	if err := o.tx.Commit(t.Context()); err != nil {
		t.Fatal(err)
	}
	news := journalAfter(t, s, all[3].Position)
	if len(news) != 1 || news[0].ID != o.c.Entry.ID || news[0].Position != all[3].Position+1 {
		t.Errorf("after the late commit there are %d more", len(news))
	}
}

// A backlog that nobody has read gets its positions in parts, without a gap, and
// each integration's entries in their order.
func TestLongBacklog(t *testing.T) {
	c := pgtest.Shared(t)
	schema := c.Schema(t)
	s := open(t, c.Socket(), &pgstore.Options{Schema: schema, NoListen: true})
	const n = 2*pgstore.SequenceAtOnce + 100
	_, err := c.Connect(t).Exec(t.Context(), `insert into `+pgx.Identifier{schema, "entry"}.Sanitize()+`
(id, arrived, integration, version, at, evidence, decision, status, took)
select gen_random_uuid(), 1000000 + 7 * n, convert_to('i' || n % 100, 'UTF8'), 1 + n / 100, n, '', '', 0, 0
from generate_series(0, `+"$1::int"+` - 1) as n order by random()`, n)
	if err != nil {
		t.Fatal(err)
	}
	all := journalAfter(t, s, 0)
	if len(all) != n {
		t.Fatalf("%d entries of %d", len(all), n)
	}
	versions := map[string]uint64{}
	for i, e := range all {
		if e.Position != store.Position(i)+1 || e.Version != versions[e.Integration]+1 {
			t.Fatalf("version %d came at position %d, after version %d", e.Version, e.Position, versions[e.Integration])
		}
		versions[e.Integration]++
	}
}

// A repetition waits for a statement of the first attempt that is still under way,
// and tells what became of it.
func TestRepetitionOfWhatIsUnderWay(t *testing.T) {
	c := pgtest.Shared(t)
	s := open(t, c.Socket(), &pgstore.Options{Schema: c.Schema(t)})
	commitPiece(t, s, "a", 0)
	commit := func(t *testing.T, o *orphan, version uint64, repeated bool) {
		t.Helper()
		if r, err := s.Commit(t.Context(), o.c); err != nil || r.Version != version || r.Repeated != repeated {
			t.Errorf("Commit: version %d, repeated %t, %v", r.Version, r.Repeated, err)
		}
	}

	t.Run("not begun", func(t *testing.T) {
		o := begin(t, c, s, "a", 1)
		commit(t, o, 2, false)
		commit(t, o, 2, true)
		// What then comes late finds another version, and changes nothing.
		if err := errors.Join(o.run(t.Context(), s), o.tx.Commit(t.Context())); err != nil {
			t.Error(err)
		}
	})
	t.Run("almost there", func(t *testing.T) {
		o := begin(t, c, s, "a", 2)
		if err := o.run(t.Context(), s); err != nil {
			t.Fatal(err)
		}
		defer later(t, o.tx.Commit)()
		commit(t, o, 3, true)
	})
	t.Run("undone", func(t *testing.T) {
		o := begin(t, c, s, "a", 3)
		if err := o.run(t.Context(), s); err != nil {
			t.Fatal(err)
		}
		defer later(t, o.tx.Rollback)()
		commit(t, o, 4, false)
	})
	t.Run("without an integration", func(t *testing.T) {
		nameless := &orphan{c: store.Commit{Entry: store.Entry{ID: store.NewEntryID(time.Now())}, Body: []byte("body")}}
		commit(t, nameless, 0, false)
		commit(t, nameless, 0, true)
	})
	if n := len(journalAfter(t, s, 0)); n != 5 {
		t.Errorf("%d entries, want the 5 that were committed", n)
	}
}
