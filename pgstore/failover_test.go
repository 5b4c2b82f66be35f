package pgstore_test

import (
	"context"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"os"
	"os/exec"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/keyrack-dev/keyrack"
	"github.com/keyrack-dev/keyrack/atrest"
	"github.com/keyrack-dev/keyrack/internal/stamp"
	"github.com/keyrack-dev/keyrack/internal/testkit"
	"github.com/keyrack-dev/keyrack/lifecycle"
	"github.com/keyrack-dev/keyrack/pgstore"
	"github.com/keyrack-dev/keyrack/pgstore/pgtest"
	"github.com/keyrack-dev/keyrack/seal"
	"github.com/keyrack-dev/keyrack/store"
)

// horizonOfLoad is the horizon of the load: a hotel's next event comes later than that.
const horizonOfLoad = 2 * time.Millisecond

// traffic is Mews: each hotel's events come one after the other, and each is sent again until it
// is acknowledged. What is true of a hotel is what was sent of it.
type traffic struct {
	*testing.T
	racks []*keyrack.Rack

	mu    sync.Mutex
	truth map[int]*hotelTruth
	lasts map[store.EntryID]time.Time // acknowledged, and when
	stop  chan struct{}
	ended sync.WaitGroup
	gone  []int // hotels that were deleted
}

type hotelTruth struct{ live, deleted bool }

func startLoad(t *testing.T, hotels int, racks ...*keyrack.Rack) *traffic {
	l := &traffic{T: t, racks: racks, truth: map[int]*hotelTruth{}, lasts: map[store.EntryID]time.Time{}, stop: make(chan struct{})}
	for n := range hotels {
		l.truth[n] = &hotelTruth{}
	}
	for n := range hotels {
		l.ended.Go(func() { l.hotel(n) })
	}
	return l
}

func (l *traffic) hotel(n int) {
	next := lifecycle.IntegrationCreated
	for i := 0; ; i++ {
		if !l.send(n, next) {
			return
		}
		l.mu.Lock()
		h := l.truth[n]
		h.live = next == lifecycle.IntegrationCreated || next == lifecycle.IntegrationEnabled
		if h.deleted = next == lifecycle.IntegrationDeleted; h.deleted {
			l.gone = append(l.gone, n)
		}
		l.mu.Unlock()
		if h.deleted {
			return
		}
		next = lifecycle.IntegrationDisabled
		if !h.live {
			next = lifecycle.IntegrationEnabled
		}
		if n%3 == 0 && i > 5 && rand.IntN(30) == 0 {
			next = lifecycle.IntegrationDeleted
		}
		select {
		case <-l.stop:
			return
		case <-time.After(5*horizonOfLoad + time.Duration(rand.IntN(20))*time.Millisecond):
		}
	}
}

// send sends an event until it is acknowledged, although the load is to end.
func (l *traffic) send(n int, action lifecycle.Action) bool {
	body := webhook(l, action, n)
	for end := time.Now().Add(time.Minute); time.Now().Before(end); {
		receipt, err := l.racks[rand.IntN(len(l.racks))].Deliver(context.Background(), body)
		if err == nil {
			l.mu.Lock()
			l.lasts[receipt.ID] = time.Now()
			l.mu.Unlock()
			return true
		}
		time.Sleep(10 * time.Millisecond)
	}
	l.Errorf("hotel %d: a delivery was refused for a minute", n)
	return false
}

func (l *traffic) end() {
	close(l.stop)
	l.ended.Wait()
}

// acknowledged returns the ids that were acknowledged within a time.
func (l *traffic) acknowledged(from, to time.Time) (ids []store.EntryID) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for id, at := range l.lasts {
		if !at.Before(from) && at.Before(to) {
			ids = append(ids, id)
		}
	}
	return ids
}

// judge checks that every instance is equal to the store within five seconds, that none says
// Valid of what is not, that no deleted hotel lives, that what has to be there is there, and
// that the store is sound.
func (l *traffic) judge(s *pgstore.Store, sealer seal.Sealer, kept []store.EntryID) {
	l.Helper()
	began, differ := time.Now(), ""
	defer func() {
		if l.Failed() {
			l.Log(differ)
		}
	}()
	testkit.Eventually(l, "every instance is equal to the store", func() bool {
		differ = ""
		for stored, err := range s.Scan(l.Context(), "") {
			if err != nil {
				differ = err.Error()
				return false
			}
			for i, rack := range l.racks {
				record, _ := rack.Record(stored.Integration)
				if got := string(lifecycle.AppendRecord(nil, record)); got != string(stamp.Strip(stored.Record)) {
					differ = fmt.Sprintf("instance %d, at %+v, has\n%s, the store\n%s", i, rack.SyncStatus(), got, stored.Record)
					return false
				}
			}
		}
		return true
	})
	l.Logf("equal to the store after %v", time.Since(began).Round(time.Millisecond))
	latecomer := rackOn(l, s, sealer)
	defer latecomer.Close() // or it would take the next round's store for one that went back
	for i, rack := range append(slices.Clone(l.racks), latecomer) {
		for n, h := range l.truth {
			v := rack.CheckIntegration(hotel(n).ID)
			if v.Active() && !h.live {
				l.Errorf("instance %d says that hotel %d is valid, which is wrong: %+v", i, n, v)
			}
		}
	}
	there := map[store.EntryID]bool{}
	for stored := range s.Scan(l.Context(), "") {
		for e, err := range s.History(l.Context(), stored.Integration, store.EntryID{}) {
			if err != nil {
				l.Fatal(err)
			}
			there[e.ID] = true
		}
	}
	for _, id := range kept {
		if !there[id] {
			l.Errorf("%v was acknowledged, and is gone", id)
		}
	}
	for finding, err := range atrest.Examine(l.Context(), s, sealer) {
		l.Errorf("%+v, %v", finding, err)
	}
}

// loadedRack opens an instance with a store of its own.
func loadedRack(t *testing.T, url, schema string, sealer seal.Sealer) *keyrack.Rack {
	t.Helper()
	s := open(t, url, &pgstore.Options{Schema: schema, Poll: 50 * time.Millisecond})
	var logged testkit.Buffer
	t.Cleanup(func() {
		if t.Failed() {
			t.Logf("%s", logged.String())
		}
	})
	rack, err := keyrack.Open(t.Context(), s, &keyrack.Options{
		Sealer: sealer, Poll: 100 * time.Millisecond, Horizon: horizonOfLoad, StoreTimeout: time.Second,
		Logger: slog.New(slog.NewTextHandler(&logged, nil)),
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = rack.Close() })
	return rack
}

func rounds() int {
	switch {
	case os.Getenv("KEYRACK_LONG") != "":
		return 200
	case testkit.Race || testing.Short():
		return 1
	}
	return 3
}

// TestFailover: the primary dies under load, and a standby that had fallen behind, or one
// without which no commit was acknowledged, takes its place.
func TestFailover(t *testing.T) {
	for name, synchronous := range map[string]bool{"asynchronous": false, "synchronous": true} {
		t.Run(name, func(t *testing.T) {
			primary := pgtest.Start(t)
			sealer := seal.Ephemeral()
			open(t, primary.Socket(), nil) // makes the schema
			for round := range rounds() {
				standby := primary.Standby(t, "standby")
				failOver(t, primary, standby, sealer, synchronous, round)
				primary = standby
			}
		})
	}
}

func execute(t *testing.T, c *pgtest.Cluster, statements ...string) {
	t.Helper()
	ctx := context.Background() // also after the test
	conn, err := pgx.Connect(ctx, c.Socket("options='-c synchronous_commit=local'"))
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close(ctx)
	for _, statement := range statements {
		if _, err := conn.Exec(ctx, statement, pgx.QueryExecModeSimpleProtocol); err != nil {
			t.Fatal(err)
		}
	}
}

func failOver(t *testing.T, primary, standby *pgtest.Cluster, sealer seal.Sealer, synchronous bool, round int) {
	execute(t, primary, "truncate keyrack.integration, keyrack.entry, keyrack.token, keyrack.body; update keyrack.bounds set last = 0, trimmed = 0, seen = null")
	if synchronous {
		admin := primary.Connect(t)
		execute(t, primary, "alter system set synchronous_standby_names = 'standby'", "select pg_reload_conf()")
		testkit.Eventually(t, "the standby is synchronous", func() bool {
			var state string
			row := admin.QueryRow(t.Context(), "select coalesce(max(sync_state), '') from pg_stat_replication")
			return row.Scan(&state) == nil && state == "sync"
		})
	}
	url := primary.Either(standby)
	racks := []*keyrack.Rack{loadedRack(t, url, "", sealer), loadedRack(t, url, "", sealer)}
	l := startLoad(t, 24, racks...)
	time.Sleep(300 * time.Millisecond)
	// The standby hears nothing more. What is acknowledged from here on is lost, or it waits.
	cut := time.Now()
	execute(t, standby, "alter system set primary_conninfo = ''", "select pg_reload_conf()")
	time.Sleep(250 * time.Millisecond)
	if synchronous {
		// The waits are cut off: the commits are visible, and repeated.
		execute(t, primary, "select pg_terminate_backend(pid) from pg_stat_activity where wait_event = 'SyncRep'")
		time.Sleep(200 * time.Millisecond)
	}
	died := time.Now()
	if err := primary.Kill(); err != nil {
		t.Fatal(err)
	}
	if err := standby.Promote(); err != nil {
		t.Fatal(err)
	}
	promoted := time.Now()
	time.Sleep(500 * time.Millisecond)
	l.end()
	kept := l.acknowledged(promoted, time.Now())
	if len(kept) == 0 {
		t.Errorf("round %d: nothing was acknowledged by the new primary", round)
	}
	if synchronous {
		kept = l.acknowledged(time.Time{}, time.Now())
	} else if len(l.acknowledged(cut.Add(100*time.Millisecond), died)) == 0 {
		t.Errorf("round %d: nothing could be lost", round)
	}
	l.judge(open(t, standby.Socket(), nil), sealer, kept)
	for _, rack := range racks {
		_ = rack.Close()
	}
	t.Logf("round %d: %d acknowledged, %d had to be kept, %d deleted", round, len(l.lasts), len(kept), len(l.gone))
}

// TestRestoredDump: a dump is put back under two running instances.
func TestRestoredDump(t *testing.T) {
	c := pgtest.Shared(t)
	schema := fmt.Sprintf("dumped_%d", os.Getpid())
	t.Cleanup(func() { execute(t, c, "drop schema if exists "+schema+" cascade") })
	sealer := seal.Ephemeral()
	racks := []*keyrack.Rack{loadedRack(t, c.Socket(), schema, sealer), loadedRack(t, c.Socket(), schema, sealer)}
	program := func(name string, args ...string) *exec.Cmd {
		path, err := exec.LookPath(name)
		if err != nil {
			t.Fatal(err)
		}
		cmd := exec.Command(path, append([]string{"-h", c.Folder(), "-p", fmt.Sprint(c.Port()), "-U", "keyrack", "-d", "postgres"}, args...)...)
		cmd.Stderr = os.Stderr
		return cmd
	}
	l := startLoad(t, 24, racks...)
	time.Sleep(300 * time.Millisecond)
	dump, err := program("pg_dump", "-n", schema).Output()
	if err != nil {
		t.Fatal(err)
	}
	time.Sleep(300 * time.Millisecond)
	script := "set client_min_messages = warning; begin; drop schema " + schema + " cascade;\n" + string(dump) + "\ncommit;"
	testkit.Eventually(t, "the dump is put back, unless it met a commit in a deadlock", func() bool {
		restore := program("psql", "-q", "-v", "ON_ERROR_STOP=1", "-o", os.DevNull)
		restore.Stdin, restore.Stderr = strings.NewReader(script), nil
		return restore.Run() == nil
	})
	restored := time.Now()
	time.Sleep(500 * time.Millisecond)
	l.end()
	kept := l.acknowledged(restored, time.Now())
	if len(kept) == 0 {
		t.Error("nothing was acknowledged afterwards")
	}
	l.judge(open(t, c.Socket(), &pgstore.Options{Schema: schema}), sealer, kept)
}
