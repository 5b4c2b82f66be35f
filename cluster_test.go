package keyrack_test

import (
	"bytes"
	"context"
	"net/http"
	"net/http/httptest"
	"testing/synctest"
	"time"

	"github.com/keyrack-dev/keyrack"
	"github.com/keyrack-dev/keyrack/internal/binding"
	"github.com/keyrack-dev/keyrack/lifecycle"
	"github.com/keyrack-dev/keyrack/memstore"
	"github.com/keyrack-dev/keyrack/seal"
	"github.com/keyrack-dev/keyrack/store"
)

// cluster is a store that fails, with two Racks on it, as two instances of an
// application have them.
type cluster struct {
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

func newCluster(t tb, options keyrack.Options) *cluster {
	s := &cluster{t: t, ctx: context.Background(), mem: memstore.New(nil), options: options}
	s.store = &faulty{Store: s.mem}
	s.options.Sealer, s.options.Poll = seal.Ephemeral(), poll
	for i := range s.racks {
		s.open(i)
	}
	sealed, err := s.mem.Sealed(s.ctx, store.Ref{Name: "digest key"})
	if err != nil {
		t.Fatalf("the digest key: %v", err)
	}
	key, err := binding.Open(s.options.Sealer, store.Ref{Name: "digest key"}, sealed)
	if err != nil {
		t.Fatalf("the digest key: %v", err)
	}
	if s.digester, err = seal.NewDigester(key); err != nil {
		t.Fatalf("the digest key: %v", err)
	}
	return s
}

func (s *cluster) open(i int) {
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

func (s *cluster) close() {
	for _, r := range s.racks {
		r.Close()
	}
}

// deliver sends a body to one of the two instances, and returns the status.
func (s *cluster) deliver(i int, body []byte) int { return post(s.handlers[i], body) }

func post(h http.Handler, body []byte) int {
	w := httptest.NewRecorder()
	h.ServeHTTP(w, httptest.NewRequest(http.MethodPost, keyrack.DefaultPath, bytes.NewReader(body)))
	return w.Code
}

// stored is what the store has, without its faults.
func (s *cluster) stored() (records map[string]string, entries []store.Entry) {
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
func (s *cluster) checkVerdicts(r *keyrack.Rack, tokens []string) {
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
			s.t.Errorf("CheckIntegration says %+v, the record says %+v", got, want)
		}
	}
}

// poll is how often the Racks of a cluster look at the journal.
const poll = 10 * time.Second

// catchUp lets both Racks hear of everything that the store has. One of them may
// be waiting for an answer that does not come, which takes it half a minute.
func (s *cluster) catchUp() {
	s.store.fail()
	time.Sleep(30*time.Second + 2*poll)
	synctest.Wait()
}
