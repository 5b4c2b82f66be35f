package sqlitestore_test

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/keyrack-dev/keyrack/internal/testkit"
	"github.com/keyrack-dev/keyrack/lifecycle"
	"github.com/keyrack-dev/keyrack/sqlitestore"
	"github.com/keyrack-dev/keyrack/store"
)

const (
	envVictim     = "KEYRACK_TEST_VICTIM"      // the path of its store
	envVictimName = "KEYRACK_TEST_VICTIM_NAME" // what its integrations begin with
)

func TestMain(m *testing.M) {
	if path := os.Getenv(envVictim); path != "" {
		victim(path)
		return
	}
	if planted != nil {
		os.Exit(runPlanted(m))
	}
	os.Exit(m.Run())
}

const victims = 8 // goroutines that commit, mostly about integrations of their own

// victim commits to the store at path, as fast as it can, until it is killed. It
// prints every commit that was answered, after the answer.
func victim(path string) {
	ctx := context.Background()
	s, err := openPlanted(ctx, path, &sqlitestore.Options{CheckpointPages: 64})
	if err != nil {
		fmt.Println("error", err)
		os.Exit(1)
	}
	fmt.Println("open")
	var mu sync.Mutex
	var wg sync.WaitGroup
	for i := range victims {
		wg.Go(func() {
			rng := rand.New(rand.NewPCG(uint64(time.Now().UnixNano()), uint64(i)))
			for {
				integration := fmt.Sprintf("%s%d-%d", os.Getenv(envVictimName), i, rng.IntN(4))
				if rng.IntN(8) == 0 {
					integration = "everybody's"
				}
				if err := torment(ctx, s, rng, integration, &mu); err != nil {
					mu.Lock()
					fmt.Println("error", err)
					mu.Unlock()
					os.Exit(1)
				}
			}
		})
	}
	wg.Wait()
}

// torment makes the next commit about an integration, prints it, and now and then
// trims, forgets or shreds.
func torment(ctx context.Context, s *sqlitestore.Store, rng *rand.Rand, integration string, mu *sync.Mutex) error {
	var version uint64
	stored, err := s.Load(ctx, integration)
	switch err {
	case nil:
		version = stored.Version
	case store.ErrNotFound:
	default:
		return err
	}
	c := testCommit(integration, version, rng.IntN(3000))
	c.Forget, c.EraseBodies = rng.IntN(20) == 0, rng.IntN(20) == 0
	r, err := s.Commit(ctx, c)
	if errors.Is(err, store.ErrConflict) {
		return nil // another was faster
	}
	if err != nil {
		return err
	}
	mu.Lock()
	fmt.Println("done", integration, r.Version, c.Entry.ID)
	mu.Unlock()
	if rng.IntN(20) == 0 {
		return s.Trim(ctx, integration, version, stored.Record)
	}
	return nil
}

// testCommit returns a commit whose parts all follow from its integration and its
// version, except for the size of the body.
func testCommit(integration string, expect uint64, size int) store.Commit {
	e := store.Entry{
		ID: store.NewEntryID(time.Now()), Integration: integration, At: lifecycle.At(time.Now()),
		Evidence: fmt.Appendf(nil, `{"of":%q,"version":%d}`, integration, expect+1),
		Decision: fmt.Appendf(nil, `{"of":%q,"version":%d}`, integration, expect+1),
	}
	return store.Commit{
		Entry: e, Expect: expect, Record: fmt.Appendf(nil, `{"of":%q,"version":%d}`, integration, expect+1),
		Body:  append([]byte("body"), make([]byte, size)...),
		Claim: []store.Claim{{Digest: testDigest(integration, expect+1), Sealed: e.Evidence}},
	}
}

func testDigest(integration string, version uint64) (d lifecycle.Digest) {
	copy(d[:], fmt.Sprintf("%s/%d", integration, version))
	return d
}

// wholeness checks that nothing is half there: record, newest entry, body and digest
// of every integration are those of one commit.
func wholeness(ctx context.Context, s *sqlitestore.Store) error {
	if err := s.Check(ctx); err != nil {
		if e, ok := err.(*sqlitestore.CheckError); ok {
			return fmt.Errorf("Check: %v: %q", err, e.Problems)
		}
		return fmt.Errorf("Check: %w", err)
	}
	for stored, err := range s.Scan(ctx, "") {
		if err != nil {
			return fmt.Errorf("Scan: %w", err)
		}
		want := fmt.Sprintf(`{"of":%q,"version":%d}`, stored.Integration, stored.Version)
		if string(stored.Record) != want {
			return fmt.Errorf("the record of version %d of %s is another's: %s", stored.Version, stored.Integration, stored.Record)
		}
		var newest store.Entry
		for e, err := range s.History(ctx, stored.Integration, store.EntryID{}) {
			if err != nil {
				return fmt.Errorf("History: %w", err)
			}
			newest = e
		}
		if newest.Version != stored.Version || string(newest.Evidence) != want {
			return fmt.Errorf("version %d of %s has the entry of version %d", stored.Version, stored.Integration, newest.Version)
		}
		if _, err := s.Sealed(ctx, store.Ref{Entry: newest.ID}); err != nil {
			return fmt.Errorf("version %d of %s has no body: %w", stored.Version, stored.Integration, err)
		}
		owner, err := s.Owner(ctx, testDigest(stored.Integration, stored.Version))
		if err != nil || owner != stored.Integration {
			return fmt.Errorf("version %d of %s does not own its digest: %w", stored.Version, stored.Integration, errors.Join(err, store.ErrNotFound))
		}
	}
	return nil
}

// acknowledged is, for each integration, the newest version whose commit was answered.
type acknowledged map[string]uint64

// kept checks that nothing that was acknowledged is missing.
func (a acknowledged) kept(ctx context.Context, s store.Store) error {
	for integration, version := range a {
		stored, err := s.Load(ctx, integration)
		if err != nil {
			return fmt.Errorf("lost: version %d of %s was acknowledged: %w", version, integration, err)
		}
		if stored.Version < version {
			return fmt.Errorf("lost: version %d of %s was acknowledged, %d is there", version, integration, stored.Version)
		}
	}
	return nil
}

// TestKill kills a process under load, again and again, and opens what it left: 100
// times, or for as long as KEYRACK_LONG says, as a duration; 1 stands for an hour.
func TestKill(t *testing.T) {
	cycles, until := 100, time.Now().Add(365*24*time.Hour)
	switch long := os.Getenv("KEYRACK_LONG"); {
	case testing.Short(), testkit.Race:
		cycles = 10
	case long != "":
		d, err := time.ParseDuration(long)
		if err != nil {
			d = time.Hour
		}
		cycles, until = 1<<30, time.Now().Add(d)
	}
	path := filepath.Join(t.TempDir(), "keyrack.db")
	known := acknowledged{}
	done, answers := 0, 0
	for ; done < cycles && time.Now().Before(until); done++ {
		if done%50 == 0 { // from time to time with a new file, so that making one is cut, too
			path = filepath.Join(t.TempDir(), "keyrack.db")
			known = acknowledged{}
		}
		n := killOnce(t, path, "", done%4 > 0, known, &sync.Mutex{})
		answers += n
		s, err := sqlitestore.Open(t.Context(), path, nil)
		if err != nil {
			t.Fatalf("cycle %d: Open: %v", done, err)
		}
		if err := known.kept(t.Context(), s); err != nil {
			t.Fatalf("cycle %d: %v", done, err)
		}
		if err := wholeness(t.Context(), s); err != nil {
			t.Fatalf("cycle %d: %v", done, err)
		}
		if err := s.Close(); err != nil {
			t.Fatalf("cycle %d: Close: %v", done, err)
		}
	}
	t.Logf("%d processes killed, %d commits acknowledged, none lost", done, answers)
	if answers == 0 {
		t.Error("no process lived long enough to commit anything: this proved nothing")
	}
}

// killOnce starts a victim, kills it after a moment, and returns how many commits
// it had acknowledged. The moment begins with its first commit, or, where nothing
// need have been committed, when it opens the store.
func killOnce(t *testing.T, path, name string, commits bool, known acknowledged, mu *sync.Mutex) (answers int) {
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), envVictim+"="+path, envVictimName+"="+name)
	cmd.Stderr = os.Stderr
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Error(err)
		return 0
	}
	if err := cmd.Start(); err != nil {
		t.Error(err)
		return 0
	}
	lines := bufio.NewScanner(out)
	if commits || rand.IntN(4) > 0 { // else it may be killed while it opens
		lines.Scan()
		if lines.Text() != "open" {
			t.Errorf("the process did not open the store: %s", lines.Text())
		}
	}
	moment := func() {
		time.AfterFunc(time.Duration(rand.IntN(50_000))*time.Microsecond, func() { _ = cmd.Process.Kill() })
	}
	if !commits {
		moment()
	}
	for lines.Scan() {
		what, rest, _ := strings.Cut(lines.Text(), " ")
		switch what {
		case "done":
			var integration, id string
			var version uint64
			if n, _ := fmt.Sscan(rest, &integration, &version, &id); n == 3 {
				mu.Lock()
				known[integration] = max(known[integration], version)
				mu.Unlock()
				if answers++; commits && answers == 1 {
					moment()
				}
			} // else the line was cut off
		case "error":
			t.Errorf("a commit failed: %s", rest)
		}
	}
	_ = cmd.Wait()
	return answers
}

// TestKillTwo has two processes write to one file at the same time, and kills both,
// not at the same instant: the one that is left goes on.
func TestKillTwo(t *testing.T) {
	cycles := 20
	if testing.Short() || testkit.Race {
		cycles = 3
	}
	path := filepath.Join(t.TempDir(), "keyrack.db")
	known := acknowledged{}
	var answers [2]int
	for cycle := range cycles {
		var mu sync.Mutex
		var wg sync.WaitGroup
		for i, name := range []string{"one:", "two:"} {
			wg.Go(func() { answers[i] += killOnce(t, path, name, (cycle+i)%2 == 0, known, &mu) })
		}
		wg.Wait()
		s, err := openPlanted(t.Context(), path, nil)
		if err != nil {
			t.Fatalf("cycle %d: Open: %v", cycle, err)
		}
		if err := errors.Join(known.kept(t.Context(), s), wholeness(t.Context(), s), s.Close()); err != nil {
			t.Fatalf("cycle %d: %v", cycle, err)
		}
	}
	t.Logf("two processes, killed %d times, acknowledged %d and %d commits, none lost", cycles, answers[0], answers[1])
	if cycles >= 20 && (answers[0] == 0 || answers[1] == 0) {
		t.Error("one of them never committed anything: this proved nothing")
	}
}
