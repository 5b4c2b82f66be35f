package keyrack_test

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/keyrack-dev/keyrack"
	"github.com/keyrack-dev/keyrack/connector"
	"github.com/keyrack-dev/keyrack/events"
	"github.com/keyrack-dev/keyrack/lifecycle"
	"github.com/keyrack-dev/keyrack/memstore"
	"github.com/keyrack-dev/keyrack/mewstest"
	"github.com/keyrack-dev/keyrack/seal"
	"github.com/keyrack-dev/keyrack/store"
)

// hotelFleet is a Mews of many hotels on virtual time, the Racks that hear of them, and a floor
// that is told the whole truth by every delivery that reaches them. Make one with newFleet
// inside of a bubble.
type hotelFleet struct {
	*testing.T
	mews    *mewstest.World
	floor   *floor
	naive   [3]*naive // that hear what reaches the instances
	prober  connector.Prober
	store   *heralding
	sealer  seal.Sealer
	changes []func(*keyrack.Options)
	probes  atomic.Int64
	began   time.Time // when the World was made

	mu        sync.Mutex
	instances []*keyrack.Rack // nil: it is down
	next      int             // who gets the next delivery
	alarms    []raised
}

// raised is an alarm and when it was raised.
type raised struct {
	keyrack.Alarm
	at time.Time
}

var fleetSecret = lifecycle.NewToken("made-up secret")

// newFleet connects so many hotels and opens so many instances, which ask Mews or do not, with
// changes to their options.
func newFleet(t *testing.T, hotels, instances int, asks bool, options mewstest.Options, changes ...func(*keyrack.Options)) *hotelFleet {
	options.Secret, options.LogMost = fleetSecret, -1
	if options.Tick == 0 {
		options.Tick = 10 * time.Minute
	}
	f := &hotelFleet{T: t, mews: mewstest.New(&options), store: &heralding{Store: memstore.New(nil)}, sealer: seal.Ephemeral(), began: time.Now(), changes: changes}
	for n, take := range [...]func(*naiveHotel, lifecycle.Action, bool){lastEventWins, strictChain, parkingChain} {
		f.naive[n] = &naive{take: take, hotels: map[string]*naiveHotel{}, tokens: map[string]string{}}
	}
	f.floor = &floor{mews: f.mews, tokens: map[string]belief{}}
	if asks {
		prober, err := connector.New(connector.Demo, f.mews.Connector().ClientToken(), "Fleet 1.0", &connector.Options{Transport: f.mews.Connector()})
		if err != nil {
			t.Fatal(err)
		}
		f.prober = counting{prober, &f.probes}
	}
	f.instances = make([]*keyrack.Rack, instances)
	for n := range instances {
		f.start(n)
	}
	f.mews.DeliverTo(f)
	for n := range hotels {
		f.mews.Connect(fmt.Sprintf("Hotel %d", n+1))
		time.Sleep(time.Minute)
	}
	return f
}

// start opens an instance.
func (f *hotelFleet) start(n int) {
	f.Helper()
	options := keyrack.Options{
		Sealer: f.sealer, Prober: f.prober, Poll: time.Hour,
		Telemetry: &keyrack.Telemetry{Alarmed: func(_ context.Context, a keyrack.Alarm) {
			f.mu.Lock()
			defer f.mu.Unlock()
			f.alarms = append(f.alarms, raised{a, time.Now()})
		}},
	}
	for _, change := range f.changes {
		change(&options)
	}
	rack, err := keyrack.Open(context.Background(), f.store, &options)
	if err != nil {
		f.Fatal(err)
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	f.instances[n] = rack
}

// stop closes an instance.
func (f *hotelFleet) stop(n int) {
	f.mu.Lock()
	rack := f.instances[n]
	f.instances[n] = nil
	f.mu.Unlock()
	if rack != nil {
		_ = rack.Close()
	}
}

func (f *hotelFleet) close() {
	f.mews.Calm()
	for n := range f.instances {
		f.stop(n)
	}
}

// live lets time pass until then, in which the application makes its calls and instances
// are restarted.
func (f *hotelFleet) live(world hotelWorld, until time.Time) {
	var all sync.WaitGroup
	ctx, cancel := context.WithDeadline(context.Background(), until)
	defer cancel()
	every := func(d time.Duration, do func(n int)) {
		all.Go(func() {
			tick := time.NewTicker(d)
			defer tick.Stop()
			for n := 0; ; n++ {
				select {
				case <-tick.C:
					do(n)
				case <-ctx.Done():
					return
				}
			}
		})
	}
	if world.calls > 0 {
		every(world.calls, func(int) { f.call() })
	}
	if world.restarts {
		every(40*time.Hour, func(n int) {
			n %= len(f.instances)
			f.stop(n)
			time.Sleep(90 * time.Second)
			f.start(n)
		})
	}
	<-ctx.Done()
	all.Wait()
}

// call has the application make a call for each hotel, as it does in an hour.
func (f *hotelFleet) call() {
	rack := f.rack(0)
	if rack == nil {
		return
	}
	transport, err := rack.Transport(connector.Demo, f.mews.Connector())
	if err != nil {
		f.Error(err)
		return
	}
	for i := range f.mews.Integrations() {
		ctx := keyrack.WithIntegration(context.Background(), i.ID())
		body := fmt.Sprintf(`{"ClientToken":%q,"Client":"Fleet 1.0"}`, f.mews.Connector().ClientToken().Reveal())
		req, err := http.NewRequestWithContext(ctx, http.MethodPost, connector.Demo+"/api/connector/v1/reservations/getAll", strings.NewReader(body))
		if err != nil {
			f.Error(err)
			return
		}
		req.Header.Set("Content-Type", "application/json")
		if resp, err := transport.RoundTrip(req); err == nil {
			_ = resp.Body.Close()
			if resp.StatusCode == http.StatusBadRequest {
				f.Errorf("a call of the application's own is refused for its form")
			}
		}
		time.Sleep(time.Second)
	}
}

// rack returns an instance, or nil if it is down.
func (f *hotelFleet) rack(n int) *keyrack.Rack {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.instances[n]
}

// alarmed returns when an alarm of a kind was first raised after a time.
func (f *hotelFleet) alarmed(kind keyrack.AlarmKind, after time.Time) (time.Time, bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	for _, a := range f.alarms {
		if a.Kind == kind && !a.at.Before(after) {
			return a.at, true
		}
	}
	return time.Time{}, false
}

// ServeHTTP gives a delivery to the instances in turn, and tells the floor of it.
func (f *hotelFleet) ServeHTTP(rw http.ResponseWriter, req *http.Request) {
	f.mu.Lock()
	var up []*keyrack.Rack
	for _, rack := range f.instances {
		if rack != nil {
			up = append(up, rack)
		}
	}
	f.next++
	next := f.next
	f.mu.Unlock()
	if len(up) == 0 {
		panic(http.ErrAbortHandler)
	}
	body, err := io.ReadAll(req.Body)
	if err != nil {
		panic(http.ErrAbortHandler)
	}
	req.Body = io.NopCloser(bytes.NewReader(body))
	handler, err := up[next%len(up)].Handler([]keyrack.Secret{{Name: "fleet", Value: fleetSecret}}, nil)
	if err != nil {
		f.Error(err)
		return
	}
	f.floor.hear(body)
	for _, n := range f.naive {
		n.hear(body)
	}
	handler.ServeHTTP(rw, req)
}

// floor is a receiver that is told the whole truth about an integration at each delivery that
// gets through: nobody who hears of changes by webhooks alone can be right sooner.
type floor struct {
	mews   *mewstest.World
	mu     sync.Mutex
	tokens map[string]belief
}

// belief is what the floor holds of a token.
type belief struct {
	of     *mewstest.Integration
	status lifecycle.Status
}

func (f *floor) hear(body []byte) {
	e, err := events.Decode(body)
	if err != nil {
		return
	}
	i := f.mews.Integration(e.Integration.ID)
	if i == nil {
		return
	}
	works, current := i.Works(), i.Token()
	f.mu.Lock()
	defer f.mu.Unlock()
	for token, b := range f.tokens {
		if b.of == i {
			f.tokens[token] = belief{i, lifecycle.Invalid}
		}
	}
	f.tokens[current] = belief{i, lifecycle.Invalid}
	if works {
		f.tokens[current] = belief{i, lifecycle.Valid}
	}
}

func (f *floor) status(token string) lifecycle.Status {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.tokens[token].status
}

// counting counts the questions.
type counting struct {
	connector.Prober
	n *atomic.Int64
}

func (c counting) Probe(ctx context.Context, token lifecycle.Token, enterprise string) (connector.Answer, error) {
	c.n.Add(1)
	return c.Prober.Probe(ctx, token, enterprise)
}

// heralding is a store that tells its readers when there is news, as a database does.
type heralding struct {
	*memstore.Store
	mu      sync.Mutex
	readers []chan struct{}
}

func (h *heralding) News(context.Context) <-chan struct{} {
	news := make(chan struct{}, 1)
	h.mu.Lock()
	defer h.mu.Unlock()
	h.readers = append(h.readers, news)
	return news
}

func (h *heralding) Commit(ctx context.Context, c store.Commit) (store.Committed, error) {
	committed, err := h.Store.Commit(ctx, c)
	h.mu.Lock()
	defer h.mu.Unlock()
	for _, news := range h.readers {
		select {
		case news <- struct{}{}:
		default:
		}
	}
	return committed, err
}
