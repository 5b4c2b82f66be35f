package pgstore_test

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"os"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgtype"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/keyrack-dev/keyrack/internal/testkit"
	"github.com/keyrack-dev/keyrack/pgstore"
	"github.com/keyrack-dev/keyrack/pgstore/pgtest"
	"github.com/keyrack-dev/keyrack/store"
)

// syncing returns a cluster that syncs its log to the disk, as the others need not.
func syncing(tb testing.TB) *pgtest.Cluster {
	tb.Helper()
	return pgtest.Start(tb, "fsync = on")
}

// variant is one way of committing. Its function commits c, which expects a
// version that the integration has.
type variant struct {
	name   string
	commit func(ctx context.Context, c *store.Commit) error
	end    func()
}

// variants are the ways of committing that are compared, on one database.
func variants(tb testing.TB, c *pgtest.Cluster) []variant {
	pool := func() *pgxpool.Pool {
		p, err := pgxpool.New(tb.Context(), c.Socket("pool_max_conns=20"))
		if err != nil {
			tb.Fatal(err)
		}
		tb.Cleanup(p.Close)
		return p
	}
	stored := func(name string, opts *pgstore.Options, more func(*pgstore.Store)) variant {
		opts.Schema = "bench " + name
		s, err := pgstore.New(tb.Context(), pool(), opts)
		if err != nil {
			tb.Fatal(err)
		}
		tb.Cleanup(func() { _ = s.Close() })
		if more != nil {
			more(s)
		}
		return variant{name, func(ctx context.Context, c *store.Commit) error {
			_, err := s.Commit(ctx, *c)
			return err
		}, nil}
	}
	// The bare ways have a schema of their own, which a store has made.
	bare := func(name string, commit func(ctx context.Context, p *pgxpool.Pool, s *pgstore.Store, c *store.Commit) error) variant {
		p := pool()
		s, err := pgstore.New(tb.Context(), p, &pgstore.Options{Schema: "bench " + name, NoListen: true})
		if err != nil {
			tb.Fatal(err)
		}
		return variant{name, func(ctx context.Context, c *store.Commit) error {
			if c.Expect == 0 {
				_, err := s.Commit(ctx, *c)
				return err
			}
			return commit(ctx, p, s, c)
		}, nil}
	}
	followed := func(s *pgstore.Store) {
		f := follow(s)
		tb.Cleanup(func() { f.stop(); <-f.done })
	}
	return []variant{
		bare("statement", func(ctx context.Context, p *pgxpool.Pool, s *pgstore.Store, c *store.Commit) error {
			statement, _ := s.CommitStatement(false)
			return one(p.Exec(ctx, statement, bareArgs(c)...))
		}),
		bare("transaction", func(ctx context.Context, p *pgxpool.Pool, s *pgstore.Store, c *store.Commit) error {
			return inTransaction(ctx, p, s, c, "")
		}),
		bare("notify-inside", func(ctx context.Context, p *pgxpool.Pool, s *pgstore.Store, c *store.Commit) error {
			statement, _ := s.CommitStatement(false)
			var batch pgx.Batch
			batch.Queue(statement, bareArgs(c)...)
			batch.Queue("select pg_notify('inside', '')")
			return p.SendBatch(ctx, &batch).Close()
		}),
		stored("commit", &pgstore.Options{NoListen: true}, nil),
		stored("commit+poll", &pgstore.Options{NoListen: true}, followed),
		stored("commit+notify", &pgstore.Options{}, nil),
		stored("commit+notify+reader", &pgstore.Options{}, followed),
	}
}

func one(tag interface{ RowsAffected() int64 }, err error) error {
	if err == nil && tag.RowsAffected() != 1 {
		err = errors.New("the version did not move")
	}
	return err
}

func bareArgs(c *store.Commit) []any {
	e := &c.Entry
	return []any{
		[]byte(e.Integration), int64(c.Expect), c.Record, pgtype.UUID{Bytes: e.ID, Valid: true}, int64(e.At),
		e.Evidence, e.Decision, int64(0), int64(0), pgtype.UUID{Bytes: c.After, Valid: !c.After.IsZero()}, c.Body,
	}
}

// inTransaction makes the same writes one by one.
func inTransaction(ctx context.Context, p *pgxpool.Pool, s *pgstore.Store, c *store.Commit, _ string) error {
	_, steps := s.CommitStatement(false)
	a := bareArgs(c)
	return pgx.BeginFunc(ctx, p, func(tx pgx.Tx) error {
		if err := one(tx.Exec(ctx, steps[0], append(a[:4:4], a[9])...)); err != nil {
			return err
		}
		if err := one(tx.Exec(ctx, steps[1], a[3], a[0], int64(c.Expect)+1, a[4], a[5], a[6], a[7], a[8], int64(0))); err != nil {
			return err
		}
		return one(tx.Exec(ctx, steps[2], a[3], c.Body))
	})
}

// delivery returns a commit of the size that a delivery has.
func delivery(integration string, expect uint64) *store.Commit {
	c := piece(integration, expect)
	c.Claim = nil
	c.Record = make([]byte, 700)
	c.Body = make([]byte, 1100)
	c.Entry.Evidence = make([]byte, 350)
	c.Entry.Decision = make([]byte, 250)
	return &c
}

// rate lets writers commit for a time, each to integrations of its own in turn,
// and returns the commits a second.
func rate(tb testing.TB, v variant, writers int, d time.Duration, round int) float64 {
	ctx, cancel := context.WithTimeout(tb.Context(), d)
	defer cancel()
	var n atomic.Int64
	var wg sync.WaitGroup
	begin := time.Now()
	for w := range writers {
		wg.Go(func() {
			const each = 20
			for i := 0; ctx.Err() == nil; i++ {
				c := delivery(fmt.Sprintf("%08x-%d-%d-%d", w*7919, w, round, i%each), uint64(i/each))
				if err := v.commit(context.WithoutCancel(ctx), c); err != nil {
					tb.Errorf("%s: %v", v.name, err)
					return
				}
				n.Add(1)
			}
		})
	}
	wg.Wait()
	return float64(n.Load()) / time.Since(begin).Seconds()
}

// compared is what a variant came to: the medians of its rate and, since what else
// the machine does changes from round to round, of its ratio to the first variant
// in the same round.
type compared struct{ rate, ratio float64 }

func compare(tb testing.TB, all []variant, writers, rounds int, d time.Duration) map[string]compared {
	rates, ratios := map[string][]float64{}, map[string][]float64{}
	for round := range rounds + 1 {
		var first float64
		for i, v := range all {
			r := rate(tb, v, writers, d, round)
			if i == 0 {
				first = r
			}
			if round > 0 { // the first one warms up
				rates[v.name] = append(rates[v.name], r)
				ratios[v.name] = append(ratios[v.name], r/first)
			}
		}
	}
	medians := map[string]compared{}
	for _, v := range all {
		medians[v.name] = compared{testkit.Median(rates[v.name]), testkit.Median(ratios[v.name])}
	}
	return medians
}

// BenchmarkWriters compares 16 writers with the bare statement, which is the floor,
// in one run. Its own time means nothing: the metrics are commits a second.
func BenchmarkWriters(b *testing.B) {
	all := variants(b, syncing(b))
	for range b.N {
		medians := compare(b, all, 16, cycles(5, 15), 400*time.Millisecond)
		for _, v := range all {
			b.ReportMetric(medians[v.name].rate, v.name+"/s")
			b.ReportMetric(medians[v.name].ratio, v.name+"-of-statement")
		}
	}
	b.ReportMetric(0, "ns/op")
}

// BenchmarkCommit is one writer alone: what a delivery waits for.
func BenchmarkCommit(b *testing.B) {
	c, run := syncing(b), 0
	for _, v := range variants(b, c) {
		b.Run(v.name, func(b *testing.B) {
			run++ // integrations of its own, with -count as well
			i := 0
			for b.Loop() {
				c := delivery(fmt.Sprintf("%d-%d", run, i%20), uint64(i/20))
				if err := v.commit(b.Context(), c); err != nil {
					b.Fatal(err)
				}
				i++
			}
		})
	}
}

// The floor holds where the machine is quiet, so that it is asked for in long runs.
func TestCommitRate(t *testing.T) {
	if os.Getenv("KEYRACK_LONG") == "" {
		t.Log("measured where KEYRACK_LONG is set")
		return
	}
	medians := compare(t, variants(t, syncing(t)), 16, 9, 400*time.Millisecond)
	t.Logf("commits a second, and of a bare statement's: %v", medians)
	if ratio := medians["commit"].ratio; ratio < 0.8 {
		t.Errorf("Commit reaches %.2f of the rate of a bare statement", ratio)
	}
}

// BenchmarkRead measures how fast integrations and entries are read: what an
// instance does when it starts, and when it catches up. First the positions are
// given to all entries, which is what a reader does who was away.
func BenchmarkRead(b *testing.B) {
	const n = 20000
	c := pgtest.Shared(b)
	schema := c.Schema(b)
	s := open(b, c.Socket(), &pgstore.Options{Schema: schema, NoListen: true})
	in := func(table string) string { return pgx.Identifier{schema, table}.Sanitize() }
	admin := c.Connect(b)
	for _, statement := range []string{
		`insert into ` + in("integration") + ` (id, version, record, touched)
select convert_to(gen_random_uuid()::text, 'UTF8'), 1, convert_to(repeat('x', 700), 'UTF8'), n from generate_series(1, 20000) as n`,
		`insert into ` + in("entry") + ` (id, arrived, integration, version, at, evidence, decision, status, took)
select gen_random_uuid(), n, convert_to(gen_random_uuid()::text, 'UTF8'), 1, n,
  convert_to(repeat('x', 350), 'UTF8'), convert_to(repeat('x', 250), 'UTF8'), 0, 0 from generate_series(1, 20000) as n`,
		`analyze ` + in("integration"), `analyze ` + in("entry"),
	} {
		if _, err := admin.Exec(b.Context(), statement); err != nil {
			b.Fatal(err)
		}
	}
	begin := time.Now()
	if _, last, err := s.Bounds(b.Context()); err != nil || last != n {
		b.Fatal(last, err)
	}
	positions := time.Since(begin)
	b.Run("scan", func(b *testing.B) {
		for b.Loop() {
			seen := 0
			for _, err := range s.Scan(b.Context(), "") {
				if err != nil {
					b.Fatal(err)
				}
				seen++
			}
			if seen != n {
				b.Fatal(seen)
			}
		}
		b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N*n), "ns/integration")
	})
	b.Run("journal", func(b *testing.B) {
		for b.Loop() {
			seen := 0
			for _, err := range s.Journal(b.Context(), 0) {
				if err != nil {
					b.Fatal(err)
				}
				seen++
			}
			if seen != n {
				b.Fatal(seen)
			}
		}
		b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N*n), "ns/entry")
		b.ReportMetric(float64(positions.Nanoseconds())/n, "ns/position")
	})
	b.Run("poll", func(b *testing.B) {
		for b.Loop() {
			for range s.Journal(b.Context(), n) {
				b.Fatal("there is nothing new")
			}
		}
	})
}

// A page of a hundred from anywhere in the history of one integration: the same of a long
// one.
func BenchmarkHistoryPage(b *testing.B) {
	for _, size := range []int{1_000, 1_000_000} {
		b.Run(fmt.Sprint(size), func(b *testing.B) {
			c := pgtest.Shared(b)
			schema := c.Schema(b)
			s := open(b, c.Socket(), &pgstore.Options{Schema: schema, NoListen: true})
			in := func(table string) string { return pgx.Identifier{schema, table}.Sanitize() }
			admin := c.Connect(b)
			for _, statement := range []string{
				`insert into ` + in("entry") + ` (id, position, arrived, integration, version, at, evidence, decision, status, took)
select lpad(to_hex(n), 32, '0')::uuid, n, n, 'a'::bytea, n, n,
  convert_to(repeat('x', 250), 'UTF8'), convert_to(repeat('x', 200), 'UTF8'), 0, 0 from generate_series(1, ` + fmt.Sprint(size) + `) as n`,
				`analyze ` + in("entry"),
			} {
				if _, err := admin.Exec(b.Context(), statement); err != nil {
					b.Fatal(err)
				}
			}
			turn := 0
			for b.Loop() {
				turn++
				from := turn * 7919 % (size - 100)
				var after store.EntryID
				binary.BigEndian.PutUint64(after[8:], uint64(from))
				n := 0
				for e, err := range s.History(b.Context(), "a", after) {
					if n++; err != nil || e.Version != uint64(from+n) {
						b.Fatal(e.Version, err)
					}
					if n == 100 {
						break
					}
				}
				if n != 100 {
					b.Fatal(n)
				}
			}
		})
	}
}
