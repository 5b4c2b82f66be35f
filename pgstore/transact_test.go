package pgstore_test

import (
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/keyrack-dev/keyrack"
	"github.com/keyrack-dev/keyrack/lifecycle"
	"github.com/keyrack-dev/keyrack/pgstore"
	"github.com/keyrack-dev/keyrack/pgstore/pgtest"
	"github.com/keyrack-dev/keyrack/seal"
	"github.com/keyrack-dev/keyrack/store"
	"github.com/keyrack-dev/keyrack/store/storetest/deployment"
)

// effects makes a table of the application's in a schema of the store, and returns its name.
func effects(t *testing.T, c *pgtest.Cluster, schema string) string {
	t.Helper()
	table := pgx.Identifier{schema, "effect"}.Sanitize()
	_, err := c.Connect(t).Exec(t.Context(), "create table "+table+` (n bigserial, integration text, version bigint,
		poison int, unique (poison) deferrable initially deferred)`)
	if err != nil {
		t.Fatal(err)
	}
	return table
}

// TestTransact: what the application writes, the cursor and the value change together, or
// nothing does and the error says why.
func TestTransact(t *testing.T) {
	c := pgtest.Shared(t)
	schema := c.Schema(t)
	s := open(t, c.Socket("pool_max_conns=2"), &pgstore.Options{Schema: schema})
	table := effects(t, c, schema)
	l, err := s.Acquire(t.Context(), "work", "one", time.Minute)
	if err != nil {
		t.Fatal(err)
	}
	insert := func(ctx context.Context, tx pgx.Tx) error {
		_, err := tx.Exec(ctx, "insert into "+table+" (integration) values ('a')")
		return err
	}
	state := func() string {
		t.Helper()
		var rows int
		if err := c.Connect(t).QueryRow(t.Context(), "select count(*) from "+table).Scan(&rows); err != nil {
			t.Fatal(err)
		}
		at, err := s.Cursor(t.Context(), "work")
		value, unsaid := s.Sealed(t.Context(), store.Ref{Name: "value"})
		if err != nil || unsaid != nil && !errors.Is(unsaid, store.ErrNotFound) {
			t.Fatal(err, unsaid)
		}
		return fmt.Sprintf("%d rows, at %d, %q", rows, at, value)
	}
	progress := func(from, to store.Position, old, new string) store.Progress {
		p := store.Progress{Lease: l, From: from, To: to, Ref: store.Ref{Name: "value"}}
		if old != "" {
			p.Old = []byte(old)
		}
		if new != "" {
			p.New = []byte(new)
		}
		return p
	}
	mine := errors.New("made-up: the handler's")
	ended, cancel := context.WithCancel(t.Context())
	cancel()
	another := func(p store.Progress) store.Progress { p.Lease.Fence++; return p }
	for _, one := range []struct {
		name string
		p    store.Progress
		do   func(context.Context, pgx.Tx) error
		err  error
		want string
	}{
		{"the cursor alone", progress(0, 3, "", ""), insert, nil, `1 rows, at 3, ""`},
		{"a value is added", progress(3, 3, "", "x"), insert, nil, `2 rows, at 3, "x"`},
		{"and changed", progress(3, 4, "x", "y"), insert, nil, `3 rows, at 4, "y"`},
		{"and stays", progress(4, 5, "y", "y"), insert, nil, `4 rows, at 5, "y"`},
		{"the handler fails", progress(5, 6, "y", ""), func(ctx context.Context, tx pgx.Tx) error {
			return errors.Join(mine, insert(ctx, tx))
		}, mine, `4 rows, at 5, "y"`},
		{"the handler looks away from an error", progress(5, 6, "y", ""), func(ctx context.Context, tx pgx.Tx) error {
			if _, err := tx.Exec(ctx, "select 1/0"); err == nil {
				return errors.New("nothing failed")
			}
			return nil
		}, store.ErrRolledBack, `4 rows, at 5, "y"`},
		{"a deferred constraint", progress(5, 6, "y", ""), func(ctx context.Context, tx pgx.Tx) error {
			_, err := tx.Exec(ctx, "insert into "+table+" (poison) values (1), (1)")
			return err
		}, store.ErrRolledBack, `4 rows, at 5, "y"`},
		{"the handler cannot end it", progress(5, 6, "y", "z"), func(ctx context.Context, tx pgx.Tx) error {
			if tx.Commit(ctx) == nil || tx.Rollback(ctx) == nil {
				return errors.New("it was ended")
			}
			return insert(ctx, tx)
		}, nil, `5 rows, at 6, "z"`},
		{"a nested one", progress(6, 7, "z", ""), func(ctx context.Context, tx pgx.Tx) error {
			inner, err := tx.Begin(ctx)
			return errors.Join(err, insert(ctx, inner), inner.Rollback(ctx), insert(ctx, tx))
		}, nil, `6 rows, at 7, ""`},
		{"another's lease", another(progress(7, 8, "", "")), insert, store.ErrFenced, `6 rows, at 7, ""`},
		{"another cursor", progress(6, 8, "", ""), insert, store.ErrFenced, `6 rows, at 7, ""`},
		{"a value that is not there", progress(7, 8, "z", "y"), insert, store.ErrFenced, `6 rows, at 7, ""`},
		{"one that is not there to be removed", progress(7, 8, "z", ""), insert, store.ErrFenced, `6 rows, at 7, ""`},
		{"its context ends", progress(7, 8, "", ""), func(ctx context.Context, tx pgx.Tx) error {
			_ = insert(ctx, tx)
			return ended.Err()
		}, context.Canceled, `6 rows, at 7, ""`},
		{"and goes on", progress(7, 8, "", "x"), insert, nil, `7 rows, at 8, "x"`},
		{"a value that is there already", progress(8, 9, "", "y"), insert, store.ErrFenced, `7 rows, at 8, "x"`},
	} {
		if err := s.Transact(t.Context(), one.p, one.do); !errors.Is(err, one.err) {
			t.Errorf("%s: %v, want %v", one.name, err, one.err)
		}
		if got := state(); got != one.want {
			t.Fatalf("%s: %s, want %s", one.name, got, one.want)
		}
	}
	if err := s.Transact(ended, progress(8, 9, "x", ""), insert); !errors.Is(err, context.Canceled) {
		t.Errorf("with a context that has ended: %v", err)
	}
	_ = s.Close()
	if err := s.Transact(t.Context(), progress(8, 9, "x", ""), insert); !errors.Is(err, pgstore.ErrClosed) {
		t.Errorf("of a closed store: %v", err)
	}
}

// bookkeep subscribes a handler that writes what it hears into the table of effects, and
// fails now and then.
func bookkeep(rack *keyrack.Rack, s *pgstore.Store, schema string) error {
	table := pgx.Identifier{schema, "effect"}.Sanitize()
	options := keyrack.SubscribeOptions{Name: "books", Kinds: []keyrack.ChangeKind{keyrack.ChangeAny}, FromStart: true, Attempts: 1 << 30}
	return keyrack.SubscribeTx(rack, options, s, func(ctx context.Context, tx pgx.Tx, c keyrack.Change) error {
		_, err := tx.Exec(ctx, "insert into "+table+" (integration, version) values ($1, $2)", c.Integration, int64(c.Version))
		if err == nil && rand.IntN(16) == 0 {
			return errCut
		}
		return err
	})
}

// keeperVariable makes this test binary an instance that keeps books.
const keeperVariable = "KEYRACK_PGSTORE_KEEPER"

func keeper() int {
	setting := strings.Split(os.Getenv(keeperVariable), "\n") // URL, schema, key
	key, err := base64.StdEncoding.DecodeString(setting[2])
	if err != nil {
		return 1
	}
	ring, err := seal.NewRing(key)
	if err != nil {
		return 1
	}
	s, err := pgstore.Open(context.Background(), setting[0], &pgstore.Options{Schema: setting[1]})
	if err != nil {
		return 1
	}
	rack, err := keyrack.Open(context.Background(), s, impatient(ring))
	if err != nil || bookkeep(rack, s, setting[1]) != nil {
		return 1
	}
	select {}
}

// impatient are the options of an instance whose death is noticed as soon as can be.
func impatient(sealer seal.Sealer) *keyrack.Options {
	return &keyrack.Options{Sealer: sealer, Horizon: 100 * time.Millisecond, Takeover: 100 * time.Millisecond, Poll: 100 * time.Millisecond}
}

// TestExactlyOnceThoughItIsKilled: instances die at any moment, most by having their
// connections cut and some by a SIGKILL. What their handler writes in its transactions is
// there once for each change, in the order of each integration.
func TestExactlyOnceThoughItIsKilled(t *testing.T) {
	c := pgtest.Shared(t)
	const lanes = 10
	kills := cycles(100, 10_000)
	var left, cuts, processes, changes atomic.Int64
	left.Store(int64(kills))
	var running sync.WaitGroup
	for range lanes {
		running.Go(func() {
			if err := bookkeepers(t, c, &left, &cuts, &processes, &changes); err != nil {
				t.Error(err)
			}
		})
	}
	running.Wait()
	if n := cuts.Load() + processes.Load(); n != int64(kills) || cuts.Load() == 0 || processes.Load() == 0 {
		t.Errorf("%d connections were cut and %d processes killed of %d", cuts.Load(), processes.Load(), kills)
	}
	t.Logf("%d instances cut off and %d processes killed, %d changes", cuts.Load(), processes.Load(), changes.Load())
}

func bookkeepers(t *testing.T, c *pgtest.Cluster, left, cuts, processes, changes *atomic.Int64) error {
	ctx := context.Background()
	schema, key := c.Schema(t), seal.NewKey()
	ring, err := seal.NewRing(key)
	if err != nil {
		return err
	}
	s, err := pgstore.Open(ctx, c.Socket("pool_max_conns=2"), &pgstore.Options{Schema: schema, NoListen: true})
	if err != nil {
		return err
	}
	defer s.Close()
	table := effects(t, c, schema)
	rack, err := keyrack.Open(ctx, s, impatient(ring))
	if err != nil {
		return err
	}
	defer rack.Close()
	stop := make(chan struct{})
	var writing sync.WaitGroup
	defer writing.Wait()
	end := sync.OnceFunc(func() { close(stop) })
	defer end()
	writing.Go(func() {
		for n := 0; ; n++ {
			select {
			case <-stop:
				return
			case <-time.After(time.Duration(rand.IntN(10)) * time.Millisecond):
			}
			if _, err := rack.Label(ctx, fmt.Sprint("hotel-", n%4), map[string]string{"n": fmt.Sprint(n)}, nil, "test"); errors.Is(err, keyrack.ErrNotFound) {
				_, err = rack.Import(ctx, keyrack.Import{Integration: lifecycle.Named{ID: fmt.Sprint("hotel-", n%4)}, Token: keyrack.NewToken(fmt.Sprint("token-", n))})
				if err != nil {
					t.Error(err)
					return
				}
			}
		}
	})
	var abandoned []func() error
	defer func() {
		for _, end := range abandoned {
			_ = end()
		}
	}()
	for left.Add(-1) >= 0 {
		if rand.IntN(8) == 0 {
			processes.Add(1)
			cmd := exec.Command(os.Args[0])
			cmd.Env = append(os.Environ(), keeperVariable+"="+strings.Join([]string{c.Socket("pool_max_conns=3"), schema, base64.StdEncoding.EncodeToString(key)}, "\n"))
			if err := cmd.Start(); err != nil {
				return err
			}
			time.Sleep(randomly(200*time.Millisecond, 500*time.Millisecond))
			err := cmd.Process.Kill()
			_ = cmd.Wait()
			if err != nil {
				return err
			}
			continue
		}
		cuts.Add(1)
		instance, end, err := startKeeper(ctx, c, schema, ring)
		abandoned = append(abandoned, end)
		if err != nil {
			return err
		}
		time.Sleep(randomly(80*time.Millisecond, 300*time.Millisecond))
		if err := instance.Cut(); err != nil {
			return err
		}
		if len(abandoned) > 4 { // what was cut off has nobody to talk to
			_ = abandoned[0]()
			abandoned = abandoned[1:]
		}
	}
	end()
	writing.Wait()
	if err := bookkeep(rack, s, schema); err != nil {
		return err
	}
	return balance(ctx, t, c, s, table, changes)
}

// startKeeper starts an instance in this process that keeps books.
func startKeeper(ctx context.Context, c *pgtest.Cluster, schema string, ring seal.Sealer) (deployment.InProcess, func() error, error) {
	var s *pgstore.Store
	instance, end, err := startInstance(ctx, c, schema, impatient(ring), func(one *pgstore.Store) { s = one })
	if err == nil {
		err = bookkeep(instance.Rack, s, schema)
	}
	return instance, end, err
}

// balance waits until everything is written, and compares it with the journal.
func balance(ctx context.Context, t *testing.T, c *pgtest.Cluster, s *pgstore.Store, table string, changes *atomic.Int64) error {
	want := map[string][]int64{}
	for e, err := range s.Journal(ctx, 0) {
		if err != nil {
			return err
		}
		want[e.Integration] = append(want[e.Integration], int64(e.Version))
		changes.Add(1)
	}
	_, last, err := s.Bounds(ctx)
	for deadline := time.Now().Add(2 * time.Minute); err == nil && time.Now().Before(deadline); time.Sleep(20 * time.Millisecond) {
		var at store.Position
		if at, err = s.Cursor(ctx, "subscription books"); at >= last {
			break
		}
	}
	if err != nil {
		return err
	}
	got := map[string][]int64{}
	rows, err := c.Connect(t).Query(ctx, "select integration, version from "+table+" order by n")
	if err != nil {
		return err
	}
	var integration string
	var version int64
	_, err = pgx.ForEachRow(rows, []any{&integration, &version}, func() error {
		got[integration] = append(got[integration], version)
		return nil
	})
	if err != nil {
		return err
	}
	for integration, versions := range want {
		if !slices.Equal(got[integration], versions) {
			t.Errorf("%s: written are %v, want %v", integration, got[integration], versions)
		}
	}
	return nil
}
