package keyrack_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"runtime"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/keyrack-dev/keyrack"
	"github.com/keyrack-dev/keyrack/atrest"
	"github.com/keyrack-dev/keyrack/connector"
	"github.com/keyrack-dev/keyrack/events"
	"github.com/keyrack-dev/keyrack/lifecycle"
	"github.com/keyrack-dev/keyrack/memstore"
	"github.com/keyrack-dev/keyrack/seal"
	"github.com/keyrack-dev/keyrack/store"
)

const (
	maxAge   = 24 * time.Hour   // what Policy.Lease is with a prober, if not set
	probeGap = 10 * time.Second // the least time between two questions about one integration
)

// oracle is the Connector API as a table: which tokens work, and for whom.
type oracle struct {
	mu      sync.Mutex
	works   map[string]string // token: its enterprise; absent: 401
	silent  bool              // nothing answers
	deny    bool              // 401 for everyone
	delay   time.Duration
	asked   []time.Time
	askedBy map[string]int // questions by token
}

func newOracle(tokens ...string) *oracle {
	// The answer takes its time, so that a test can look before it is there.
	o := &oracle{works: map[string]string{}, askedBy: map[string]int{}, delay: 100 * time.Millisecond}
	for _, token := range tokens {
		o.works[tokenText(token)] = enterpriseID("H")
	}
	return o
}

func (o *oracle) set(change func(*oracle)) {
	o.mu.Lock()
	defer o.mu.Unlock()
	change(o)
}

func (o *oracle) questions(token string) int {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.askedBy[tokenText(token)]
}

func (o *oracle) Probe(ctx context.Context, token lifecycle.Token, _ string) (connector.Answer, error) {
	o.mu.Lock()
	o.asked = append(o.asked, time.Now())
	o.askedBy[token.Reveal()]++
	enterprise, works := o.works[token.Reveal()]
	silent, deny, delay := o.silent, o.deny, o.delay
	o.mu.Unlock()
	select {
	case <-time.After(delay):
	case <-ctx.Done():
		return connector.Answer{}, ctx.Err()
	}
	switch {
	case silent:
		return connector.Answer{}, errors.New("made-up silence")
	case deny || !works:
		return connector.Answer{Kind: connector.Unauthorized, Status: 401}, nil
	}
	return connector.Answer{Kind: connector.Accepted, Status: 200, Enterprise: lifecycle.Named{ID: enterprise}}, nil
}

// bench is a Rack with an oracle on a store.
type bench struct {
	*testing.T
	*keyrack.Rack
	oracle *oracle
	store  *memstore.Store
	alarms func() []keyrack.Alarm
}

func opened(t *testing.T, o *oracle, s *memstore.Store, sealer seal.Sealer) bench {
	t.Helper()
	var mu sync.Mutex
	var alarms []keyrack.Alarm
	rack, err := keyrack.Open(context.Background(), s, &keyrack.Options{
		Prober: o, Sealer: sealer,
		Telemetry: &keyrack.Telemetry{Alarmed: func(_ context.Context, a keyrack.Alarm) {
			mu.Lock()
			defer mu.Unlock()
			alarms = append(alarms, a)
		}},
	})
	if err != nil {
		t.Fatal(err)
	}
	return bench{t, rack, o, s, func() []keyrack.Alarm {
		mu.Lock()
		defer mu.Unlock()
		return slices.Clone(alarms)
	}}
}

// probing runs a test on virtual time with a fresh bench.
func probing(t *testing.T, o *oracle, test func(b bench)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		b := opened(t, o, memstore.New(nil), seal.Ephemeral())
		defer b.Close()
		test(b)
	})
}

// witness adds a hotel whose token works, so that a 401 of another one can be attributed.
func (b bench) witness() {
	b.Helper()
	b.oracle.set(func(o *oracle) { o.works[tokenText("witness")] = enterpriseID("H") })
	b.deliver(creation("witness", "witness", lifecycle.Yes))
}

func (b bench) deliver(body []byte) keyrack.Receipt {
	b.Helper()
	receipt, err := b.Deliver(context.Background(), body)
	if err != nil {
		b.Fatalf("Deliver: %v", err)
	}
	return receipt
}

func (b bench) is(token string, status lifecycle.Status, reason lifecycle.Reason) {
	b.Helper()
	if v := b.Check(tokenText(token)); v.Status != status || v.Reason != reason {
		b.Errorf("token %s is %v (%v), want %v (%v)", token, v.Status, v.Reason, status, reason)
	}
}

func (b bench) alarmed(cause string) {
	b.Helper()
	if !slices.ContainsFunc(b.alarms(), func(a keyrack.Alarm) bool { return a.Cause.String() == cause }) {
		b.Errorf("no alarm of %q among %v", cause, b.alarms())
	}
}

// settle lets everything happen that is due within a while.
func settle(d time.Duration) {
	time.Sleep(d)
	synctest.Wait()
}

func TestEveryDeliveryIsFollowedByAProbe(t *testing.T) {
	probing(t, newOracle("k"), func(b bench) {
		b.deliver(creation("a", "k", lifecycle.No)) // Mews enabled it meanwhile, and that webhook was lost
		b.is("k", lifecycle.Invalid, lifecycle.ReasonDisabled)
		settle(time.Second)
		b.is("k", lifecycle.Valid, lifecycle.ReasonLive)
		for range 3 {
			before := b.oracle.questions("k")
			settle(time.Minute)
			b.deliver(webhook(lifecycle.IntegrationEnabled, "a", nil)) // duplicates ask, too
			settle(time.Second)
			if n := b.oracle.questions("k") - before; n != 1 {
				t.Errorf("%d questions after a duplicate, want 1", n)
			}
		}
	})
}

// A storm of duplicates costs one probe in ten seconds, and no memory.
func TestAStormCostsLittle(t *testing.T) {
	deliveries := 50_000
	if long() {
		deliveries = 1_000_000
	}
	probing(t, newOracle("k"), func(b bench) {
		b.store = memstore.New(&memstore.Options{JournalLimit: 64})
		b = opened(t, b.oracle, b.store, nil)
		defer b.Close()
		b.deliver(creation("a", "k", lifecycle.Yes))
		body := webhook(lifecycle.IntegrationEnabled, "a", nil)
		for range 1000 {
			b.deliver(body)
		}
		settle(time.Minute)
		b.oracle.set(func(o *oracle) { o.asked = nil })
		heap := liveHeap()
		start := time.Now()
		for i := range deliveries {
			b.deliver(body)
			if i%100 == 0 {
				time.Sleep(100 * time.Millisecond)
			}
		}
		settle(time.Minute)
		grown := int64(liveHeap()) - int64(heap)
		b.oracle.mu.Lock()
		asked := slices.Clone(b.oracle.asked)
		b.oracle.mu.Unlock()
		if most := int(time.Since(start)/probeGap) + 1; len(asked) > most {
			t.Errorf("%d probes in %v, want at most %d", len(asked), time.Since(start), most)
		}
		for i := range asked[1:] {
			if gap := asked[i+1].Sub(asked[i]); gap < probeGap {
				t.Errorf("two probes %v apart", gap)
			}
		}
		if grown > 1<<20 {
			t.Errorf("the heap grew by %d bytes", grown)
		}
		b.is("k", lifecycle.Valid, lifecycle.ReasonLive)
	})
}

func liveHeap() uint64 {
	runtime.GC()
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return m.HeapAlloc
}

// An answer to a question that a delivery has overtaken is void, and the newest
// generation gets a question of its own.
func TestAnOvertakenAnswerIsVoid(t *testing.T) {
	probing(t, newOracle("k"), func(b bench) {
		b.deliver(creation("a", "k", lifecycle.Yes))
		settle(time.Minute)
		b.oracle.set(func(o *oracle) { o.delay = 5 * time.Second })
		b.deliver(creation("a", "k", lifecycle.Yes)) // the question that follows is on its way
		settle(2 * time.Second)                      // it will be answered 200
		b.oracle.set(func(o *oracle) { delete(o.works, tokenText("k")) })
		b.deliver(webhook(lifecycle.IntegrationDisabled, "a", nil))
		settle(4 * time.Second)
		if v := b.Check(tokenText("k")); v.Active() {
			t.Errorf("an overtaken 200 made it %v (%v)", v.Status, v.Reason)
		}
		fenced := 0
		for e, err := range b.History(context.Background(), integrationID("a")) {
			if err != nil {
				t.Fatal(err)
			}
			if e.Decision.Outcome == lifecycle.Fenced {
				fenced++
			}
		}
		if fenced != 1 {
			t.Errorf("%d fenced answers in the journal, want 1", fenced)
		}
		settle(time.Minute)
		record, _ := b.Record(integrationID("a"))
		if key, _ := record.CurrentKey(); key.Answer != lifecycle.Expected || key.Generation != record.Generation {
			t.Errorf("the newest generation %d has no answer of its own: %+v", record.Generation, key)
		}
	})
}

// The lease finds out what a lost webhook would have said.
func TestTheLeaseFindsALostDelivery(t *testing.T) {
	probing(t, newOracle("k"), func(b bench) {
		b.deliver(creation("a", "k", lifecycle.Yes))
		b.witness()
		settle(time.Hour)
		b.oracle.set(func(o *oracle) { delete(o.works, tokenText("k")) }) // and nobody says so
		settle(maxAge)
		b.is("k", lifecycle.Invalid, lifecycle.ReasonRejected)
		b.oracle.set(func(o *oracle) { o.works[tokenText("k")] = enterpriseID("H") })
		settle(maxAge)
		b.is("k", lifecycle.Valid, lifecycle.ReasonLive)
		// Beside those: the two 401s, a minute apart, and what is asked again after them.
		if n := b.oracle.questions("k"); n > 25 {
			t.Errorf("%d questions in two days", n)
		}
	})
}

// Valid does not outlive its lease when nobody answers, for years.
func TestValidEndsWithItsLease(t *testing.T) {
	probing(t, newOracle("k"), func(b bench) {
		b.deliver(creation("a", "k", lifecycle.Yes))
		settle(time.Minute)
		b.oracle.set(func(o *oracle) { o.silent = true })
		settle(maxAge - 5*time.Minute)
		b.is("k", lifecycle.Valid, lifecycle.ReasonLive)
		settle(5 * time.Minute)
		b.is("k", lifecycle.Unknown, lifecycle.ReasonLease)
		b.oracle.set(func(o *oracle) { o.silent = false })
		settle(10 * time.Minute)
		b.is("k", lifecycle.Valid, lifecycle.ReasonLive)
	})
}

// After an absence everything is asked anew, however long Mews is silent at first.
func TestASweepWaitsForAnswers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, sealer, o := memstore.New(nil), seal.Ephemeral(), newOracle("k")
		b := opened(t, o, s, sealer)
		b.deliver(creation("a", "k", lifecycle.Yes))
		b.witness()
		settle(time.Minute)
		b.Close()
		o.set(func(o *oracle) { delete(o.works, tokenText("k")); o.silent = true })
		settle(time.Hour)
		b = opened(t, o, s, sealer)
		defer b.Close()
		settle(20 * time.Minute)
		b.is("k", lifecycle.Valid, lifecycle.ReasonLive)
		o.set(func(o *oracle) { o.silent = false })
		settle(20 * time.Minute) // the back-off of both, and two 401s a minute apart
		b.is("k", lifecycle.Invalid, lifecycle.ReasonRejected)
	})
}

// What happened between a copy and its restoration is asked for at once.
func TestRestoredIntegrationsAreAskedAbout(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, sealer, o := memstore.New(nil), seal.Ephemeral(), newOracle("k")
		b := opened(t, o, s, sealer)
		b.deliver(creation("a", "k", lifecycle.Yes))
		b.witness()
		settle(time.Minute)
		var export bytes.Buffer
		if _, err := atrest.Export(context.Background(), s, &export, true); err != nil {
			t.Fatal(err)
		}
		b.Close()
		o.set(func(o *oracle) { delete(o.works, tokenText("k")) })
		s = memstore.New(nil)
		for _, err := range atrest.Restore(context.Background(), s, sealer, &export) {
			if err != nil {
				t.Fatal(err)
			}
		}
		b = opened(t, o, s, sealer)
		defer b.Close()
		settle(5 * time.Minute)
		b.is("k", lifecycle.Invalid, lifecycle.ReasonRejected)
	})
}

// A store that is away for a moment in the middle of a sweep does not have it
// begin anew.
func TestASweepGoesOn(t *testing.T) {
	const hotels = 60
	synctest.Test(t, func(t *testing.T) {
		s, sealer, o := memstore.New(nil), seal.Ephemeral(), newOracle()
		leases := &slowLeases{Store: s}
		open := func(rate float64) *keyrack.Rack {
			rack, err := keyrack.Open(context.Background(), leases, &keyrack.Options{Prober: o, Sealer: sealer, ProbeRate: rate})
			if err != nil {
				t.Fatal(err)
			}
			return rack
		}
		rack := open(100)
		for i := range hotels {
			name := fmt.Sprint(i)
			o.set(func(o *oracle) { o.works[tokenText(name)] = enterpriseID("H") })
			bench{T: t, Rack: rack}.deliver(creation(name, name, lifecycle.Yes))
		}
		settle(time.Minute)
		rack.Close()
		settle(time.Hour)
		o.set(func(o *oracle) { o.asked = nil })
		rack = open(1)
		defer rack.Close()
		settle(hotels / 2 * time.Second)
		leases.hang.Store(true)
		settle(15 * time.Second)
		leases.hang.Store(false)
		settle(10 * time.Minute)
		o.set(func(o *oracle) {
			if n := len(o.asked); n != hotels {
				t.Errorf("%d questions about %d integrations", n, hotels)
			}
		})
	})
}

// An instance that leads again asks nothing anew as long as another one led meanwhile.
func TestNoSweepWhereAnotherInstanceLed(t *testing.T) {
	const hotels = 10
	synctest.Test(t, func(t *testing.T) {
		s, sealer, o := memstore.New(nil), seal.Ephemeral(), newOracle()
		leases := &slowLeases{Store: s}
		open := func(s store.Store) *keyrack.Rack {
			rack, err := keyrack.Open(context.Background(), s, &keyrack.Options{Prober: o, Sealer: sealer})
			if err != nil {
				t.Fatal(err)
			}
			synctest.Wait()
			return rack
		}
		rack, other := open(leases), open(s)
		defer rack.Close()
		for i := range hotels {
			name := fmt.Sprint(i)
			o.set(func(o *oracle) { o.works[tokenText(name)] = enterpriseID("H") })
			bench{T: t, Rack: rack}.deliver(creation(name, name, lifecycle.Yes))
		}
		settle(time.Minute)
		leases.hang.Store(true) // the other one leads
		settle(10 * time.Minute)
		leases.hang.Store(false)
		other.Close() // and no longer does
		settle(10 * time.Minute)
		o.set(func(o *oracle) {
			if n := len(o.asked); n != hotels {
				t.Errorf("%d questions about %d integrations", n, hotels)
			}
		})
		alive, err := s.Cursor(context.Background(), "probe")
		if age := time.Since(lifecycle.Instant(alive).Time()); err != nil || age > time.Minute {
			t.Errorf("the first does not lead again: the cursor is %v old, %v", age, err)
		}
	})
}

// A sweep ends although there is nothing to ask with about some.
func TestASweepEndsWithoutTokens(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, sealer, o := memstore.New(nil), seal.Ephemeral(), newOracle("k")
		b := opened(t, o, s, sealer)
		b.deliver(creation("a", "k", lifecycle.Yes))
		settle(time.Minute)
		record, _ := b.Record(integrationID("a"))
		if err := s.Shred(context.Background(), store.Ref{Integration: record.ID, Digest: record.Keys[0].Digest}); err != nil {
			t.Fatal(err)
		}
		b.Close()
		settle(time.Hour)
		b = opened(t, o, s, sealer)
		defer b.Close()
		settle(10 * time.Minute)
		alive, err := s.Cursor(context.Background(), "probe")
		if age := time.Since(lifecycle.Instant(alive).Time()); err != nil || age > time.Minute {
			t.Errorf("the schedule was alive %v ago, as the store has it: %v", age, err)
		}
	})
}

// A token that comes with a second integration is in doubt with the first one, too,
// though the instance that hears of the second has not heard of the first yet.
func TestAContestedTokenOfAnotherInstance(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, sealer, o := memstore.New(nil), seal.Ephemeral(), newOracle("k")
		o.silent = true
		a, b := opened(t, o, s, sealer), opened(t, o, s, sealer)
		defer a.Close()
		defer b.Close()
		a.deliver(creation("a", "k", lifecycle.Yes))
		b.deliver(creation("b", "k", lifecycle.Yes))
		settle(2 * pollEvery)
		for _, one := range []bench{a, b} {
			record, _ := one.Record(integrationID("a"))
			if key, ok := record.Key(record.Keys[0].Digest); !ok || key.Dispute == 0 {
				t.Errorf("the owner's key is %+v, and in no dispute", key)
			}
		}
	})
}

// A 200 of long ago that is reported now says nothing of a 401 of now.
func TestAnOld200VouchesForNobody(t *testing.T) {
	probing(t, newOracle(), func(b bench) {
		b.deliver(creation("a", "k", lifecycle.Yes))
		b.deliver(creation("b", "l", lifecycle.Yes))
		settle(3 * time.Hour)
		b.is("k", lifecycle.Unknown, lifecycle.ReasonUnattributed)
		for _, ago := range []time.Duration{2 * time.Hour, 0} {
			for range 36 { // three minutes of them
				if _, err := b.Report(context.Background(), tokenText("l"), 200, time.Now().Add(-ago)); err != nil {
					t.Fatal(err)
				}
				settle(5 * time.Second)
				if ago > 0 {
					b.is("k", lifecycle.Unknown, lifecycle.ReasonUnattributed)
				}
			}
			b.deliver(webhook(lifecycle.IntegrationEnabled, "a", nil))
		}
		for range 72 {
			if _, err := b.Report(context.Background(), tokenText("l"), 200, time.Now()); err != nil {
				t.Fatal(err)
			}
			settle(5 * time.Second)
		}
		b.is("k", lifecycle.Invalid, lifecycle.ReasonRejected)
	})
}

func TestAForgedRotationIsSwappedBack(t *testing.T) {
	probing(t, newOracle("k"), func(b bench) {
		b.deliver(creation("a", "k", lifecycle.Yes))
		settle(time.Minute)
		b.deliver(rotation("a", "forged"))
		b.is("k", lifecycle.Unknown, lifecycle.ReasonSupersededUnproved)
		// The first 401 of a token that never worked is nobody's for certain, until
		// another integration's 200 vouches for the ClientToken.
		b.oracle.set(func(o *oracle) { o.works[tokenText("other")] = enterpriseID("H") })
		b.deliver(creation("b", "other", lifecycle.Yes))
		settle(time.Minute)
		b.deliver(webhook(lifecycle.IntegrationEnabled, "b", nil))
		settle(5 * time.Minute)
		b.is("k", lifecycle.Valid, lifecycle.ReasonLive)
		b.is("forged", lifecycle.Invalid, lifecycle.ReasonRejected)
		b.alarmed("tokens swapped back")
	})
}

func TestAForgedDeletionAlarms(t *testing.T) {
	probing(t, newOracle("k"), func(b bench) {
		b.deliver(creation("a", "k", lifecycle.Yes))
		settle(time.Minute)
		b.deliver(deletion("a", time.Time{}))
		b.is("k", lifecycle.Invalid, lifecycle.ReasonDeleted)
		settle(time.Minute)
		b.is("k", lifecycle.Unknown, lifecycle.ReasonDeletedAccepted)
		b.alarmed("works though deleted")
		if _, _, err := b.Token(context.Background(), integrationID("a")); !errors.Is(err, keyrack.ErrNoToken) {
			t.Errorf("a deleted integration hands out its token: %v", err)
		}
	})
}

// After an authentic deletion the token is erased as soon as Mews rejects it.
func TestADeletedTokenIsErasedOnceRejected(t *testing.T) {
	probing(t, newOracle("k"), func(b bench) {
		receipt := b.deliver(creation("a", "k", lifecycle.Yes))
		settle(time.Minute)
		record, _ := b.Record(receipt.Integration)
		ref := store.Ref{Integration: record.ID, Digest: record.Keys[0].Digest}
		if _, err := b.store.Sealed(context.Background(), ref); err != nil {
			t.Fatalf("the token is not there before the deletion: %v", err)
		}
		b.oracle.set(func(o *oracle) { delete(o.works, tokenText("k")) })
		b.deliver(deletion("a", time.Time{}))
		settle(time.Minute)
		if _, err := b.store.Sealed(context.Background(), ref); !errors.Is(err, store.ErrNotFound) {
			t.Errorf("the token is still there: %v", err)
		}
		b.is("k", lifecycle.Invalid, lifecycle.ReasonDeleted)
		before := b.oracle.questions("k")
		settle(5 * 24 * time.Hour)
		if b.oracle.questions("k") != before {
			t.Error("a deletion that was confirmed is asked about for ever")
		}
	})
}

func TestATokenUnderTwoIntegrations(t *testing.T) {
	probing(t, newOracle("k"), func(b bench) {
		b.deliver(creation("a", "k", lifecycle.Yes))
		settle(time.Minute)
		receipt := b.deliver(creation("b", "k", lifecycle.Yes, atHotel("other")))
		if receipt.Decision.Outcome != lifecycle.Conflict {
			t.Errorf("outcome %v, want conflict", receipt.Decision.Outcome)
		}
		b.is("k", lifecycle.Unknown, lifecycle.ReasonDisputed)
		b.alarmed("token owned by another integration")
		settle(time.Minute)
		b.is("k", lifecycle.Valid, lifecycle.ReasonLive) // Mews says: the first owner's enterprise
		if v := b.Check(tokenText("k")); v.Integration != integrationID("a") {
			t.Errorf("it belongs to %q", v.Integration)
		}
	})
}

func TestAnotherEnterpriseIsNeverValid(t *testing.T) {
	o := newOracle()
	o.works[tokenText("k")] = enterpriseID("somebody else")
	probing(t, o, func(b bench) {
		b.deliver(creation("a", "k", lifecycle.Yes))
		settle(time.Minute)
		b.is("k", lifecycle.Unknown, lifecycle.ReasonDisputed)
		b.alarmed("another enterprise")
		settle(3 * maxAge)
		if b.Check(tokenText("k")).Active() {
			t.Error("valid for the wrong tenant")
		}
	})
}

// portfolio is an oracle for tokens that cover several enterprises.
type portfolio struct {
	*oracle
	covers string
}

func (p portfolio) Probe(ctx context.Context, token lifecycle.Token, enterprise string) (connector.Answer, error) {
	a, err := p.oracle.Probe(ctx, token, "")
	a.Enterprise = lifecycle.Named{ID: "the portfolio itself"}
	if enterprise == p.covers {
		a.Enterprise = lifecycle.Named{ID: enterprise}
	}
	return a, err
}

// wrapper wraps a prober, as an application does to count its questions.
type wrapper struct{ connector.Prober }

// A portfolio's token is valid for the enterprises that it covers, and for no other.
func TestAPortfolioTokenIsAskedForItsEnterprise(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		for covers, want := range map[string]lifecycle.Reason{"H": lifecycle.ReasonLive, "else": lifecycle.ReasonDisputed} {
			rack, err := keyrack.Open(context.Background(), memstore.New(nil), &keyrack.Options{
				Prober: wrapper{portfolio{newOracle("k"), enterpriseID(covers)}},
			})
			if err != nil {
				t.Fatal(err)
			}
			b := bench{T: t, Rack: rack}
			b.deliver(creation("a", "k", lifecycle.Yes))
			settle(time.Minute)
			if v := b.Check(tokenText("k")); v.Reason != want {
				t.Errorf("a token that covers %s: %v (%v), want %v", covers, v.Status, v.Reason, want)
			}
			rack.Close()
		}
	})
}

// With a dead ClientToken everything is answered 401. Verdicts stand until their
// lease ends, and nothing is settled until a 200 is seen.
func TestADeadClientTokenSettlesNothing(t *testing.T) {
	names := []string{"a", "b", "c", "d", "e"}
	probing(t, newOracle(names...), func(b bench) {
		for _, name := range names {
			b.deliver(creation(name, name, lifecycle.Yes))
		}
		settle(time.Hour)
		b.oracle.set(func(o *oracle) { o.deny = true })
		for _, name := range names {
			b.deliver(webhook(lifecycle.IntegrationEnabled, name, nil))
		}
		settle(10 * time.Minute)
		if !slices.Contains(b.alarms(), keyrack.Alarm{Kind: keyrack.AlarmTrouble}) {
			t.Errorf("no alarm of trouble: %v", b.alarms())
		}
		for _, name := range names {
			if v := b.Check(tokenText(name)); v.Status == lifecycle.Invalid {
				t.Errorf("token %s is %v (%v) because of a dead ClientToken", name, v.Status, v.Reason)
			}
		}
		settle(maxAge)
		for _, name := range names {
			if v := b.Check(tokenText(name)); v.Status != lifecycle.Unknown {
				t.Errorf("token %s is %v (%v) beyond its lease", name, v.Status, v.Reason)
			}
		}
		b.oracle.set(func(o *oracle) { o.deny = false })
		settle(time.Hour)
		for _, name := range names {
			b.is(name, lifecycle.Valid, lifecycle.ReasonLive)
		}
		if !slices.Contains(b.alarms(), keyrack.Alarm{Kind: keyrack.AlarmTroubleOver}) {
			t.Error("nobody was told that the trouble is over")
		}
	})
}

// One token among healthy ones that misses a permission harms only itself.
func TestAMissingPermissionAmongHealthyTokens(t *testing.T) {
	names := []string{"a", "b", "c", "d"}
	probing(t, newOracle(names[1:]...), func(b bench) {
		for _, name := range names {
			b.deliver(creation(name, name, lifecycle.Yes))
		}
		settle(time.Hour)
		if b.Check(tokenText("a")).Active() {
			t.Error("a token that gets 401 is valid")
		}
		for _, name := range names[1:] {
			b.is(name, lifecycle.Valid, lifecycle.ReasonLive)
		}
	})
}

// What is due stands in the store: a Rack that opens on it asks what its
// predecessor did not get to ask, and everything anew if nobody was there.
func TestWhatIsDueSurvivesARestart(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		o, s, sealer := newOracle("k", "l"), memstore.New(nil), seal.Ephemeral()
		o.silent = true
		b := opened(t, o, s, sealer)
		b.deliver(creation("a", "k", lifecycle.No))
		settle(time.Second)
		b.Close()
		o.set(func(o *oracle) { o.silent = false })
		b = opened(t, o, s, sealer)
		settle(time.Minute)
		b.is("k", lifecycle.Valid, lifecycle.ReasonLive)

		settle(time.Minute)
		before := o.questions("k")
		b.Close()
		b = opened(t, o, s, sealer) // at once: nothing can have been lost
		settle(time.Minute)
		if o.questions("k") != before {
			t.Error("a short restart asks everything anew")
		}
		b.Close()
		settle(time.Hour)
		b = opened(t, o, s, sealer)
		defer b.Close()
		settle(time.Minute)
		if n := o.questions("k") - before; n != 1 {
			t.Errorf("%d questions after an hour away, want 1", n)
		}
	})
}

// Of two instances on one store one asks, and the other takes over.
func TestOneInstanceAsks(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		o, s, sealer := newOracle("k"), memstore.New(nil), seal.Ephemeral()
		first, second := opened(t, o, s, sealer), opened(t, o, s, sealer)
		defer second.Close()
		settle(time.Minute)
		first.deliver(creation("a", "k", lifecycle.Yes))
		settle(time.Minute)
		second.deliver(webhook(lifecycle.IntegrationEnabled, "a", nil)) // the first hears of it from the journal
		settle(time.Minute)
		if n := o.questions("k"); n != 2 {
			t.Errorf("%d questions for two deliveries to two instances, want 2", n)
		}
		second.is("k", lifecycle.Valid, lifecycle.ReasonLive)
		first.Close()
		second.deliver(webhook(lifecycle.IntegrationEnabled, "a", nil))
		settle(2 * time.Minute)
		if n := o.questions("k"); n != 3 {
			t.Errorf("%d questions after the first instance ended, want 3", n)
		}
	})
}

// A General Webhook is a sign of life: worth a question where the verdict is not Valid.
func TestASignOfLifeAsks(t *testing.T) {
	probing(t, newOracle(), func(b bench) {
		b.deliver(creation("a", "k", lifecycle.No))
		settle(3 * time.Hour)
		b.oracle.set(func(o *oracle) { o.works[tokenText("k")] = enterpriseID("H") })
		general := []byte(`{"EnterpriseId":"` + enterpriseID("H") + `","IntegrationId":"` + integrationID("a") + `","Events":[]}`)
		if receipt := b.deliver(general); receipt.General == nil {
			t.Fatal("not recognised")
		}
		settle(time.Minute)
		b.is("k", lifecycle.Valid, lifecycle.ReasonLive)
	})
}

func TestExplainSaysWhy(t *testing.T) {
	probing(t, newOracle("k"), func(b bench) {
		b.deliver(creation("a", "k", lifecycle.Yes, func(e *events.Event) {
			e.Requestor = events.NewRequestor("Canary Person", "canary@example.com")
		}))
		settle(time.Minute)
		b.deliver(webhook(lifecycle.IntegrationCanceled, "a", nil))
		b.deliver(webhook(lifecycle.IntegrationReinstated, "a", nil))
		synctest.Wait() // the question is under way; its answer takes its time
		explanation, err := b.Explain(context.Background(), integrationID("a"))
		if err != nil {
			t.Fatal(err)
		}
		text := strings.ReplaceAll(explanation.String(), explanation.Token.String(), "DIGEST00")
		golden(t, "testdata/explain.txt", text)
		unknown, err := b.ExplainToken(context.Background(), "nobody knows it")
		if err != nil || unknown.Verdict.Status != lifecycle.Unknown || len(unknown.WouldChange) == 0 {
			t.Errorf("an unfamiliar token: %+v, %v", unknown, err)
		}
	})
}
