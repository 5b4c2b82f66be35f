//go:build !race

package sqlitestore_test

import (
	"context"
	"database/sql"
	"fmt"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/keyrack-dev/keyrack/internal/testkit"
	"github.com/keyrack-dev/keyrack/lifecycle"
	"github.com/keyrack-dev/keyrack/sqlitestore"
	"github.com/keyrack-dev/keyrack/store"
)

// TestFloors measures commits against what the disk and plain SQLite do in the same
// moments. F is a 4 KiB overwrite with fdatasync. Since others may use the machine,
// there are several rounds, and one that is within bounds will do.
func TestFloors(t *testing.T) {
	if !measuring(t) {
		return
	}
	s, err := sqlitestore.Open(t.Context(), filepath.Join(t.TempDir(), "keyrack.db"), nil)
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	bench := newBench(t, s, plain(t))
	bench.store(1, 1500) // the log has its size, and was carried over
	bench.plain(1, 500)

	// On a machine whose processors are busy, everything but F takes longer: then
	// plain SQLite is the measure.
	const bound, busy, ofPlain = 2.0, 2.2, 0.9
	ok := false
	for round := 0; round < 4 || round < 12 && !ok; round++ {
		var f, c, p []time.Duration
		for range 20 { // in turns, so that all see the same disk
			for range 25 {
				f = append(f, bench.floor(1))
			}
			for range 25 {
				c = append(c, bench.store(1, 1))
			}
			for range 25 {
				p = append(p, bench.plain(1, 1))
			}
		}
		plain, commit := ratio(testkit.Median(p), testkit.Median(f)), ratio(testkit.Median(c), testkit.Median(f))
		t.Logf("F %v, plain SQLite %.2f F, a commit %.2f F", testkit.Median(f), plain, commit)
		ok = ok || commit <= bound || plain > busy && commit <= ofPlain*plain
	}
	if !ok {
		t.Errorf("one commit takes more than %g F", bound)
	}
	const writers = 16
	bench.measure("16 writers, times the rate of one transaction each", 1.8, func() float64 {
		var ratios []time.Duration // in thousandths
		for range 5 {
			c, p := bench.store(writers, 50), bench.plain(writers, 25)
			t.Logf("16 writers: %.0f commits a second, plain SQLite %.0f", 800/c.Seconds(), 400/p.Seconds())
			ratios = append(ratios, time.Duration(2000*ratio(p, c)))
		}
		return float64(testkit.Median(ratios)) / 1000
	})
	bench.measure("16 writers, commits per F", 0.8, func() float64 {
		var f, c []time.Duration
		for range 5 {
			c = append(c, bench.store(writers, 50)/800)
			for range 100 {
				f = append(f, bench.floor(1))
			}
		}
		return ratio(testkit.Median(f), testkit.Median(c))
	})
}

// measuring reports whether to hold times to their bounds. Those hold where the
// machine is quiet, so that long runs alone ask for it.
func measuring(t *testing.T) bool {
	t.Helper()
	if os.Getenv("KEYRACK_LONG") == "" {
		t.Log("measured where KEYRACK_LONG is set")
		return false
	}
	return true
}

// TestFloorsSlowDisk is about a disk whose sync takes two milliseconds.
func TestFloorsSlowDisk(t *testing.T) {
	if !measuring(t) {
		return
	}
	d := newDisk(t)
	s, err := sqlitestore.New(t.Context(), d.open(t, filepath.Join(t.TempDir(), "keyrack.db")), nil)
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	other := newDisk(t)
	p := other.open(t, filepath.Join(t.TempDir(), "plain.db")+
		"?_pragma=journal_mode(WAL)&_pragma=synchronous(FULL)&_pragma=busy_timeout(10000)&_txlock=immediate")
	plainSchema(t, p)
	bench := newBench(t, s, p)
	d.delay.Store(int64(2 * time.Millisecond))
	other.delay.Store(int64(2 * time.Millisecond))
	bench.measure("16 writers on a slow disk, times the rate of one transaction each", 5, func() float64 {
		c, p := bench.store(16, 20), bench.plain(16, 5)
		t.Logf("2 ms a sync: %.0f commits a second, plain SQLite %.0f", 320/c.Seconds(), 80/p.Seconds())
		return 4 * ratio(p, c)
	})
}

// TestSyncs counts the syncs of commits that come one after the other.
func TestSyncs(t *testing.T) {
	d := newDisk(t)
	s, err := sqlitestore.New(t.Context(), d.open(t, filepath.Join(fastDir(t), "keyrack.db")), nil)
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	bench := newBench(t, s, nil)
	bench.store(1, 100)
	syncs, writes := d.count("sync"), d.count("write")
	const commits = 4000
	bench.store(1, commits)
	perCommit := float64(d.count("sync")-syncs) / commits
	t.Logf("a commit: %.3f syncs, %.1f writes", perCommit, float64(d.count("write")-writes)/commits)
	if perCommit > 1.02 || perCommit < 1 {
		t.Errorf("%.3f syncs a commit", perCommit)
	}
	before := d.count("sync")
	bench.store(16, 50)
	t.Logf("16 writers: %.3f syncs a commit", float64(d.count("sync")-before)/800)
}

// bench commits deliveries to a store and to plain SQLite, and writes to a file.
type bench struct {
	t    *testing.T
	s    *sqlitestore.Store
	db   *sql.DB
	file *os.File
	seen map[string]uint64 // deliveries so far
	mu   sync.Mutex
}

func newBench(t *testing.T, s *sqlitestore.Store, db *sql.DB) *bench {
	f, err := os.Create(filepath.Join(t.TempDir(), "floor"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { f.Close() })
	if _, err := f.Write(make([]byte, 1<<20)); err != nil {
		t.Fatal(err)
	}
	if err := f.Sync(); err != nil {
		t.Fatal(err)
	}
	return &bench{t: t, s: s, db: db, file: f, seen: map[string]uint64{}}
}

func ratio(a, b time.Duration) float64 { return float64(a) / float64(b) }

// measure checks that the best of some rounds reaches a bound.
func (b *bench) measure(what string, bound float64, round func() float64) {
	b.t.Helper()
	best := 0.0
	for i := 0; i < 3 || i < 10 && best < bound; i++ {
		best = max(best, round())
	}
	b.t.Logf("%s: %.2f", what, best)
	if best < bound {
		b.t.Errorf("%s: %.2f, and %.2f is the bound", what, best, bound)
	}
}

func (b *bench) floor(n int) time.Duration {
	page := make([]byte, 4096)
	begin := time.Now()
	for i := range n {
		if _, err := b.file.WriteAt(page, int64(i%256)*4096); err != nil {
			b.t.Fatal(err)
		}
		if err := datasync(b.file); err != nil {
			b.t.Fatal(err)
		}
	}
	return time.Since(begin)
}

// next returns a delivery for one of a writer's integrations.
func (b *bench) next(to string, writer, i int) (integration string, version uint64) {
	integration = fmt.Sprint(writer, "-", i%300)
	b.mu.Lock()
	defer b.mu.Unlock()
	version = b.seen[to+integration]
	b.seen[to+integration]++
	return integration, version
}

func (b *bench) store(writers, each int) time.Duration {
	return b.writers(writers, each, func(writer, i int) error {
		integration, version := b.next("store", writer, i)
		r, err := b.s.Commit(context.Background(), delivery(integration, version))
		if err == nil && r.Version != version+1 {
			err = fmt.Errorf("version %d follows version %d", r.Version, version)
		}
		return err
	})
}

func (b *bench) plain(writers, each int) time.Duration {
	return b.writers(writers, each, func(writer, i int) error {
		integration, version := b.next("plain", writer, i)
		return plainCommit(b.db, delivery(integration, version))
	})
}

func (b *bench) writers(n, each int, commit func(writer, i int) error) time.Duration {
	var wg sync.WaitGroup
	begin := time.Now()
	for writer := range n {
		wg.Go(func() {
			for i := range each {
				if err := commit(writer, i); err != nil {
					b.t.Error(err)
					return
				}
			}
		})
	}
	wg.Wait()
	return time.Since(begin)
}

// TestScan100000 reads 100,000 integrations, as a Rack does when it opens.
func TestScan100000(t *testing.T) {
	if !measuring(t) {
		return
	}
	ctx := t.Context()
	path := filepath.Join(t.TempDir(), "keyrack.db")
	s, err := sqlitestore.Open(ctx, path, nil)
	if err != nil {
		t.Fatal(err)
	}
	deliveries(t, s, 1)
	var template store.Stored
	for template, err = range s.Scan(ctx, "") {
		if err != nil {
			t.Fatal(err)
		}
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	const n = 100_000
	fill(t, path, template, n-1)

	if s, err = sqlitestore.Open(ctx, path, nil); err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	var scan, parsed time.Duration
	for try := range 10 { // the best of some, since others may use the machine
		begin, count := time.Now(), 0
		for _, err := range s.Scan(ctx, "") {
			if err != nil {
				t.Fatal(err)
			}
			count++
		}
		if took := time.Since(begin); try == 0 || took < scan {
			scan = took
		}
		begin = time.Now()
		for stored, err := range s.Scan(ctx, "") {
			if err != nil {
				t.Fatal(err)
			}
			if _, err := lifecycle.ParseRecord(stored.Record); err != nil {
				t.Fatal(err)
			}
			count++
		}
		if took := time.Since(begin); try == 0 || took < parsed {
			parsed = took
		}
		if count != 2*n {
			t.Fatalf("%d of %d", count, 2*n)
		}
		if try >= 2 && parsed < time.Second {
			break
		}
	}
	t.Logf("%d integrations with records of %d bytes: Scan %v, with lifecycle.ParseRecord %v", n, len(template.Record), scan, parsed)
	begin := time.Now()
	for range n {
		if _, err := lifecycle.ParseRecord(template.Record); err != nil {
			t.Fatal(err)
		}
	}
	alone := time.Since(begin)
	t.Logf("lifecycle.ParseRecord alone %v", alone)
	if parsed > time.Second && alone < 450*time.Millisecond { // else the processors are busy
		t.Error("slower than a second")
	}
}

// fill copies an integration n times.
func fill(t *testing.T, path string, template store.Stored, n int) {
	db, err := sql.Open("sqlite", "file:"+path)
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	_, err = db.Exec(`WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < ?)
		INSERT INTO integration (id, version, newest, record)
		SELECT lower(hex(randomblob(4)) || '-' || hex(randomblob(2)) || '-4d4f-9662-' || hex(randomblob(6))), 3, 0, ? FROM n`,
		n, string(template.Record))
	if err != nil {
		t.Fatal(err)
	}
}
