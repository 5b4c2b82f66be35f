package keyrack_test

import (
	"context"
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"github.com/keyrack-dev/keyrack"
	"github.com/keyrack-dev/keyrack/connector"
	"github.com/keyrack-dev/keyrack/lifecycle"
	"github.com/keyrack-dev/keyrack/memstore"
	"github.com/keyrack-dev/keyrack/seal"
)

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
			if key, ok := record.Key(record.Keys[0].Digest); !ok || key.Dispute == "" {
				t.Errorf("the owner's key is %+v, and in no dispute", key)
			}
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

// A token that one integration has forgotten and another has taken up belongs to
// that one, in whatever order an instance hears of it.
func TestForgottenTokenMoves(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newCluster(t, keyrack.Options{Horizon: minute})
		defer s.close()
		s.deliver(0, creation("A", "k0", lifecycle.Yes))
		for i := range 23 { // a record holds 24 digests
			time.Sleep(hour)
			s.deliver(0, rotation("A", fmt.Sprintf("k%d", i+1)))
		}
		time.Sleep(hour)
		s.deliver(0, rotation("A", "one too many")) // which forgets k0
		s.deliver(1, creation("B", "k0", lifecycle.Yes))
		s.catchUp()
		for i, r := range s.racks {
			if v := r.Check(tokenText("k0")); v.Integration != integrationID("B") || v.Status != lifecycle.Valid {
				t.Errorf("instance %d: %s, of %q", i, verdictText(v), v.Integration)
			}
			if v := r.Check(tokenText("one too many")); v.Status != lifecycle.Valid {
				t.Errorf("instance %d: %s", i, verdictText(v))
			}
		}
		audit(t, s.mem, s.racks[:]...)
	})
}
