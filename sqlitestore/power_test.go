package sqlitestore_test

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"testing"

	"github.com/keyrack-dev/keyrack/internal/testkit"
	"github.com/keyrack-dev/keyrack/sqlitestore"
)

// answered is a mark in a disk's log: a commit was acknowledged.
type answered struct {
	integration string
	version     uint64
}

// workload commits to a store on a disk that logs, from some goroutines, with a log
// that is carried over often, and returns what the disk has seen.
func workload(t *testing.T, rewrite func(string) string, lie bool, commits int) []op {
	d := newDisk(t)
	d.record()
	s, err := sqlitestore.NewRewritten(t.Context(), d.open(t, filepath.Join(fastDir(t), "keyrack.db")),
		&sqlitestore.Options{CheckpointPages: 40}, rewrite)
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	d.lie.Store(lie)
	var wg sync.WaitGroup
	for i := range 3 {
		wg.Go(func() {
			rng := rand.New(rand.NewPCG(1, uint64(i)))
			versions := map[string]uint64{}
			for range commits / 3 {
				integration := fmt.Sprintf("%d-%d", i, rng.IntN(3))
				version := versions[integration]
				c := testCommit(integration, version, rng.IntN(3000))
				c.Forget, c.EraseBodies = rng.IntN(20) == 0, rng.IntN(20) == 0
				if _, err := s.Commit(context.Background(), c); err != nil {
					t.Error(err)
					return
				}
				versions[integration] = version + 1
				d.mark(answered{integration, version + 1})
			}
		})
	}
	wg.Wait()
	return d.recorded()
}

// fastDir is a folder in memory where there is one: images of a disk need none.
func fastDir(t testing.TB) string {
	dir, err := os.MkdirTemp("/dev/shm", "keyrack")
	if err != nil {
		return t.TempDir()
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	return dir
}

// platter is what a disk holds of each file: the part that is certain, and the writes
// since the last sync, which may have arrived in part.
type platter struct {
	certain map[string][]byte
	pending map[string][]op
	deleted []string // files whose names may be there or not
	known   acknowledged
}

// then makes an operation happen.
func (p *platter) then(o op) {
	switch o.kind {
	case "open":
		if _, ok := p.certain[o.file]; !ok {
			p.certain[o.file] = nil
		}
	case "write", "truncate":
		p.pending[o.file] = append(p.pending[o.file], o)
	case "delete":
		p.deleted = append(p.deleted, o.file)
	case "sync":
		if isLog(o.file) { // the first time, SQLite syncs the folder too
			for _, file := range p.deleted {
				delete(p.certain, file)
				delete(p.pending, file)
			}
			p.deleted = nil
		}
		for _, o := range p.pending[o.file] {
			p.certain[o.file] = applied(p.certain[o.file], o)
		}
		p.pending[o.file] = nil
	case "mark":
		a := o.mark.(answered)
		p.known[a.integration] = max(p.known[a.integration], a.version)
	}
}

func applied(b []byte, o op) []byte {
	if o.kind == "truncate" {
		if o.off <= int64(len(b)) {
			return b[:o.off:o.off]
		}
		return append(b, make([]byte, o.off-int64(len(b)))...)
	}
	if end := o.off + int64(len(o.data)); end > int64(len(b)) {
		b = append(b, make([]byte, end-int64(len(b)))...)
	}
	copy(b[o.off:], o.data)
	return b
}

// How much of what was not synced is on the disk when the power goes.
var losses = []string{"all", "nothing", "some", "some sectors", "the first"}

const sector = 512

// image returns the files after the power has gone.
func (p *platter) image(loss string, rng *rand.Rand) map[string][]byte {
	files := map[string][]byte{}
	for file, b := range p.certain {
		b = slices.Clone(b)
		first := rng.IntN(len(p.pending[file]) + 1)
		for i, o := range p.pending[file] {
			switch {
			case loss == "all",
				loss == "some" && rng.IntN(2) == 0,
				loss == "the first" && i < first:
				b = applied(b, o)
			case loss == "some sectors" && o.kind == "write":
				for from := int64(0); from < int64(len(o.data)); {
					to := min((o.off+from)/sector*sector+sector-o.off, int64(len(o.data)))
					if rng.IntN(2) == 0 {
						b = applied(b, op{kind: "write", off: o.off + from, data: o.data[from:to]})
					}
					from = to
				}
			}
		}
		if !slices.Contains(p.deleted, file) || rng.IntN(2) == 0 {
			files[file] = b
		}
	}
	return files
}

// powerCuts cuts the power at n places of a log, and returns how often something that
// was acknowledged was lost, or half there, with an example.
func powerCuts(t *testing.T, log []op, n int) (bad int, example error) {
	rng := rand.New(rand.NewPCG(7, 7))
	places := 0
	for _, o := range log {
		if o.kind != "mark" && o.kind != "open" {
			places++
		}
	}
	// Every boundary, as often as n allows; the rest is spread evenly.
	cuts, place := 0, 0
	p := &platter{certain: map[string][]byte{}, pending: map[string][]op{}, known: acknowledged{}}
	dir := fastDir(t)
	for _, o := range log {
		p.then(o)
		if o.kind == "mark" || o.kind == "open" {
			continue
		}
		place++
		for cuts < n*place/places {
			loss := losses[cuts%len(losses)]
			if err := survives(t.Context(), filepath.Join(dir, fmt.Sprint(cuts)), p.image(loss, rng), p.known); err != nil {
				bad++
				example = fmt.Errorf("cut %d, after %d operations, with %s of the rest: %w", cuts, place, loss, err)
			}
			cuts++
		}
	}
	return bad, example
}

// survives opens an image, and checks that nothing acknowledged is missing and nothing
// is half there.
func survives(ctx context.Context, dir string, image map[string][]byte, known acknowledged) error {
	if err := os.Mkdir(dir, 0o700); err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	for name := range maps.Keys(image) {
		if err := os.WriteFile(filepath.Join(dir, name), image[name], 0o600); err != nil {
			return err
		}
	}
	s, err := sqlitestore.Open(ctx, filepath.Join(dir, "keyrack.db"), &sqlitestore.Options{Readers: 1})
	if err != nil {
		return fmt.Errorf("Open: %w", err)
	}
	defer s.Close()
	if err := known.kept(ctx, s); err != nil {
		return err
	}
	if err := wholeness(ctx, s); err != nil {
		return err
	}
	// And it goes on.
	integration := "afterwards"
	if _, err := s.Commit(ctx, testCommit(integration, 0, 10)); err != nil {
		return fmt.Errorf("the first commit afterwards: %w", err)
	}
	return nil
}

// TestPowerCut cuts the power at every write and every sync, with all, nothing or
// something of what was not synced on the disk: 1,000 times, 10,000 with
// KEYRACK_LONG.
func TestPowerCut(t *testing.T) {
	n := 1000
	switch {
	case testing.Short(), testkit.Race:
		n = 100
	case os.Getenv("KEYRACK_LONG") != "":
		n = 10000
	}
	log := workload(t, rewrite(), planted != nil && planted.noSync, 240)
	kinds := map[string]int{}
	for _, o := range log {
		if isLog(o.file) {
			o.kind = "log " + o.kind
		}
		kinds[o.kind]++
	}
	t.Logf("operations: %v", kinds)
	if bad, example := powerCuts(t, log, n); bad > 0 {
		t.Fatalf("%d of %d images are damaged: %v", bad, n, example)
	}
	t.Logf("%d images, nothing lost", n)
}

// TestPowerCutBites shows that the images tell a durable store from one that is not.
func TestPowerCutBites(t *testing.T) {
	normal := func(query string) string {
		switch query {
		case "PRAGMA synchronous = FULL":
			return "PRAGMA synchronous = NORMAL"
		case "PRAGMA synchronous":
			return "SELECT 2"
		}
		return query
	}
	const n = 100
	for _, c := range []struct {
		name    string
		rewrite func(string) string
		lie     bool
	}{
		{"synchronous=NORMAL", normal, false},
		{"a disk that syncs nothing", nil, true},
	} {
		bad, example := powerCuts(t, workload(t, c.rewrite, c.lie, 90), n)
		t.Logf("%s: %d of %d images are damaged: %v", c.name, bad, n, example)
		if bad < n/10 {
			t.Errorf("%s: %d of %d images are damaged: the images prove nothing", c.name, bad, n)
		}
	}
	// Unless it is asked to, the store does not open where it would lose commits.
	off := func(query string) string {
		if query == "PRAGMA synchronous = FULL" {
			return "PRAGMA synchronous = NORMAL"
		}
		return query
	}
	d := newDisk(t)
	_, err := sqlitestore.NewRewritten(t.Context(), d.open(t, filepath.Join(fastDir(t), "keyrack.db")), nil, off)
	if !errors.Is(err, sqlitestore.ErrNotDurable) {
		t.Errorf("with synchronous=NORMAL, New says: %v", err)
	}
}
