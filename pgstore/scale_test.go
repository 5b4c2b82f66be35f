package pgstore_test

import (
	"context"
	"crypto/sha256"
	"fmt"
	"iter"
	"runtime"
	"sync"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/keyrack-dev/keyrack"
	"github.com/keyrack-dev/keyrack/lifecycle"
	"github.com/keyrack-dev/keyrack/pgstore"
	"github.com/keyrack-dev/keyrack/pgstore/pgtest"
	"github.com/keyrack-dev/keyrack/seal"
	"github.com/keyrack-dev/keyrack/store/storetest/deployment"
)

// How many bytes an integration takes in the database, indexes included, with the
// three deliveries of its life so far, and once its journal is trimmed.
func TestSize(t *testing.T) {
	const each = 3
	n := cycles(500, 10000)
	c := pgtest.Shared(t)
	schema := c.Schema(t)
	s := open(t, c.Socket("pool_max_conns=16"), &pgstore.Options{Schema: schema, NoListen: true})
	rack := rackOn(t, s, seal.Ephemeral())
	var wg sync.WaitGroup
	const workers = 16
	for w := range workers {
		wg.Go(func() {
			for i := w; i < n; i += workers {
				for _, action := range []lifecycle.Action{lifecycle.IntegrationCreated, lifecycle.IntegrationDisabled, lifecycle.IntegrationEnabled} {
					if _, err := rack.Deliver(context.Background(), webhook(t, action, i)); err != nil {
						t.Errorf("Deliver: %v", err)
						return
					}
				}
			}
		})
	}
	wg.Wait()
	if _, last, err := s.Bounds(t.Context()); err != nil || int(last) != each*n {
		t.Fatalf("%d entries, want %d: %v", last, each*n, err)
	}
	admin := c.Connect(t)
	bytes := func(vacuum string) map[string]int64 {
		t.Helper()
		sizes := map[string]int64{}
		for _, table := range []string{"integration", "entry", "body", "token"} {
			name := pgx.Identifier{schema, table}.Sanitize()
			if _, err := admin.Exec(t.Context(), vacuum+" "+name); err != nil {
				t.Fatal(err)
			}
			var size int64
			if err := admin.QueryRow(t.Context(), "select pg_total_relation_size($1::text::regclass)", name).Scan(&size); err != nil {
				t.Fatal(err)
			}
			sizes[table] = size / int64(n)
			sizes["all"] += size / int64(n)
		}
		return sizes
	}
	grown, packed := bytes("vacuum"), bytes("vacuum full")
	for stored, err := range s.Scan(t.Context(), "") {
		if err != nil {
			t.Fatal(err)
		}
		if err := s.Trim(t.Context(), stored.Integration, stored.Version, stored.Record); err != nil {
			t.Fatal(err)
		}
	}
	trimmed := bytes("vacuum full")
	t.Logf("bytes in the database per integration, of %d: %d with three deliveries, as they grew (%v); %d packed (%v); %d packed and without a journal (%v)",
		n, grown["all"], grown, packed["all"], packed, trimmed["all"], trimmed)
	if grown["all"] > 16<<10 || trimmed["all"] > 5<<10 {
		t.Error("that is too much")
	}
}

// How long an instance takes to start, and how much memory it has then: one that
// answers alone, and the one that asks Mews for all of them.
func TestStart(t *testing.T) {
	n := cycles(2_000, 100_000)
	c := pgtest.Shared(t)
	schema := c.Schema(t)
	s := open(t, c.Socket(), &pgstore.Options{Schema: schema, NoListen: true})
	at := lifecycle.At(time.Now())
	i := 0
	_, err := c.Connect(t).CopyFrom(t.Context(), pgx.Identifier{schema, "integration"},
		[]string{"id", "version", "record", "touched"}, pgx.CopyFromFunc(func() ([]any, error) {
			if i == n {
				return nil, nil
			}
			record, _ := lifecycle.Record{}.Apply(lifecycle.Evidence{
				Kind: lifecycle.KindDelivery, At: at, Action: lifecycle.IntegrationCreated, Integration: hotel(i),
				Enterprise: deployment.Enterprise, Token: sha256.Sum256(fmt.Append(nil, i)), CreatedUtc: at, IsEnabled: lifecycle.Yes,
			})
			i++
			return []any{[]byte(record.ID), int64(record.Version), lifecycle.AppendRecord(nil, record), int64(0)}, nil
		}))
	if err != nil {
		t.Fatal(err)
	}
	heap := func() uint64 {
		var m runtime.MemStats
		runtime.GC()
		runtime.GC()
		runtime.ReadMemStats(&m)
		return m.HeapAlloc
	}
	start := func(options *keyrack.Options, leads func() bool) (took time.Duration, each uint64) {
		t.Helper()
		before, began := heap(), time.Now()
		rack, err := keyrack.Open(t.Context(), s, options)
		if err != nil {
			t.Fatal(err)
		}
		defer rack.Close()
		took = time.Since(began)
		for deadline := time.Now().Add(settling); !leads(); time.Sleep(time.Millisecond) {
			if time.Now().After(deadline) {
				t.Fatal("nobody takes the lead")
			}
		}
		each = (heap() - before) / uint64(n)
		if count(rack.Integrations()) != n {
			t.Errorf("%d integrations of %d", count(rack.Integrations()), n)
		}
		return took, each
	}
	sealer := seal.Ephemeral()
	took, each := start(&keyrack.Options{Sealer: sealer}, func() bool { return true })
	// The cursor of the one that asks moves when all are in its queue.
	_, asking := start(&keyrack.Options{Sealer: sealer, Prober: allIsWell{}, ProbeRate: 0.001}, func() bool {
		at, err := s.Cursor(t.Context(), "probe")
		return err == nil && at > 0
	})
	t.Logf("%d integrations: open in %v, %v each; %d B of memory each, %d B where Mews is asked", n, took, took/time.Duration(n), each, asking)
}

// count returns how many records there are.
func count(records iter.Seq[keyrack.Record]) (n int) {
	for range records {
		n++
	}
	return n
}
