package keyrack_test

import (
	"fmt"
	"math/rand/v2"
	"os"
	"slices"
	"strconv"
	"testing"
	"testing/synctest"
	"time"

	"github.com/keyrack-dev/keyrack/internal/testkit"
	"github.com/keyrack-dev/keyrack/lifecycle"
	"github.com/keyrack-dev/keyrack/memstore"
	"github.com/keyrack-dev/keyrack/seal"
)

// forgery is a fleet in which somebody has the webhook's secret, and owns a hotel and its
// token: "mine" works for the enterprise "mine". The victim's token works for "H".
type forgery struct {
	bench
	random *rand.Rand
	seed   uint64
	tokens map[string]string // all tokens that ever were, and the enterprises that they work for
	junk   int
	born   bool // the victim's true IntegrationCreated was delivered
	proved bool // and Mews has confirmed it
}

// token draws what a forger can put into a webhook. Of an integration that nobody knows yet
// only what works for nobody: with a token of its own a forger can take any free id.
func (f *forgery) token() string {
	if f.born && f.random.IntN(2) == 0 {
		return "mine"
	}
	f.junk++
	name := fmt.Sprintf("junk%d", f.junk)
	f.tokens[name] = ""
	return name
}

// forge delivers something forged about the victim.
func (f *forgery) forge() {
	enterprise := []string{"H", "mine", "other"}[f.random.IntN(3)]
	switch f.random.IntN(8) {
	case 0, 1:
		if !f.proved && enterprise == "mine" {
			enterprise = "other" // else the forger takes the id: Mews confirms its token
		}
		f.deliver(creation("victim", f.token(), lifecycle.Flag(f.random.IntN(3)), atHotel(enterprise)))
	case 2, 3, 4, 5:
		f.deliver(rotation("victim", f.token()))
	default:
		toggles := []lifecycle.Action{
			lifecycle.IntegrationEnabled, lifecycle.IntegrationDisabled, lifecycle.IntegrationCanceled, lifecycle.IntegrationReinstated,
		}
		f.deliver(webhook(toggles[f.random.IntN(len(toggles))], "victim", nil))
	}
}

// look holds every verdict to what Mews says.
func (f *forgery) look() {
	f.Helper()
	for name, enterprise := range f.tokens {
		v := f.Check(tokenText(name))
		if v.Active() && (enterprise == "" || v.Enterprise != enterpriseID(enterprise)) {
			f.Fatalf("seed %d: %s is %s for %q", f.seed, name, verdictText(v), v.Enterprise)
		}
	}
	if v := f.CheckIntegration(integrationID("victim")); v.Active() && v.Enterprise != enterpriseID("H") {
		f.Fatalf("seed %d: the victim is %s for %q", f.seed, verdictText(v), v.Enterprise)
	}
}

// pass lets time pass, and looks while it does.
func (f *forgery) pass(d time.Duration) {
	f.Helper()
	f.look()
	for _, part := range []time.Duration{50 * time.Millisecond, time.Second, 12 * time.Second} {
		if part < d {
			settle(part)
			d -= part
			f.look()
		}
	}
	settle(d)
	f.look()
}

// run is one sequence of forged deliveries.
func (f *forgery) run(before int) {
	f.tokens = map[string]string{"true": "H", "mine": "mine", "witness": "H"}
	f.oracle.set(func(o *oracle) {
		o.works[tokenText("true")], o.works[tokenText("mine")] = enterpriseID("H"), enterpriseID("mine")
	})
	f.witness()
	if f.random.IntN(2) == 0 {
		f.deliver(creation("attacker", "mine", lifecycle.Yes, atHotel("mine")))
	}
	truly := func() {
		f.deliver(creation("victim", "true", lifecycle.Yes))
		f.born = true
	}
	first := f.random.IntN(3) > 0
	if first {
		truly()
		f.pass(time.Hour)
		f.proved = true
	}
	away := f.random.IntN(2) == 0
	f.oracle.set(func(o *oracle) { o.silent = away })
	for i := range before { // a queue of questions about hotels that there are not
		f.deliver(creation(fmt.Sprint("nobody ", i), fmt.Sprint("nothing ", i), lifecycle.Yes))
	}
	waits := []time.Duration{0, time.Millisecond, time.Second, 11 * time.Second, time.Minute, 31 * time.Minute, 3 * time.Hour}
	steps := 1 + f.random.IntN(12)
	for i := range steps {
		f.forge()
		f.pass(waits[f.random.IntN(len(waits))])
		if !f.born && i == steps/2 {
			truly()
		}
	}
	if !f.born {
		truly()
	}
	if away {
		f.pass(waits[f.random.IntN(len(waits))])
		f.oracle.set(func(o *oracle) { o.silent = false })
	}
	// Where the true token was never proved, nobody knows which of up to 16 is to be asked
	// about first.
	for _, later := range []time.Duration{time.Minute, 30 * time.Minute} {
		f.pass(later)
		if v := f.Check(tokenText("true")); f.proved && (!v.Active() || v.Enterprise != enterpriseID("H")) {
			e, err := f.ExplainToken(f.Context(), tokenText("true"))
			f.Errorf("seed %d: %v later the true token is %s\n%v, %v", f.seed, later, verdictText(v), e, err)
		}
	}
}

// forged runs sequences of forged deliveries, each behind so many junk ones.
func forged(t *testing.T, sequences, before int) {
	t.Helper()
	first := uint64(1)
	if long() {
		first = rand.Uint64() >> 16
	}
	if text := os.Getenv("KEYRACK_FORGED_SEED"); text != "" {
		seed, err := strconv.ParseUint(text, 10, 64)
		if err != nil {
			t.Fatal("KEYRACK_FORGED_SEED is a number: ", err)
		}
		first, sequences = seed, 1
	}
	for i := range sequences {
		seed := first + uint64(i)
		synctest.Test(t, func(t *testing.T) {
			f := forgery{bench: opened(t, newOracle(), memstore.New(nil), seal.Ephemeral()), random: rand.New(rand.NewPCG(seed, 0)), seed: seed}
			defer f.Close()
			f.run(before)
		})
		if t.Failed() {
			return
		}
	}
	t.Logf("%d sequences behind %d junk deliveries, from seed %d", sequences, before, first)
}

// TestForged: anyone with the webhook's secret, a hotel and its token has no token taken for
// another enterprise's than Mews says, not for an instant, whether Mews answers or not. A
// token that Mews has confirmed is Valid again within a minute of Mews answering, however many
// questions about others wait. KEYRACK_LONG=1 runs 100,000 sequences, and KEYRACK_FORGED_SEED=n one of them.
func TestForged(t *testing.T) {
	sequences := 50
	if testkit.Race {
		sequences = 10
	}
	if long() {
		sequences = 100_000
	}
	forged(t, sequences, 0)
}

// TestForgedBehindAQueue: no token is taken for another enterprise's while questions wait
// about hotels that somebody made up, either: 10,000 of them with KEYRACK_LONG=1.
func TestForgedBehindAQueue(t *testing.T) {
	sequences, before := 2, 500
	if testkit.Race {
		sequences = 1
	}
	if long() {
		sequences, before = 20, 10_000
	}
	forged(t, sequences, before)
}

// TestForgedRotationsAreBounded: however many rotations of one hotel are forged, its record
// and what is kept sealed of it stay small, and the true token is among it.
func TestForgedRotationsAreBounded(t *testing.T) {
	rotations := 2000
	if long() {
		rotations = 100_000
	}
	synctest.Test(t, func(t *testing.T) {
		s := memstore.New(nil)
		b := opened(t, newOracle("true"), s, seal.Ephemeral())
		defer b.Close()
		b.deliver(creation("victim", "true", lifecycle.Yes))
		settle(time.Minute)
		largest := 0
		for i := range rotations {
			b.deliver(rotation("victim", fmt.Sprint("forged", i)))
			if i%100 == 0 {
				settle(time.Second)
			}
			record, _ := b.Record(integrationID("victim"))
			largest = max(largest, len(lifecycle.AppendRecord(nil, record)))
		}
		if largest > 8<<10 {
			t.Errorf("the record took %d bytes", largest)
		}
		if record, ok := b.Record(integrationID("victim")); !ok || !slices.ContainsFunc(record.Keys, func(k lifecycle.Key) bool { return k.Proved != 0 && !k.Shed }) {
			t.Error("the token that Mews has confirmed gave way")
		}
		sealed := 0
		for ref, err := range s.ScanSealed(t.Context()) {
			if err != nil {
				t.Fatal(err)
			}
			if ref.Integration == integrationID("victim") {
				sealed++
			}
		}
		if sealed > 16 {
			t.Errorf("%d tokens are kept sealed", sealed)
		}
		t.Logf("after %d forged rotations the record took %d bytes at most, and %d tokens are kept", rotations, largest, sealed)
	})
}
