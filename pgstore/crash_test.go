package pgstore_test

import (
	"context"
	"math/rand/v2"
	"os"
	"testing"
	"time"

	"github.com/keyrack-dev/keyrack/pgstore"
	"github.com/keyrack-dev/keyrack/pgstore/pgtest"
)

// cycles returns how often something is done: few times, or many in a long run.
func cycles(few, many int) int {
	if os.Getenv("KEYRACK_LONG") != "" {
		return many
	}
	return few
}

func randomly(from, to time.Duration) time.Duration { return from + rand.N(to-from) }

// A process that writes is killed at random instants, and another takes its place.
// What it was told is there, nothing is half there, and what it left behind in
// the database harms nobody.
func TestClientIsKilled(t *testing.T) {
	c := pgtest.Shared(t)
	schema := c.Schema(t)
	s := open(t, c.Socket(), &pgstore.Options{Schema: schema})
	f := follow(s)
	var l ledger
	for range cycles(8, 200) {
		cmd, wait, err := startChild(c.Socket("application_name=orphan"), schema, "child", l.note)
		if err != nil {
			t.Fatal(err)
		}
		time.Sleep(randomly(150*time.Millisecond, 400*time.Millisecond))
		if err := cmd.Process.Kill(); err != nil {
			t.Error(err)
		}
		wait()
	}
	// What the last one left behind happens or does not; then all is said.
	admin := c.Connect(t)
	for n := 1; n > 0; {
		if err := admin.QueryRow(t.Context(), `select count(*) from pg_stat_activity where application_name = 'orphan'`).Scan(&n); err != nil {
			t.Fatal(err)
		}
	}
	f.audit(t, l.audit(t, s, true))
}

// The server's processes are ended one by one under load.
func TestBackendsAreTerminated(t *testing.T) {
	c := pgtest.Shared(t)
	schema := c.Schema(t)
	s := open(t, c.Socket("application_name=victim"), &pgstore.Options{Schema: schema})
	admin := c.Connect(t)
	disturb(t, s, func() {
		for range cycles(40, 2000) {
			time.Sleep(randomly(time.Millisecond, 40*time.Millisecond))
			if _, err := admin.Exec(t.Context(), `select pg_terminate_backend(pid) from pg_stat_activity
where application_name = 'victim' order by random() limit 2`); err != nil {
				t.Error(err)
			}
		}
	})
}

// The whole server crashes under load, and recovers from its log.
func TestServerIsRestarted(t *testing.T) {
	c := pgtest.Start(t)
	s, err := pgstore.Open(t.Context(), c.Socket(), nil)
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	disturb(t, s, func() {
		for range cycles(3, 100) {
			time.Sleep(randomly(200*time.Millisecond, 700*time.Millisecond))
			if err := c.Restart(); err != nil {
				t.Fatal(err)
			}
		}
	})
}

// disturb runs a load on s while f makes trouble, and checks that all of it came
// out right: no acknowledged commit lost, none applied twice, no entry missed.
func disturb(t *testing.T, s *pgstore.Store, f func()) {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	var all ledger
	l := load{s: s, prefix: "load", alone: true, told: all.note}
	reader := follow(s)
	ended := make(chan error, 1)
	go func() { ended <- l.run(ctx, 6) }()
	f()
	before := l.commits.Load()
	for deadline := time.Now().Add(20 * time.Second); l.commits.Load() < before+50 && time.Now().Before(deadline); {
		time.Sleep(10 * time.Millisecond)
	}
	cancel()
	if err := <-ended; err != nil {
		t.Errorf("writing: %v", err)
	}
	if l.commits.Load() < before+50 {
		t.Errorf("nothing, or next to nothing, was committed after the disturbance")
	}
	t.Logf("%d commits, %d times it was not known at first", l.commits.Load(), l.unknown.Load())
	reader.audit(t, all.audit(t, s, false))
}
