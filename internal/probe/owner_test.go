package probe

import (
	"bytes"
	"context"
	"crypto/sha256"
	"errors"
	"iter"
	"log/slog"
	"maps"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/keyrack-dev/keyrack/connector"
	"github.com/keyrack-dev/keyrack/internal/testkit"
	"github.com/keyrack-dev/keyrack/lifecycle"
	"github.com/keyrack-dev/keyrack/memstore"
	"github.com/keyrack-dev/keyrack/store"
)

const (
	maxAge   = 24 * time.Hour
	takeover = 30 * time.Second
)

func digest(token string) lifecycle.Digest { return sha256.Sum256([]byte(token)) }

// owner is an Owner in memory, and its own prober. A token's text is its name. Without
// an entry in answers a token works.
type owner struct {
	t *testing.T

	mu       sync.Mutex
	records  map[string]*lifecycle.Record
	names    map[lifecycle.Digest]string
	lost     error // what Token returns
	refuses  error // what Take returns
	answers  map[string]connector.Answer
	breaks   any           // what the prober panics with
	delay    time.Duration // of every answer
	asked    []question
	underWay map[string]int
	most     int // questions under way at the same time
	took     []lifecycle.Evidence
	decided  []lifecycle.Outcome
	alarms   []Alarm
	told     []connector.Answer // to the callback of Asking
	slept    time.Duration      // for which the machine stood still, and no timer ran
}

// question is a question that was put, by the time since the test began.
type question struct {
	token string
	at    time.Duration
}

func newOwner(t *testing.T) *owner {
	return &owner{
		t: t, records: map[string]*lifecycle.Record{}, names: map[lifecycle.Digest]string{},
		answers: map[string]connector.Answer{}, underWay: map[string]int{}, delay: 100 * time.Millisecond,
	}
}

// epoch is when time begins in synctest's bubbles.
var epoch = time.Date(2000, 1, 1, 0, 0, 0, 0, time.UTC)

func (o *owner) Now() time.Time {
	o.mu.Lock()
	defer o.mu.Unlock()
	return time.Now().Add(o.slept)
}

func (o *owner) Record(id string) *lifecycle.Record {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.records[id]
}

func (o *owner) Records() iter.Seq[*lifecycle.Record] {
	o.mu.Lock()
	defer o.mu.Unlock()
	return slices.Values(slices.Collect(maps.Values(o.records)))
}

func (o *owner) Verdict(r *lifecycle.Record, token lifecycle.Digest) lifecycle.Verdict {
	return r.Verdict(token, &lifecycle.Policy{MaxAge: maxAge}, lifecycle.At(o.Now()))
}

func (o *owner) Token(_ context.Context, _ string, d lifecycle.Digest) (lifecycle.Token, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.lost != nil {
		return lifecycle.Token{}, o.lost
	}
	return lifecycle.NewToken(o.names[d]), nil
}

func (o *owner) Take(_ context.Context, e lifecycle.Evidence) error {
	o.mu.Lock()
	refuses := o.refuses
	if refuses == nil {
		o.took = append(o.took, e)
	}
	o.mu.Unlock()
	if refuses != nil {
		return refuses
	}
	decision := o.apply(e)
	o.mu.Lock()
	defer o.mu.Unlock()
	o.decided = append(o.decided, decision.Outcome)
	return nil
}

func (o *owner) Alarm(_ context.Context, what Alarm) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.alarms = append(o.alarms, what)
}

func (o *owner) Asking(ctx context.Context, _ string) (context.Context, func(connector.Answer, error)) {
	return ctx, func(a connector.Answer, _ error) {
		o.mu.Lock()
		defer o.mu.Unlock()
		o.told = append(o.told, a)
	}
}

// Probe answers a question.
func (o *owner) Probe(ctx context.Context, token lifecycle.Token, enterprise string) (connector.Answer, error) {
	name := token.Reveal()
	o.mu.Lock()
	if o.underWay[enterprise]++; o.underWay[enterprise] > 1 {
		o.t.Errorf("two questions about the integration of %s are under way", enterprise)
	}
	all := 0
	for _, n := range o.underWay {
		all += n
	}
	o.most = max(o.most, all)
	o.asked = append(o.asked, question{name, time.Since(epoch)})
	delay := o.delay
	o.mu.Unlock()
	select {
	case <-time.After(delay):
	case <-ctx.Done():
	}
	o.mu.Lock()
	defer o.mu.Unlock()
	o.underWay[enterprise]--
	if o.breaks != nil {
		panic(o.breaks)
	}
	if ctx.Err() != nil {
		return connector.Answer{}, ctx.Err()
	}
	a, ok := o.answers[name]
	if !ok {
		a = connector.Answer{Kind: connector.Accepted, Status: 200}
	}
	if a.Kind == connector.Accepted && a.Enterprise.ID == "" {
		a.Enterprise.ID = enterprise
	}
	if a.Kind == connector.Silent {
		return a, errors.New("made-up silence")
	}
	return a, nil
}

// unauthorized is a 401.
var unauthorized = connector.Answer{Kind: connector.Unauthorized, Status: 401}

func (o *owner) answer(token string, a connector.Answer) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.answers[token] = a
}

func (o *owner) set(change func()) {
	o.mu.Lock()
	defer o.mu.Unlock()
	change()
}

func (o *owner) apply(e lifecycle.Evidence) lifecycle.Decision {
	e.At = lifecycle.At(o.Now())
	o.mu.Lock()
	defer o.mu.Unlock()
	id := e.Integration.ID
	record := lifecycle.Record{ID: id}
	if known := o.records[id]; known != nil {
		record = *known
	}
	next, decision := record.Apply(e)
	o.records[id] = &next
	return decision
}

// deliver takes in a delivery about an integration, whose enterprise bears its name too.
func (o *owner) deliver(id string, action lifecycle.Action, token string) {
	e := lifecycle.Evidence{Kind: lifecycle.KindDelivery, Action: action, Integration: lifecycle.Named{ID: id}}
	if token != "" {
		e.Token = digest(token)
		o.set(func() { o.names[e.Token] = token })
	}
	if action == lifecycle.IntegrationCreated {
		e.Enterprise, e.IsEnabled = lifecycle.Named{ID: "enterprise " + id}, lifecycle.Yes
	}
	o.apply(e)
}

// create takes in an IntegrationCreated whose token bears the integration's name.
func (o *owner) create(ids ...string) {
	for _, id := range ids {
		o.deliver(id, lifecycle.IntegrationCreated, id)
	}
}

// accept takes in a 200 about the token that bears an integration's name.
func (o *owner) accept(id string) {
	o.apply(lifecycle.Evidence{
		Kind: lifecycle.KindProbe, Integration: lifecycle.Named{ID: id}, Enterprise: lifecycle.Named{ID: "enterprise " + id},
		Token: digest(id), Answer: lifecycle.Accepted, Began: lifecycle.At(time.Now()), Generation: o.Record(id).Generation,
	})
}

// questions returns what was asked since it was called last.
func (o *owner) questions() []question {
	o.mu.Lock()
	defer o.mu.Unlock()
	asked := o.asked
	o.asked = nil
	return asked
}

// tokens returns the tokens of questions.
func tokens(questions []question) string {
	var names []string
	for _, q := range questions {
		names = append(names, q.token)
	}
	return strings.Join(names, " ")
}

// evidence returns the answers that were taken in since it was called last, as
// "token: answer".
func (o *owner) evidence() []string {
	o.mu.Lock()
	defer o.mu.Unlock()
	var all []string
	for _, e := range o.took {
		all = append(all, o.names[e.Token]+": "+e.Answer.String())
	}
	o.took = nil
	return all
}

// alarmed returns all alarms so far.
func (o *owner) alarmed() []Alarm {
	o.mu.Lock()
	defer o.mu.Unlock()
	return slices.Clone(o.alarms)
}

// stage is a schedule with its owner on virtual time, and what it needs to run.
type stage struct {
	*Schedule
	*owner
	leases *memstore.Store
	log    bytes.Buffer
	stop   func()
	done   sync.WaitGroup
}

// scheduling runs a test on virtual time with a schedule that nothing runs yet.
func scheduling(t *testing.T, test func(s *stage)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		s := newStage(newOwner(t), memstore.New(nil))
		defer s.end()
		test(s)
	})
}

func newStage(o *owner, leases *memstore.Store) *stage {
	s := &stage{owner: o, leases: leases, stop: func() {}}
	s.Schedule = New(Options{
		Owner: o, Prober: o, Leases: leases, MaxAge: func() time.Duration { return maxAge }, Rate: 100,
		Takeover: takeover, Patience: time.Second, Log: slog.New(slog.NewTextHandler(&s.log, nil)),
	})
	return s
}

// run has the schedule lead and ask. The lease is the first's that runs.
func (s *stage) run() {
	ctx, cancel := context.WithCancel(context.Background())
	s.stop = cancel
	s.done.Go(func() { s.Lead(ctx) })
	s.done.Go(func() { s.Run(ctx) })
	synctest.Wait()
}

func (s *stage) end() {
	s.stop()
	s.done.Wait()
}

// alive notes in the store that a leader was alive a while ago, so that the schedule
// asks nothing anew.
func (s *stage) alive(ago time.Duration) {
	s.t.Helper()
	l, err := s.leases.Acquire(s.t.Context(), "probe", "a former leader", time.Second)
	if err == nil {
		err = s.leases.Advance(s.t.Context(), l, store.Position(lifecycle.At(time.Now().Add(-ago))))
	}
	if err == nil {
		err = s.leases.Release(s.t.Context(), l)
	}
	if err != nil {
		s.t.Fatal(err)
	}
}

var settle = testkit.Settle
