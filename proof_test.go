package keyrack_test

import (
	"context"
	"errors"
	"math/rand/v2"
	"testing"
	"testing/synctest"
	"time"

	"github.com/keyrack-dev/keyrack"
	"github.com/keyrack-dev/keyrack/connector"
	"github.com/keyrack-dev/keyrack/internal/testkit"
	"github.com/keyrack-dev/keyrack/lifecycle"
	"github.com/keyrack-dev/keyrack/memstore"
	"github.com/keyrack-dev/keyrack/seal"
)

// TestForgedDeliveriesProveNothing: with a prober, an attacker with the webhook's secret, a
// hotel and a token cannot have that token taken for another hotel's, whatever the mix of
// deliveries, copies and waiting, and whether Mews answers or not. The other hotel's own
// token is valid again soon.
func TestForgedDeliveriesProveNothing(t *testing.T) {
	sequences := 6
	if testkit.Race {
		sequences = 2
	}
	if long() {
		sequences = 100_000
	}
	for seed := range uint64(sequences) {
		synctest.Test(t, func(t *testing.T) {
			random := rand.New(rand.NewPCG(seed, 13))
			o := newOracle("true")
			o.works[tokenText("forged")] = enterpriseID("EVIL")
			o.works[tokenText("forged2")] = enterpriseID("EVIL")
			b := opened(t, o, memstore.New(nil), seal.Ephemeral())
			defer b.Close()
			honest := func(when string) {
				for _, token := range []string{"forged", "forged2"} {
					if v := b.Check(tokenText(token)); v.Active() && v.Enterprise != enterpriseID("EVIL") {
						t.Fatalf("seed %d, %s: %s is valid for %s", seed, when, token, v.Enterprise)
					}
				}
				if token, v, err := b.Token(context.Background(), integrationID("a")); err == nil && v.Active() && v.Enterprise != enterpriseID("EVIL") && token.Reveal() != tokenText("true") {
					t.Fatalf("seed %d, %s: another token is handed out as the hotel's", seed, when)
				}
			}
			if random.IntN(4) > 0 {
				b.deliver(creation("a", "true", lifecycle.Yes))
			}
			if random.IntN(2) == 0 {
				settle(time.Minute)
			}
			for range 12 {
				switch random.IntN(8) {
				case 0:
					b.deliver(creation("a", "true", lifecycle.Yes))
				case 1:
					b.deliver(rotation("a", []string{"forged", "forged2"}[random.IntN(2)]))
				case 2:
					b.deliver(creation("a", "forged", lifecycle.Yes))
				case 3:
					b.deliver(webhook(lifecycle.IntegrationEnabled, "a", nil))
				case 4:
					b.deliver(webhook(lifecycle.IntegrationReinstated, "a", nil))
				case 5:
					o.set(func(o *oracle) { o.silent = !o.silent })
				case 6:
					if _, err := b.Report(context.Background(), answered("forged", 200, 0)); err != nil && err != keyrack.ErrNotFound {
						t.Fatal(err)
					}
				default:
					settle(time.Duration(random.IntN(3600)) * time.Second)
				}
				honest("at once")
				settle(time.Duration(random.IntN(20)) * time.Second)
				honest("a little later")
			}
			o.set(func(o *oracle) { o.silent = false })
			settle(2 * maxAge)
			honest("in the end")
		})
	}
}

// TestTokensFromBeforeTheProber keep their verdict while they are asked about, if a
// creation or an import brought them; a rotation's does not.
func TestTokensFromBeforeTheProber(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, sealer := memstore.New(nil), seal.Ephemeral()
		rack, err := keyrack.Open(context.Background(), s, &keyrack.Options{Sealer: sealer})
		if err != nil {
			t.Fatal(err)
		}
		before := bench{T: t, Rack: rack}
		before.deliver(creation("a", "k", lifecycle.Yes))
		before.deliver(creation("b", "l", lifecycle.Yes))
		time.Sleep(time.Hour)
		before.deliver(rotation("b", "m"))
		time.Sleep(time.Hour)
		rack.Close()
		o := newOracle("k", "m")
		o.silent = true
		for range 2 { // the second time, the store knows since when
			b := opened(t, o, s, sealer)
			settle(time.Minute)
			b.is("k", lifecycle.Valid, lifecycle.ReasonLive)
			b.is("m", lifecycle.Unknown, lifecycle.ReasonUnproved)
			b.Close()
		}
		trusting, err := keyrack.Open(context.Background(), s, &keyrack.Options{Sealer: sealer, Prober: deaf{}, TrustDeliveries: true})
		if err != nil {
			t.Fatal(err)
		}
		b := bench{T: t, Rack: trusting}
		b.is("m", lifecycle.Valid, lifecycle.ReasonLive)
		trusting.Close()
	})
}

// deaf is a prober whom nobody answers.
type deaf struct{}

func (deaf) Probe(context.Context, lifecycle.Token, string) (connector.Answer, error) {
	return connector.Answer{}, connector.ErrSilent
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
		b.is("forged", lifecycle.Invalid, lifecycle.ReasonSuperseded)
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
