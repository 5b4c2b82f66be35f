package pgstore_test

import (
	"context"
	"slices"
	"testing"
	"time"

	"github.com/keyrack-dev/keyrack/pgstore"
	"github.com/keyrack-dev/keyrack/pgstore/pgtest"
	"github.com/keyrack-dev/keyrack/store"
)

func commitPiece(t *testing.T, s *pgstore.Store, integration string, expect uint64) store.EntryID {
	t.Helper()
	c := piece(integration, expect)
	if _, err := s.Commit(t.Context(), c); err != nil {
		t.Fatal(err)
	}
	return c.Entry.ID
}

// rings reports whether a value comes within a time.
func rings(news <-chan struct{}, within time.Duration) bool {
	select {
	case _, open := <-news:
		return open
	case <-time.After(within):
		return false
	}
}

// quiet waits until there has been no value for a while.
func quiet(t *testing.T, news <-chan struct{}) {
	t.Helper()
	for range 20 {
		if !rings(news, 100*time.Millisecond) {
			return
		}
	}
	t.Fatal("there is news without end")
}

func TestNewsOfOthers(t *testing.T) {
	c := pgtest.Shared(t)
	opts := &pgstore.Options{Schema: c.Schema(t), Poll: time.Hour}
	one, two := open(t, c.Socket("application_name=one"), opts), open(t, c.Socket("application_name=two"), opts)
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	news, own := two.News(ctx), one.News(ctx)
	if !rings(news, 5*time.Second) || !rings(own, 5*time.Second) {
		t.Fatal("nothing is said of what came before")
	}
	quiet(t, news)
	for i := range uint64(5) {
		commitPiece(t, one, "a", i)
		if !rings(news, 5*time.Second) {
			t.Fatal("another instance's commit is no news")
		}
		quiet(t, news)
	}
	if rings(own, 0) {
		t.Error("its own commits are news to a store")
	}
	// What comes in quick succession is told a few times only.
	for i := range uint64(200) {
		commitPiece(t, one, "b", i)
	}
	n := 0
	for within := 5 * time.Second; rings(news, within); within = 100 * time.Millisecond {
		n++
	}
	if n == 0 || n > 150 {
		t.Errorf("200 commits were told %d times", n)
	}
	cancel()
	for range news { // until it is closed
	}
}

// A connection that listens is lost; another takes its place.
func TestNewsAfterCut(t *testing.T) {
	c := pgtest.Shared(t)
	opts := &pgstore.Options{Schema: c.Schema(t), Poll: 50 * time.Millisecond}
	one, two := open(t, c.Socket(), opts), open(t, c.Socket("application_name=listener"), opts)
	news := two.News(t.Context())
	listeners := `select count(*) from pg_stat_activity where application_name = 'listener' and query like 'listen %'`
	admin := c.Connect(t)
	wait := func() {
		t.Helper()
		for n := 0; n == 0; {
			if err := admin.QueryRow(t.Context(), listeners).Scan(&n); err != nil {
				t.Fatal(err)
			}
			time.Sleep(5 * time.Millisecond)
		}
	}
	for i := range uint64(3) {
		wait()
		if _, err := admin.Exec(t.Context(), `select pg_terminate_backend(pid) from pg_stat_activity where application_name = 'listener'`); err != nil {
			t.Fatal(err)
		}
		commitPiece(t, one, "a", i)
		if !rings(news, 5*time.Second) {
			t.Fatal("no news while nobody listens")
		}
	}
	wait()
}

func TestNewsByPollingAlone(t *testing.T) {
	c := pgtest.Shared(t)
	s := open(t, c.Socket(), &pgstore.Options{Schema: c.Schema(t), Poll: 5 * time.Millisecond, NoListen: true})
	ctx, cancel := context.WithCancel(t.Context())
	news := s.News(ctx)
	for range 3 {
		if !rings(news, 5*time.Second) {
			t.Fatal("no news")
		}
	}
	cancel()
	for range news { // until it is closed
	}
}

// How long it takes from a commit on one instance until another has its entry.
func BenchmarkNews(b *testing.B) {
	for _, mode := range []struct {
		name string
		opts pgstore.Options
	}{{"notify", pgstore.Options{}}, {"poll-250ms", pgstore.Options{NoListen: true}}} {
		b.Run(mode.name, func(b *testing.B) {
			c := pgtest.Shared(b)
			mode.opts.Schema = c.Schema(b)
			one, two := open(b, c.Socket(), &mode.opts), open(b, c.Socket(), &mode.opts)
			news := two.News(b.Context())
			time.Sleep(50 * time.Millisecond)
			var took []time.Duration
			var after store.Position
			for i := uint64(0); b.Loop(); i++ {
				time.Sleep(randomly(10*time.Millisecond, 20*time.Millisecond))
				commit := piece("a", i)
				if _, err := one.Commit(b.Context(), commit); err != nil {
					b.Fatal(err)
				}
				begin := time.Now()
				for seen := false; !seen; {
					<-news
					for e, err := range two.Journal(b.Context(), after) {
						if err != nil {
							b.Fatal(err)
						}
						after, seen = e.Position, e.ID == commit.Entry.ID
					}
				}
				took = append(took, time.Since(begin))
			}
			slices.Sort(took)
			b.ReportMetric(float64(took[len(took)/2].Microseconds())/1000, "median-ms")
			b.ReportMetric(float64(took[len(took)*99/100].Microseconds())/1000, "p99-ms")
		})
	}
}
