package keyrack_test

import (
	"bytes"
	"container/heap"
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"runtime"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/keyrack-dev/keyrack"
	"github.com/keyrack-dev/keyrack/lifecycle"
	"github.com/keyrack-dev/keyrack/memstore"
	"github.com/keyrack-dev/keyrack/seal"
	"github.com/keyrack-dev/keyrack/store"
)

// What must hold whatever arrives, in whatever order, how often, and however the
// store behaves meanwhile.

// site is a store that fails, with two Racks on it, as two instances of an
// application have them.
type site struct {
	t        tb
	ctx      context.Context
	mem      *memstore.Store
	store    *faulty
	options  keyrack.Options
	racks    [2]*keyrack.Rack
	handlers [2]*keyrack.Handler
	seen     keyrack.ServedRequest
	digester seal.Digester
}

func newSite(t tb, options keyrack.Options) *site {
	s := &site{t: t, ctx: context.Background(), mem: memstore.New(nil), options: options}
	s.store = &faulty{Store: s.mem}
	s.options.Sealer, s.options.Poll = seal.Ephemeral(), poll
	for i := range s.racks {
		s.open(i)
	}
	sealed, err := s.mem.Sealed(s.ctx, store.Ref{Name: "digest key"})
	if err != nil {
		t.Fatalf("the digest key: %v", err)
	}
	key, err := s.options.Sealer.Open(sealed, "digest key")
	if err != nil {
		t.Fatalf("the digest key: %v", err)
	}
	if s.digester, err = seal.NewDigester(key); err != nil {
		t.Fatalf("the digest key: %v", err)
	}
	return s
}

func (s *site) open(i int) {
	var err error
	s.options.Telemetry = &keyrack.Telemetry{Answered: func(_ context.Context, o keyrack.ServedRequest) { s.seen = o }}
	if s.racks[i], err = keyrack.Open(s.ctx, s.store, &s.options); err != nil {
		s.t.Fatalf("Open: %v", err)
	}
	s.handlers[i], err = s.racks[i].Handler(nil, &keyrack.HandlerOptions{WithoutSecret: true})
	if err != nil {
		s.t.Fatalf("Handler: %v", err)
	}
}

func (s *site) close() {
	for _, r := range s.racks {
		r.Close()
	}
}

// deliver sends a body to one of the two instances, and returns the status.
func (s *site) deliver(i int, body []byte) int { return post(s.handlers[i], body) }

func post(h http.Handler, body []byte) int {
	w := httptest.NewRecorder()
	h.ServeHTTP(w, httptest.NewRequest(http.MethodPost, keyrack.DefaultPath, bytes.NewReader(body)))
	return w.Code
}

// stored is what the store has, without its faults.
func (s *site) stored() (records map[string]string, entries []store.Entry) {
	records = map[string]string{}
	for in, err := range s.mem.Scan(s.ctx, "") {
		if err != nil {
			s.t.Fatalf("Scan: %v", err)
		}
		records[in.Integration] = string(in.Record)
	}
	for e, err := range s.mem.Journal(s.ctx, 0) {
		if err != nil {
			s.t.Fatalf("Journal: %v", err)
		}
		entries = append(entries, e)
	}
	return records, entries
}

// checkVerdicts holds what a Rack answers to what its records say.
func (s *site) checkVerdicts(r *keyrack.Rack, tokens []string) {
	s.t.Helper()
	now := lifecycle.At(time.Now())
	for _, name := range tokens {
		digest := s.digester.Sum(tokenText(name))
		want := keyrack.Verdict{}
		for record := range r.Integrations() {
			if _, ok := record.Key(digest); ok {
				want = record.Verdict(digest, &s.options.Policy, now)
			}
		}
		if got := r.Check(tokenText(name)); got != want {
			s.t.Errorf("Check of %s says %+v, the records say %+v", name, got, want)
		}
	}
	for record := range r.Integrations() {
		if got, want := r.CheckIntegration(record.ID), record.Verdict(lifecycle.Digest{}, &s.options.Policy, now); got != want {
			s.t.Errorf("Integration says %+v, the record says %+v", got, want)
		}
	}
}

// poll is how often the Racks of a site look at the journal.
const poll = 10 * time.Second

// catchUp lets both Racks hear of everything that the store has. One of them may
// be waiting for an answer that does not come, which takes it half a minute.
func (s *site) catchUp() {
	s.store.fail()
	time.Sleep(30*time.Second + 2*poll)
	synctest.Wait()
}

var (
	fleet  = []string{"A", "B", "C"}
	rings  = []string{"k1", "k2", "k3", "k4", "k5"}
	hotels = []string{"H", "other"}
)

// anyBody draws a delivery that need not make any sense.
func anyBody(t *rapid.T) (integration string, body []byte) {
	about := rapid.SampledFrom(fleet).Draw(t, "integration")
	token := rapid.SampledFrom(rings).Draw(t, "token")
	switch action := rapid.SampledFrom(append(lifecycle.Actions(), lifecycle.ActionUnknown)).Draw(t, "action"); action {
	case lifecycle.ActionUnknown:
		return "", []byte(rapid.SampledFrom([]string{`{}`, `[1]`, `{"Action":"IntegrationMoved"}`}).Draw(t, "odd"))
	case lifecycle.IntegrationCreated:
		return about, creation(about, token, rapid.SampledFrom([]lifecycle.Flag{lifecycle.Yes, lifecycle.No, lifecycle.Unset}).Draw(t, "on"),
			atHotel(rapid.SampledFrom([]string{"H", "H", "H", "other"}).Draw(t, "hotel")),
			bornAt(rapid.SampledFrom([]time.Time{birthday, birthday, {}, birthday.Add(day)}).Draw(t, "born")))
	case lifecycle.IntegrationDeleted:
		return about, deletion(about, rapid.SampledFrom([]time.Time{{}, birthday.Add(hour), birthday.Add(-hour)}).Draw(t, "died"))
	case lifecycle.IntegrationApiKeyCreated:
		return about, rotation(about, token)
	default:
		return about, webhook(action, about, nil)
	}
}

func someFaults() *rapid.Generator[[]fault] {
	return rapid.SliceOfN(rapid.Map(rapid.IntRange(0, int(numFaults)-1), func(n int) fault { return fault(n) }), 0, 5)
}

// Whatever arrives and however the store fails: a 2xx is in the journal, an error
// is there at most once, records are the fold of it, a token has one owner, an
// enterprise never changes, one integration's evidence touches no other's record,
// a tombstone stands, no Rack is ahead of the store, Check is what the records
// say, and whoever opens the store afterwards answers the same.
func TestStorm(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) { rapid.SyncTest(t, storm) })
}

func storm(t *rapid.T) {
	s := newSite(t, keyrack.Options{
		Horizon: 3 * minute,
		Policy:  keyrack.Policy{Grace: rapid.SampledFrom([]time.Duration{0, minute}).Draw(t, "grace")},
	})
	defer s.close()
	var bodies [][]byte
	var abouts []string
	enterprises := map[string]string{}
	buried := map[string]bool{}
	before, entriesBefore := s.stored()
	for range rapid.IntRange(1, 25).Draw(t, "steps") {
		i := rapid.IntRange(0, 1).Draw(t, "instance")
		time.Sleep(rapid.SampledFrom([]time.Duration{time.Millisecond, time.Second, minute, 4 * minute}).Draw(t, "pause"))
		s.store.fail(someFaults().Draw(t, "faults")...)

		var receipt keyrack.Receipt
		var about string
		var stored, buries, reopens bool
		switch what := rapid.IntRange(0, 9).Draw(t, "what"); {
		case what == 0: // the application saw an answer
			status := rapid.SampledFrom([]int{200, 401}).Draw(t, "status")
			token := rapid.SampledFrom(rings).Draw(t, "token")
			about = s.racks[i].Check(tokenText(token)).Integration
			var err error
			receipt, err = s.racks[i].Report(s.ctx, tokenText(token), status, time.Now())
			stored = err == nil && !receipt.ID.IsZero()
		case what == 1: // somebody imports by hand
			about = integrationID(rapid.SampledFrom(fleet).Draw(t, "integration"))
			var err error
			receipt, err = s.racks[i].Import(s.ctx, keyrack.Import{
				Integration: lifecycle.Named{ID: about},
				Enterprise:  lifecycle.Named{ID: enterpriseID(rapid.SampledFrom(hotels).Draw(t, "hotel"))},
				Token:       keyrack.NewToken(tokenText(rapid.SampledFrom(rings).Draw(t, "token"))),
			})
			stored, reopens = err == nil, true
		default: // a delivery, or one again
			var body []byte
			if what < 4 && len(bodies) > 0 {
				again := rapid.IntRange(0, len(bodies)-1).Draw(t, "again")
				about, body = abouts[again], bodies[again]
			} else {
				about, body = anyBody(t)
				bodies, abouts = append(bodies, body), append(abouts, about)
			}
			status := s.deliver(i, body)
			if about != "" {
				about = integrationID(about)
			}
			stored, receipt = status == http.StatusNoContent, s.seen.Receipt
			if !stored && status != http.StatusServiceUnavailable {
				t.Errorf("answered %d", status)
			}
			buries = stored && bytes.Contains(body, []byte("IntegrationDeleted"))
		}

		synctest.Wait() // whoever polls is done
		records, entries := s.stored()
		grown := entries[len(entriesBefore):]
		switch {
		case stored && len(grown) != 1, len(grown) > 1:
			t.Errorf("%d entries in the journal for one piece of evidence; taken in: %v", len(grown), stored)
		case stored && grown[0].ID != receipt.ID:
			t.Errorf("the journal has another entry than the receipt")
		case len(grown) == 1 && grown[0].Integration != about:
			t.Errorf("the entry is about %q, the evidence about %q", grown[0].Integration, about)
		}
		for id, record := range before {
			if id != about && records[id] != record {
				t.Errorf("evidence about %s changed %s:\n%s", about, id, cmp.Diff(record, records[id]))
			}
		}
		for id, text := range records {
			record, err := lifecycle.ParseRecord([]byte(text))
			if err != nil {
				t.Fatal(err)
			}
			if known := enterprises[id]; known != "" && record.Enterprise.ID != known {
				t.Errorf("%s went from enterprise %s to %q", id, known, record.Enterprise.ID)
			}
			enterprises[id] = record.Enterprise.ID
			if id == about && buries {
				buried[id] = true
			}
			if id == about && reopens {
				buried[id] = record.State == lifecycle.Deleted
			}
			if buried[id] && record.State != lifecycle.Deleted {
				t.Errorf("%s was deleted and is %v", id, record.State)
			}
		}
		audit(t, s.mem, s.racks[:]...)
		for _, r := range s.racks {
			s.checkVerdicts(r, rings)
		}
		before, entriesBefore = records, entries
	}
	s.catchUp()
	here := ask(s.racks[0], rings, hotels)
	s.racks[1].Close()
	s.open(1)
	if diff := cmp.Diff(here, ask(s.racks[1], rings, hotels)); diff != "" {
		t.Errorf("opened anew, it answers otherwise (-before +after):\n%s", diff)
	}
}

// reading is one way to understand what Mews's documents leave open.
type reading struct {
	CancelClears   bool // canceling clears the enabled flag, without a word
	ToggleCanceled bool // the flag can be changed, and is told, while canceled
	Reinstate      int  // reinstating restores the flag, sets it, or leaves it
}

// truth is one integration as Mews has it.
type truth struct {
	name                           string
	created, on, canceled, deleted bool
	formerly                       bool // the flag before the cancellation
	tokens                         []string
	changed                        time.Time
}

func (h *truth) valid() bool { return h.created && h.on && !h.canceled && !h.deleted }

// happen lets one legal thing happen, and returns what Mews sends about it.
func (h *truth) happen(t *rapid.T, r reading) []byte {
	say := func(a lifecycle.Action) []byte { return webhook(a, h.name, nil) }
	token := func() string {
		h.tokens = append(h.tokens, fmt.Sprintf("%s%d", h.name, len(h.tokens)))
		return h.tokens[len(h.tokens)-1]
	}
	h.changed = time.Now()
	if !h.created {
		h.created, h.on = true, rapid.Bool().Draw(t, "on")
		return creation(h.name, token(), lifecycle.FlagOf(h.on))
	}
	choices := []string{"rotate", "cancel", "toggle", "toggle", "toggle", "cancel"}
	if h.deleted {
		return nil
	}
	if rapid.IntRange(0, 19).Draw(t, "end") == 0 {
		h.deleted = true
		return deletion(h.name, birthday.Add(day))
	}
	switch rapid.SampledFrom(choices).Draw(t, "happens") {
	case "rotate":
		return rotation(h.name, token())
	case "cancel":
		if h.canceled = !h.canceled; h.canceled {
			h.formerly = h.on
			h.on = h.on && !r.CancelClears
			return say(lifecycle.IntegrationCanceled)
		}
		switch r.Reinstate {
		case 0:
			h.on = h.formerly
		case 1:
			h.on = true
		}
		return say(lifecycle.IntegrationReinstated)
	default:
		if h.canceled && !r.ToggleCanceled {
			return nil
		}
		if h.on = !h.on; h.on {
			return say(lifecycle.IntegrationEnabled)
		}
		return say(lifecycle.IntegrationDisabled)
	}
}

// parcel is a delivery under way.
type parcel struct {
	at       time.Time
	body     []byte
	attempts int
}

type mail []parcel

func (m mail) Len() int           { return len(m) }
func (m mail) Less(i, j int) bool { return m[i].at.Before(m[j].at) }
func (m mail) Swap(i, j int)      { m[i], m[j] = m[j], m[i] }
func (m *mail) Push(x any)        { *m = append(*m, x.(parcel)) }
func (m *mail) Pop() any {
	last := (*m)[len(*m)-1]
	*m = (*m)[:len(*m)-1]
	return last
}

// Without loss and with a horizon above the longest delay, once everything that
// was sent has arrived, an answer other than Unknown is the truth, under each
// reading of what Mews leaves open; though the store fails, both instances get
// their share, everything comes twice and in any order, and the application
// reports what it sees.
func TestTruth(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) { rapid.SyncTest(t, tellTheTruth) })
}

func tellTheTruth(t *rapid.T) {
	const horizon, late = 3 * minute, minute
	s := newSite(t, keyrack.Options{Horizon: horizon})
	defer s.close()
	r := reading{
		CancelClears:   rapid.Bool().Draw(t, "canceling clears"),
		ToggleCanceled: rapid.Bool().Draw(t, "toggles while canceled"),
		Reinstate:      rapid.IntRange(0, 2).Draw(t, "reinstating restores, sets, leaves"),
	}
	hotels := []*truth{{name: "A"}, {name: "B"}}
	var under mail
	compare := func() {
		s.catchUp()
		for _, h := range hotels {
			s.compare(h, r)
		}
	}
	arrive := func(until time.Time) {
		for len(under) > 0 && !under[0].at.After(until) {
			p := heap.Pop(&under).(parcel)
			time.Sleep(time.Until(p.at))
			i := rapid.IntRange(0, 1).Draw(t, "instance")
			s.store.fail()
			if p.attempts < 2 {
				s.store.fail(someFaults().Draw(t, "faults")...)
			}
			if s.deliver(i, p.body) != http.StatusNoContent {
				p.at, p.attempts = time.Now().Add(20*time.Second), p.attempts+1
				heap.Push(&under, p)
			}
		}
		s.store.fail()
		time.Sleep(time.Until(until))
	}
	for range rapid.IntRange(1, 15).Draw(t, "events") {
		h := rapid.SampledFrom(hotels).Draw(t, "hotel")
		if body := h.happen(t, r); body != nil {
			for range rapid.SampledFrom([]int{1, 1, 1, 2, 3}).Draw(t, "copies") {
				delay := time.Duration(rapid.IntRange(0, int(late/time.Second)).Draw(t, "delay")) * time.Second
				heap.Push(&under, parcel{at: time.Now().Add(delay), body: body})
			}
		}
		arrive(time.Now().Add(rapid.SampledFrom([]time.Duration{
			time.Second, 10 * time.Second, 10 * time.Second, 30 * time.Second, late + minute, 2 * horizon,
		}).Draw(t, "pause")))
		if len(h.tokens) > 0 && rapid.IntRange(0, 9).Draw(t, "own call") == 0 {
			status, token := http.StatusUnauthorized, rapid.SampledFrom(h.tokens).Draw(t, "token")
			if h.valid() && token == h.tokens[len(h.tokens)-1] {
				status = http.StatusOK
			}
			// Whoever does not know the token, or failed to store this, just goes on.
			_, _ = s.racks[0].Report(s.ctx, tokenText(token), status, time.Now())
		}
		if len(under) == 0 {
			compare()
		}
	}
	for len(under) > 0 {
		arrive(under[0].at.Add(time.Second))
	}
	compare()
	// A 200 that began after the last change settles it.
	time.Sleep(time.Second)
	for _, h := range hotels {
		if !h.valid() {
			continue
		}
		token := tokenText(h.tokens[len(h.tokens)-1])
		if _, err := s.racks[0].Report(s.ctx, token, http.StatusOK, time.Now()); err != nil {
			t.Errorf("Report: %v", err)
		} else if v := s.racks[0].Check(token); v.Status != lifecycle.Valid {
			t.Errorf("%s works, and is %s", h.name, verdictText(v))
		}
	}
	audit(t, s.mem, s.racks[:]...)
}

// compare holds what both Racks say of an integration to the truth.
func (s *site) compare(h *truth, r reading) {
	s.t.Helper()
	for i, token := range h.tokens {
		want := lifecycle.Invalid
		if h.valid() && i == len(h.tokens)-1 {
			want = lifecycle.Valid
		}
		for _, rack := range s.racks {
			if v := rack.Check(tokenText(token)); v.Status != lifecycle.Unknown && v.Status != want {
				record, _ := rack.Record(integrationID(h.name))
				s.t.Errorf("%s: token %d of %d is %v, the answer is %s; %+v\n%+v\n%s", h.name, i+1, len(h.tokens), want,
					verdictText(v), r, h, lifecycle.AppendRecord(nil, record))
			}
		}
	}
}

// An IntegrationCreated is the oldest event of an integration by definition:
// whenever it arrives, the same follows for the state and for every token.
func TestCreatedCommutes(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) { rapid.SyncTest(t, commute) })
}

func commute(t *rapid.T) {
	toggles := []lifecycle.Action{
		lifecycle.IntegrationEnabled, lifecycle.IntegrationDisabled,
		lifecycle.IntegrationCanceled, lifecycle.IntegrationReinstated,
	}
	bodies := rapid.SliceOfN(rapid.Custom(func(t *rapid.T) []byte {
		if n := rapid.IntRange(0, len(toggles)+1).Draw(t, "action"); n < len(toggles) {
			return webhook(toggles[n], "A", nil)
		}
		return rotation("A", rapid.SampledFrom(rings[1:]).Draw(t, "token"))
	}), 1, 7).Draw(t, "others")
	birth := creation("A", rings[0], lifecycle.FlagOf(rapid.Bool().Draw(t, "on")))
	deletes := rapid.IntRange(0, 3).Draw(t, "deleted") == 0
	life := func(place int) answers {
		s := newSite(t, keyrack.Options{})
		defer s.close()
		for i := range len(bodies) + 1 {
			if i == place {
				s.deliver(0, birth)
			}
			time.Sleep(time.Second)
			if i < len(bodies) {
				s.deliver(0, bodies[i])
			}
		}
		if deletes {
			s.deliver(0, deletion("A", time.Time{}))
		}
		a := ask(s.racks[0], rings, []string{"H"})
		a.Records = nil // which tell the order
		for _, verdicts := range []map[string]keyrack.Verdict{a.Tokens, a.Integrations} {
			for name, v := range verdicts {
				v.Evidence = lifecycle.Basis{}
				verdicts[name] = v
			}
		}
		return a
	}
	first := life(0)
	place := rapid.IntRange(1, len(bodies)).Draw(t, "place")
	if diff := cmp.Diff(first, life(place)); diff != "" {
		t.Errorf("it matters that Created comes after %d others (-first +later):\n%s", place, diff)
	}
}

// Whatever contains a deletion ends deleted, in whatever order it comes.
func TestDeletedAbsorbs(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		s := newSite(t, keyrack.Options{})
		defer s.close()
		bodies := [][]byte{deletion("A", time.Time{})}
		for _, a := range lifecycle.Actions() {
			switch a {
			case lifecycle.IntegrationCreated:
				bodies = append(bodies, creation("A", "k1", lifecycle.Yes))
			case lifecycle.IntegrationApiKeyCreated:
				bodies = append(bodies, rotation("A", "k2"))
			case lifecycle.IntegrationDeleted:
			default:
				bodies = append(bodies, webhook(a, "A", nil))
			}
		}
		for _, body := range rapid.Permutation(bodies).Draw(t, "order") {
			if status := s.deliver(0, body); status != http.StatusNoContent {
				t.Fatalf("answered %d", status)
			}
		}
		r := s.racks[0]
		if record, _ := r.Record(integrationID("A")); record.State != lifecycle.Deleted {
			t.Errorf("ended as %v", record.State)
		}
		for _, token := range []string{"k1", "k2"} {
			if got := verdictText(r.Check(tokenText(token))); got != "invalid deleted" {
				t.Errorf("token %s is %s", token, got)
			}
			if _, err := r.Report(s.ctx, tokenText(token), http.StatusOK, time.Now().Add(time.Second)); err != nil {
				t.Error(err)
			}
			if v := r.Check(tokenText(token)); v.Status == lifecycle.Valid {
				t.Errorf("a 200 made token %s of a deleted integration valid", token)
			}
		}
	})
}

// A store that fails, or a context that has ended, never makes a Valid: neither
// of a token that must be fetched, nor of a delivery that was not taken in.
func TestStoreErrorsAreUnknown(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		rapid.SyncTest(t, func(t *rapid.T) {
			s := newSite(t, keyrack.Options{})
			defer s.close()
			r := s.racks[0]
			s.deliver(0, creation("A", "k", lifecycle.Yes))
			f := fault(rapid.IntRange(int(failsBefore), int(hangsAfter)).Draw(t, "fault"))
			synctest.Wait() // else the other instance, which follows, gets the fault
			s.store.fail(f)
			ctx, cancel := context.WithCancel(s.ctx)
			defer cancel()
			if rapid.Bool().Draw(t, "canceled") {
				cancel()
			}
			began := time.Now()
			token, v, err := r.Token(ctx, integrationID("A"))
			if err == nil || v.Status != lifecycle.Unknown || v.Active() || !token.IsZero() {
				t.Errorf("fault %d: %s, %v, and a token: %v", f, verdictText(v), err, !token.IsZero())
			}
			if took := time.Since(began); took > storeTimeout {
				t.Errorf("it took %v", took)
			}
			// What is in memory needs no store.
			if v := r.Check(tokenText("k")); v.Status != lifecycle.Valid {
				t.Errorf("Check with a store that is away: %s", verdictText(v))
			}
			s.store.fail(f, f, f)
			began = time.Now()
			if status := s.deliver(0, creation("B", "b", lifecycle.Yes)); status != http.StatusServiceUnavailable {
				t.Errorf("fault %d, and answered %d", f, status)
			}
			if took := time.Since(began); took > storeTimeout {
				t.Errorf("it took %v", took)
			}
			if v := r.Check(tokenText("b")); v.Status == lifecycle.Valid {
				t.Error("valid by a delivery that was not taken in")
			}
		})
	})
}

// Memory is bounded by the number of integrations, not of deliveries.
func TestManyDuplicates(t *testing.T) {
	const limit, deliveries = 256, 100_000
	mem := memstore.New(&memstore.Options{JournalLimit: limit})
	r, err := keyrack.Open(t.Context(), mem, nil)
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	var bodies [][]byte
	for _, name := range fleet {
		bodies = append(bodies, creation(name, "key of "+name, lifecycle.Yes), webhook(lifecycle.IntegrationEnabled, name, nil),
			webhook(lifecycle.IntegrationCanceled, name, nil), webhook(lifecycle.IntegrationCanceled, name, nil),
			rotation(name, "new key of "+name), []byte(`[]`))
	}
	storm := func(n int) (heap uint64, record int) {
		for i := range n {
			if _, err := r.Deliver(t.Context(), bodies[i%len(bodies)]); err != nil {
				t.Fatal(err)
			}
		}
		for _, name := range fleet {
			record = max(record, len(lifecycle.AppendRecord(nil, must(r.Record(integrationID(name))))))
		}
		r.NoteAnswers()
		var m runtime.MemStats
		for range 3 {
			runtime.GC()
		}
		runtime.ReadMemStats(&m)
		return m.HeapAlloc, record
	}
	heap, record := storm(4 * limit)
	later, larger := storm(deliveries)
	if grown := int64(later) - int64(heap); grown > 1<<20 {
		t.Errorf("%d further deliveries took %d bytes", deliveries, grown)
	}
	if larger > record+64 {
		t.Errorf("a record grew from %d to %d bytes", record, larger)
	}
	entries := 0
	first, _, _ := mem.Bounds(t.Context())
	for range mem.Journal(t.Context(), first) {
		entries++
	}
	if entries > limit {
		t.Errorf("%d entries in a journal of %d", entries, limit)
	}
	audit(t, mem, r)
}

func must[T any](v T, ok bool) T {
	if !ok {
		panic("missing")
	}
	return v
}

// Two instances on one store that fails, and many deliveries at once: none is
// lost, none counts twice.
func TestTwoInstancesAtOnce(t *testing.T) {
	s := newSite(t, keyrack.Options{})
	defer s.close()
	options := s.options
	options.Telemetry = nil // which listens to one request at a time
	var racks [2]*keyrack.Rack
	var handlers [2]*keyrack.Handler
	for i := range racks {
		var err error
		if racks[i], err = keyrack.Open(s.ctx, &random{Store: s.mem}, &options); err != nil {
			t.Fatal(err)
		}
		defer racks[i].Close()
		if handlers[i], err = racks[i].Handler(nil, &keyrack.HandlerOptions{WithoutSecret: true}); err != nil {
			t.Fatal(err)
		}
	}
	const workers, each = 8, 60
	var accepted, refused atomic.Int64
	var wg sync.WaitGroup
	for w := range workers {
		wg.Go(func() {
			rng := rand.New(rand.NewPCG(uint64(w), 7))
			for range each {
				name := fleet[rng.IntN(len(fleet))]
				var body []byte
				switch rng.IntN(6) {
				case 0:
					body = creation(name, rings[rng.IntN(len(rings))], lifecycle.Yes)
				case 1:
					body = rotation(name, rings[rng.IntN(len(rings))])
				case 2:
					body = []byte(`{"Action":"IntegrationMoved"}`)
				default:
					body = webhook(lifecycle.IntegrationEnabled+lifecycle.Action(rng.IntN(4)), name, nil)
				}
				switch status := post(handlers[rng.IntN(2)], body); status {
				case http.StatusNoContent:
					accepted.Add(1)
				case http.StatusServiceUnavailable:
					refused.Add(1)
				default:
					t.Errorf("answered %d", status)
				}
				for _, token := range rings {
					racks[rng.IntN(2)].Check(tokenText(token))
				}
			}
		})
	}
	wg.Wait()
	_, entries := s.stored()
	if n := int64(len(entries)); n < accepted.Load() || n > accepted.Load()+refused.Load() {
		t.Errorf("%d entries for %d deliveries taken in and %d not", n, accepted.Load(), refused.Load())
	}
	t.Logf("%d taken in, %d not, %d entries", accepted.Load(), refused.Load(), len(entries))
	audit(t, s.mem, racks[:]...)
}

// A token that one integration has forgotten and another has taken up belongs to
// that one, in whatever order an instance hears of it.
func TestForgottenTokenMoves(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newSite(t, keyrack.Options{Horizon: minute})
		defer s.close()
		s.deliver(0, creation("A", "k0", lifecycle.Yes))
		for i := range 15 { // a record holds 16 tokens
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

// random fails now and then, before or after, from many goroutines.
type random struct{ store.Store }

func (s *random) Commit(ctx context.Context, c store.Commit) (store.Committed, error) {
	switch rand.IntN(10) {
	case 0:
		return store.Committed{}, errFault
	case 1:
		if receipt, err := s.Store.Commit(ctx, c); err != nil {
			return receipt, err
		}
		return store.Committed{}, errFault
	case 2:
		runtime.Gosched()
	}
	return s.Store.Commit(ctx, c)
}

// A 401 of one integration's says nothing about another's, and settles nothing.
func TestRejectionStaysAtHome(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		s := newSite(t, keyrack.Options{})
		defer s.close()
		names := slices.Concat(fleet, rings)
		for _, name := range names {
			s.deliver(0, creation(name, "key of "+name, lifecycle.Yes))
		}
		time.Sleep(time.Microsecond)
		struck := rapid.SliceOfNDistinct(rapid.SampledFrom(names), 1, len(names), rapid.ID).Draw(t, "401")
		for _, name := range struck {
			_, err := s.racks[0].Report(s.ctx, tokenText("key of "+name), http.StatusUnauthorized, time.Now().Add(time.Microsecond))
			if err != nil && !errors.Is(err, keyrack.ErrNotFound) {
				t.Fatal(err)
			}
		}
		for _, name := range names {
			want := "valid live"
			if slices.Contains(struck, name) {
				want = "unknown doubted, guess invalid"
			}
			if got := verdictText(s.racks[0].Check(tokenText("key of " + name))); got != want {
				t.Errorf("%s is %s, want %s", name, got, want)
			}
		}
	})
}
