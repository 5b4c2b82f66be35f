package sqlitestore_test

import (
	"context"
	"fmt"
	"math/rand/v2"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/keyrack-dev/keyrack"
	"github.com/keyrack-dev/keyrack/connector"
	"github.com/keyrack-dev/keyrack/internal/testkit"
	"github.com/keyrack-dev/keyrack/lifecycle"
	"github.com/keyrack-dev/keyrack/mewstest"
	"github.com/keyrack-dev/keyrack/seal"
	"github.com/keyrack-dev/keyrack/sqlitestore"
)

// hotels is a Mews with hotels on virtual time, and a Rack over SQLite that hears of them.
type hotels struct {
	*testing.T
	path   string
	mews   *mewstest.World
	ring   seal.Sealer
	prober connector.Prober

	mu    sync.Mutex
	rack  *keyrack.Rack // nil: it is down
	store *sqlitestore.Store
}

func (h *hotels) up() {
	h.Helper()
	store, err := sqlitestore.Open(context.Background(), h.path, nil)
	if err != nil {
		h.Fatal(err)
	}
	rack, err := keyrack.Open(context.Background(), store, &keyrack.Options{Sealer: h.ring, Prober: h.prober, Poll: time.Hour})
	if err != nil {
		h.Fatal(err)
	}
	handler, err := rack.Handler(nil, &keyrack.HandlerOptions{WithoutSecret: true})
	if err != nil {
		h.Fatal(err)
	}
	h.mu.Lock()
	h.rack, h.store = rack, store
	h.mu.Unlock()
	h.mews.DeliverTo(handler)
}

func (h *hotels) down() {
	h.mews.DeliverTo(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) }))
	h.mu.Lock()
	rack, store := h.rack, h.store
	h.rack, h.store = nil, nil
	h.mu.Unlock()
	if err := rack.Close(); err != nil {
		h.Error(err)
	}
	if err := store.Close(); err != nil {
		h.Error(err)
	}
}

func (h *hotels) now() *keyrack.Rack {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.rack
}

func (h *hotels) ask(token string) lifecycle.Status {
	if rack := h.now(); rack != nil {
		return rack.Check(token).Status
	}
	return lifecycle.Unknown
}

// call has another host make a call with a token. It takes up to twenty seconds. The host reports
// the answer late, once or twice, by how long ago the call began.
func (h *hotels) call(i *mewstest.Integration, random *rand.Rand) {
	token, began := i.Token(), time.Now()
	body := fmt.Sprintf(`{"ClientToken":%q,"AccessToken":%q,"Client":"Elsewhere 1.0"}`, h.mews.Connector().ClientToken().Reveal(), token)
	req, err := http.NewRequest(http.MethodPost, connector.Demo+"/api/connector/v1/reservations/getAll", strings.NewReader(body))
	if err != nil {
		h.Error(err)
		return
	}
	req.Header.Set("Content-Type", "application/json")
	resp, err := h.mews.Connector().RoundTrip(req)
	if err != nil {
		return
	}
	_ = resp.Body.Close()
	time.Sleep(time.Duration(random.IntN(20_000)) * time.Millisecond)
	elapsed := time.Since(began)
	for range 1 + random.IntN(2) {
		time.Sleep(time.Duration(random.IntN(int(keyrack.ReportSlack/time.Millisecond)/2)) * time.Millisecond) // the report is under way
		if rack := h.now(); rack != nil {
			// One that is closed, or does not know the token, just goes on.
			_, _ = rack.Report(context.Background(), keyrack.Report{
				Token: keyrack.NewToken(token), Status: resp.StatusCode, Elapsed: elapsed, Operation: "reservations/getAll",
			})
		}
	}
}

// TestWorld has a few hotels live over SQLite in a flaky world, where the file is closed and
// opened anew and hosts elsewhere report the answers to their own calls, late and twice. Nothing
// that does not work is called Valid for longer than a webhook takes to arrive, and in the end, one
// maximum age later, every verdict is right. KEYRACK_LONG=1 takes more hotels, days and seeds.
func TestWorld(t *testing.T) {
	count, days, seeds := 3, 2, uint64(1)
	switch {
	case os.Getenv("KEYRACK_LONG") != "":
		count, days, seeds = 8, 15, 3
	case testing.Short() || testkit.Race:
		count, days = 2, 1
	}
	for seed := range seeds {
		t.Run(fmt.Sprint("seed ", seed+1), func(t *testing.T) {
			path := filepath.Join(fastDir(t), "keyrack.db")
			synctest.Test(t, func(t *testing.T) { liveOverSQLite(t, path, seed+1, count, days) })
		})
	}
}

func liveOverSQLite(t *testing.T, path string, seed uint64, count, days int) {
	mews := mewstest.New(&mewstest.Options{Seed: seed, Faults: mewstest.Flaky(), Latency: mewstest.Spread{Max: time.Second}})
	prober, err := connector.New(connector.Demo, mews.Connector().ClientToken(), "World 1.0", &connector.Options{Transport: mews.Connector()})
	if err != nil {
		t.Fatal(err)
	}
	h := &hotels{T: t, path: path, mews: mews, ring: seal.Ephemeral(), prober: prober}
	h.up()
	for n := range count {
		mews.Connect(fmt.Sprintf("Hotel %d", n+1))
	}
	time.Sleep(time.Hour)
	// A webhook is up to 5 minutes late, and so is each of its three attempts after the one before.
	// What hotels do while the Rack is down comes after that. In a longer life one in a thousand
	// never arrives, and the lease alone finds that out.
	limit := 21 * time.Minute
	if os.Getenv("KEYRACK_LONG") != "" {
		limit = 24*time.Hour + time.Minute
	}
	watch := mews.NeverSilentlyWrong(t, h.ask, limit)
	mews.Live(mewstest.Rates{Every: 12 * time.Hour, Burst: 0.3, Weights: mewstest.Weights{Toggle: 12, Cancel: 4, Rotate: 3}})
	random := rand.New(rand.NewPCG(seed, 5))
	restart := 0
	for end := time.Now().Add(time.Duration(days) * 24 * time.Hour); time.Now().Before(end); {
		for i := range mews.Integrations() {
			h.call(i, random)
		}
		if restart++; restart%11 == 0 {
			h.down()
			time.Sleep(time.Duration(random.IntN(180)) * time.Second)
			h.up()
		}
		time.Sleep(time.Duration(90+random.IntN(60)) * time.Minute)
	}
	mews.EventuallyRight(t, h.ask, 24*time.Hour+time.Minute)
	watch.Stop()
	t.Logf("%v", watch.Account())
	h.down()
}
