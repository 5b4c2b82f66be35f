package keyrack_test

import (
	"context"
	"errors"
	"math/rand/v2"
	"os"
	"testing"
	"time"

	"github.com/keyrack-dev/keyrack"
	"github.com/keyrack-dev/keyrack/events"
	"github.com/keyrack-dev/keyrack/internal/testkit"
	"github.com/keyrack-dev/keyrack/lifecycle"
	"github.com/keyrack-dev/keyrack/memstore"
	"github.com/keyrack-dev/keyrack/seal"
	"github.com/keyrack-dev/keyrack/store"
)

// frail is a store whose instance dies before or after some of its commits, and where others
// do something between the instance's look and its commit.
type frail struct {
	store.Store
	dice  *rand.Rand
	dead  bool
	other func() // what another instance does meanwhile; nil for nothing
}

var errDead = errors.New("made-up death")

func (m *frail) Commit(ctx context.Context, c store.Commit) (store.Committed, error) {
	if other := m.other; other != nil && m.dice.IntN(4) == 0 {
		m.other = nil
		other()
		m.other = other
	}
	if m.dead = m.dead || m.dice.IntN(12) == 0; m.dead {
		return store.Committed{}, errDead
	}
	r, err := m.Store.Commit(ctx, c)
	if m.dead = m.dice.IntN(12) == 0; m.dead {
		return store.Committed{}, errDead
	}
	return r, err
}

// namingWorld is two hotels, each with an integration and two tokens, and one or two
// instances. Everything that happens is about one of them.
type namingWorld struct {
	*testing.T
	seed      uint64
	dice      *rand.Rand
	store     *memstore.Store
	ring      seal.Sealer
	instances []*frail
	racks     []*keyrack.Rack
	meanwhile bool            // something is done within something else
	labelled  map[string]bool // tokens whose labels were taken in
}

var namingTokens = []string{"a1", "a2", "b1", "b2"} // of the hotels and integrations a and b

func (w *namingWorld) open(i int) {
	w.instances[i] = &frail{Store: w.store, dice: w.dice}
	rack, err := keyrack.Open(context.Background(), w.instances[i], &keyrack.Options{Sealer: w.ring, Poll: time.Hour})
	for w.instances[i].dead = false; err != nil; w.instances[i].dead = false {
		rack, err = keyrack.Open(context.Background(), w.instances[i], &keyrack.Options{Sealer: w.ring, Poll: time.Hour})
	}
	w.racks[i] = rack
	if len(w.instances) > 1 {
		w.instances[i].other = func() {
			if !w.meanwhile { // or each would wait for the other
				w.meanwhile = true
				w.act(1 - i)
				w.meanwhile = false
			}
		}
	}
}

// act does something on one instance, which is opened anew if it died of that.
func (w *namingWorld) act(i int) {
	ctx, rack := context.Background(), w.racks[i]
	token := namingTokens[w.dice.IntN(len(namingTokens))]
	hotel := token[:1]
	var err error
	switch w.dice.IntN(8) {
	case 0, 1, 2:
		var c keyrack.Connected
		c, err = rack.Connect(ctx, keyrack.Connection{
			Token: keyrack.NewToken(tokenText(token)), Enterprise: lifecycle.Named{ID: enterpriseID(hotel)}, Labels: map[string]string{token: "1"},
		})
		if _, ok := c.Verdict.Labels.Get(token); ok {
			w.labelled[token] = true
		}
	case 3:
		_, err = rack.Deliver(ctx, w.created(token))
	case 4:
		_, err = rack.Deliver(ctx, rotation(hotel, token))
	case 5:
		_, err = rack.Import(ctx, keyrack.Import{
			Integration: lifecycle.Named{ID: integrationID(hotel)}, Enterprise: lifecycle.Named{ID: enterpriseID(hotel)}, Token: keyrack.NewToken(tokenText(token)),
		})
	case 6: // another hotel's integration comes with this token
		_, err = rack.Deliver(ctx, creation("c", token, lifecycle.Yes, atHotel("c")))
	case 7:
		for s := range rack.Summaries() {
			if s.Nameless && s.Enterprise.ID == enterpriseID(hotel) {
				_, err = rack.Act(ctx, keyrack.Act{
					Kind: lifecycle.KindName, Integration: integrationID(hotel), Nameless: s.Integration.ID, Who: keyrack.NewToken("w"), Why: keyrack.NewToken("y"),
				})
				break
			}
		}
	}
	if err != nil && !errors.Is(err, errDead) && !errors.Is(err, keyrack.ErrInvalid) && !errors.Is(err, keyrack.ErrClosed) && !errors.Is(err, keyrack.ErrNotFound) && !errors.Is(err, store.ErrConflict) {
		w.Errorf("seed %d: %v", w.seed, err)
	}
	if w.instances[i].dead || w.dice.IntN(10) == 0 {
		w.instances[i].dead = false
		w.instances[i].other = nil
		if err := rack.Close(); err != nil {
			w.Errorf("seed %d: %v", w.seed, err)
		}
		w.open(i)
	}
}

func (w *namingWorld) created(token string) []byte {
	return creation(token[:1], token, lifecycle.Yes, func(e *events.Event) { e.Enterprise.ID = enterpriseID(token[:1]) })
}

// live lets a world live, and looks at what has become of it.
func (w *namingWorld) live(steps int) {
	for i := range w.instances {
		w.open(i)
	}
	for range steps {
		w.act(w.dice.IntN(len(w.racks)))
	}
	for i, rack := range w.racks { // what was not told is told again, and nobody dies
		w.instances[i].other = nil
		rack.Close()
	}
	ctx := context.Background()
	rack, err := keyrack.Open(ctx, w.store, &keyrack.Options{Sealer: w.ring})
	if err != nil {
		w.Fatalf("seed %d: %v", w.seed, err)
	}
	defer rack.Close()
	for _, token := range namingTokens {
		if _, err := rack.Deliver(ctx, w.created(token)); err != nil {
			w.Fatalf("seed %d: %v", w.seed, err)
		}
	}
	audit(w, w.store, rack) // no token has two owners, and every record is its journal's fold
	shown := map[store.EntryID]bool{}
	for s := range rack.Summaries() {
		for c, err := range rack.History(ctx, s.Integration.ID) {
			if err != nil {
				w.Fatalf("seed %d: %v", w.seed, err)
			}
			shown[c.ID] = true
		}
	}
	for e, err := range w.store.Journal(ctx, 0) {
		if err != nil || !shown[e.ID] {
			w.Errorf("seed %d: an entry of %s is in no history, %v", w.seed, e.Integration, err)
		}
	}
	for _, token := range namingTokens {
		v := rack.Check(tokenText(token))
		if _, ok := v.Labels.Get(token); !ok && w.labelled[token] {
			w.Errorf("seed %d: the label of token %s is lost: %+v", w.seed, token, v)
		}
		if v.Integration != integrationID(token[:1]) && v.Integration != integrationID("c") {
			w.Errorf("seed %d: token %s belongs to %s", w.seed, token, v.Integration)
		}
		if v.Active() && v.Enterprise != enterpriseID(token[:1]) && v.Enterprise != enterpriseID("c") {
			w.Errorf("seed %d: token %s is valid for %s", w.seed, token, v.Enterprise)
		}
	}
}

// TestNamingInAnyOrder: connecting, naming, importing and contradicting, on one instance and
// on two, each of them dying now and then between any two commits. No token has two owners, no
// history and no label is lost.
func TestNamingInAnyOrder(t *testing.T) {
	worlds := 250
	if testkit.Race || testing.Short() {
		worlds = 50
	}
	if os.Getenv("KEYRACK_LONG") != "" {
		worlds = 100_000
	}
	begin := rand.Uint64()
	if os.Getenv("KEYRACK_LONG") == "" {
		begin = 1
	}
	for n := range worlds {
		seed := begin + uint64(n)
		w := &namingWorld{
			T: t, seed: seed, dice: rand.New(rand.NewPCG(seed, 1)), store: memstore.New(nil), ring: seal.Ephemeral(),
			instances: make([]*frail, 1+n%2), racks: make([]*keyrack.Rack, 1+n%2), labelled: map[string]bool{},
		}
		if w.live(12); t.Failed() {
			t.Fatalf("seed %d is the first that fails", seed)
		}
	}
}
