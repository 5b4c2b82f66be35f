package keyrack_test

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/keyrack-dev/keyrack"
	"github.com/keyrack-dev/keyrack/connector"
	"github.com/keyrack-dev/keyrack/internal/testkit"
	"github.com/keyrack-dev/keyrack/lifecycle"
	"github.com/keyrack-dev/keyrack/memstore"
	"github.com/keyrack-dev/keyrack/seal"
	"github.com/keyrack-dev/keyrack/store"
)

// TestInteraction runs the scenarios in testdata/interaction: what Mews sends, what
// the Connector API answers, what several instances on one store say then. Each file
// is one scenario for a person to review. A line that begins with "> " is a command;
// what follows it is what happened, and -update rewrites that. Lines that begin with
// "#" are comments. Time is virtual, and passes only in "wait" and "slow" questions.
//
//	open NAME [prober [trusting]] [horizon=D] [canceled=usable|ask] [grace=D] [levels=N]
//	          [max-age=D] [assume]
//	restart NAME                     close and open again, with the same options
//	close NAME
//	deliver NAME HOTEL created on|off|absent TOKEN | enabled | disabled | canceled
//	                 | reinstated | deleted | rotated TOKEN [of=ENTERPRISE]
//	post NAME BODY                   the body as it is, through the HTTP handler
//	import NAME HOTEL TOKEN [off] [of=ENTERPRISE]
//	report NAME TOKEN STATUS [ago=D] an answer that the application got
//	probe NAME HOTEL                 a question asked by hand
//	mews TOKEN ANSWER                200, 401, 503, of=ENTERPRISE
//	mews slow=D | down | refuse | up for every token
//	mews quiet                       the questions are not written down
//	store NAME down | up
//	store NAME hold | release        the next record that is read is handed over when released
//	issue NAME HOTEL                 a program gets the token
//	follow NAME                      the instance reads what others committed
//	wait D
//	check NAME TOKEN | hotel NAME HOTEL
//	subscribe NAME SUBSCRIPTION [any | token]
//	history NAME HOTEL
func TestInteraction(t *testing.T) {
	files, err := filepath.Glob("testdata/interaction/*.txt")
	if err != nil {
		t.Fatal(err)
	}
	if len(files) < 30 {
		t.Errorf("%d scenarios, want at least 30", len(files))
	}
	for _, file := range files {
		t.Run(strings.TrimSuffix(filepath.Base(file), ".txt"), func(t *testing.T) {
			text, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			synctest.Test(t, func(t *testing.T) { testkit.Golden(t, "interaction/"+filepath.Base(file), interact(t, string(text))) })
		})
	}
}

// interact runs a scenario and returns it with what happened.
func interact(t *testing.T, script string) string {
	s := newScene(t)
	defer s.closeAll()
	var out strings.Builder
	for line := range strings.Lines(script) {
		switch {
		case strings.HasPrefix(line, "> "):
			out.WriteString(line)
			s.run(strings.Fields(line[2:]))
			synctest.Wait()
			for _, said := range s.said() {
				fmt.Fprintf(&out, "  %s\n", said)
			}
		case strings.HasPrefix(line, "#"), strings.TrimSpace(line) == "":
			out.WriteString(line)
		}
	}
	return out.String()
}

// scene is a store, a Mews and the instances between them.
type scene struct {
	*testing.T
	memory    *memstore.Store
	sealer    seal.Sealer
	mews      *scriptedMews
	instances map[string]*actor

	mu                 sync.Mutex
	results, meanwhile []string
}

// note takes down what happens while a command runs.
func (s *scene) note(format string, args ...any) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.meanwhile = append(s.meanwhile, fmt.Sprintf(format, args...))
}

// result takes down what a command itself came to.
func (s *scene) result(format string, args ...any) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.results = append(s.results, fmt.Sprintf(format, args...))
}

// actor is one instance.
type actor struct {
	*keyrack.Rack
	name    string
	options []string
	store   *switchedStore
	handler http.Handler
}

func newScene(t *testing.T) *scene {
	s := &scene{T: t, memory: memstore.New(nil), sealer: seal.Ephemeral(), instances: map[string]*actor{}}
	s.mews = &scriptedMews{scene: s, answers: map[string]string{}, names: map[string]string{}}
	return s
}

// said returns what happened since it was called last: what the command itself came
// to, then all else, sorted and each thing once, since when and how often Mews is
// asked depends on chance.
func (s *scene) said() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	slices.Sort(s.meanwhile)
	lines := append(s.results, slices.Compact(s.meanwhile)...)
	s.results, s.meanwhile = nil, nil
	return lines
}

func (s *scene) closeAll() {
	for _, a := range s.instances {
		a.Close()
	}
}

// run runs one command.
func (s *scene) run(words []string) {
	s.Helper()
	verb, words := words[0], words[1:]
	switch verb {
	case "mews":
		s.mews.set(words)
		return
	case "wait":
		time.Sleep(s.duration(words[0]))
		return
	case "open":
		s.open(words[0], words[1:])
		return
	}
	a := s.instances[words[0]]
	if a == nil {
		s.Fatalf("no instance %q", words[0])
	}
	words = words[1:]
	ctx := context.Background()
	switch verb {
	case "close":
		a.Close()
		delete(s.instances, a.name)
	case "restart":
		a.Close()
		s.open(a.name, a.options)
	case "deliver":
		receipt, err := a.Deliver(ctx, s.body(words))
		s.receipt(receipt, err)
	case "post":
		r := httptest.NewRequest(http.MethodPost, keyrack.DefaultPath, strings.NewReader(strings.Join(words, " ")))
		w := httptest.NewRecorder()
		a.handler.ServeHTTP(w, r)
		s.result("%d", w.Code)
	case "import":
		i := keyrack.Import{
			Integration: lifecycle.Named{ID: integrationID(words[0])},
			Enterprise:  lifecycle.Named{ID: enterpriseID(option(words, "of", "H"))},
			Token:       keyrack.NewToken(s.mews.token(words[1])), Disabled: slices.Contains(words, "off"),
		}
		receipt, err := a.Import(ctx, i)
		s.receipt(receipt, err)
	case "report":
		status, err := strconv.Atoi(words[1])
		if err != nil {
			s.Fatal(err)
		}
		o := answered(words[0], status, s.duration(option(words, "ago", "0s")))
		o.Operation = option(words, "operation", "")
		receipt, err := a.Report(ctx, o)
		if err == nil && receipt.ID.IsZero() {
			s.result("nothing new")
			return
		}
		s.receipt(receipt, err)
	case "settle":
		flags := map[string]lifecycle.Flag{"yes": lifecycle.Yes, "no": lifecycle.No}
		word := keyrack.Settlement{
			Enabled: flags[option(words, "enabled", "")], Canceled: flags[option(words, "canceled", "")],
			Who: keyrack.NewToken("Kim"), Why: keyrack.NewToken("the hotel called"),
		}
		if enterprise := option(words, "by", ""); enterprise != "" {
			word.AnsweredBy = enterpriseID(enterprise)
		}
		if enterprise := option(words, "of", ""); enterprise != "" {
			word.Enterprise = enterpriseID(enterprise)
		}
		if token := option(words, "current", ""); token != "" {
			word.Current = a.Digest(tokenText(token))
		}
		receipt, err := a.Settle(ctx, integrationID(words[0]), word)
		s.receipt(receipt, err)
	case "probe":
		receipt, err := a.Probe(ctx, integrationID(words[0]), "operator")
		s.receipt(receipt, err)
	case "issue":
		_, v, err := a.IssueToken(ctx, integrationID(words[0]), "a program")
		if err != nil {
			s.result("no token: %s", verdictLine(v))
			return
		}
		s.result("the token; %s", verdictLine(v))
	case "store":
		switch words[0] {
		case "hold":
			a.store.hold()
		case "release":
			a.store.release()
		default:
			a.store.set(words[0] == "down")
		}
	case "follow":
		a.store.news <- struct{}{}
	case "check":
		s.result("%s", verdictLine(a.Check(tokenText(words[0]))))
	case "hotel":
		s.result("%s", verdictLine(a.CheckIntegration(integrationID(words[0]))))
	case "subscribe":
		s.subscribe(a, words[0], words[1:])
	case "history":
		n := 0
		for e, err := range a.History(ctx, integrationID(words[0])) {
			if err != nil {
				s.Fatal(err)
			}
			n++
			s.result("%2d. %s", n, entryLine(e))
		}
	default:
		s.Fatalf("no command %q", verb)
	}
}

func (s *scene) open(name string, options []string) {
	s.Helper()
	a := &actor{name: name, options: options, store: &switchedStore{Store: s.memory, news: make(chan struct{}, 1)}}
	o := &keyrack.Options{
		Sealer: s.sealer, Poll: 24 * time.Hour, Horizon: s.duration(option(options, "horizon", "30m")),
		Telemetry: &keyrack.Telemetry{Alarmed: func(_ context.Context, alarm keyrack.Alarm) {
			if alarm.Kind == keyrack.AlarmEvidence {
				s.note("%s: alarm: %v", name, alarm.Cause)
			} else {
				s.note("%s: alarm: %s", name, alarm.Kind)
			}
		}},
		Policy: keyrack.Policy{Grace: s.duration(option(options, "grace", "0s")), Assume: slices.Contains(options, "assume"), MaxAge: s.duration(option(options, "max-age", "0s"))},
	}
	if levels := option(options, "levels", ""); levels != "" {
		n, err := strconv.Atoi(levels)
		if err != nil {
			s.Fatal(err)
		}
		o.Policy.Levels = n
	}
	switch option(options, "canceled", "") {
	case "usable":
		o.Policy.Canceled = lifecycle.CanceledUsable
	case "ask":
		o.Policy.Canceled = lifecycle.CanceledAsk
	}
	if slices.Contains(options, "prober") {
		o.Prober, o.TrustDeliveries = asker{s.mews, name}, slices.Contains(options, "trusting")
	}
	rack, err := keyrack.Open(context.Background(), a.store, o)
	if err != nil {
		s.Fatal(err)
	}
	if a.handler, err = rack.Handler(nil, &keyrack.HandlerOptions{WithoutSecret: true}); err != nil {
		s.Fatal(err)
	}
	a.Rack = rack
	s.instances[name] = a
}

// body returns the webhook that a command describes.
func (s *scene) body(words []string) []byte {
	hotel, action, rest := words[0], words[1], words[2:]
	switch action {
	case "created":
		enabled := map[string]lifecycle.Flag{"on": lifecycle.Yes, "off": lifecycle.No, "absent": lifecycle.Unset}[rest[0]]
		s.mews.token(rest[1])
		return creation(hotel, rest[1], enabled, atHotel(option(rest, "of", "H")), bornAt(time.Date(1999, 5, 1, 0, 0, 0, 0, time.UTC)))
	case "rotated":
		s.mews.token(rest[0])
		return rotation(hotel, rest[0])
	case "deleted":
		return deletion(hotel, time.Now())
	case "enabled":
		return webhook(lifecycle.IntegrationEnabled, hotel, nil)
	case "disabled":
		return webhook(lifecycle.IntegrationDisabled, hotel, nil)
	case "canceled":
		return webhook(lifecycle.IntegrationCanceled, hotel, nil)
	case "reinstated":
		return webhook(lifecycle.IntegrationReinstated, hotel, nil)
	}
	s.Fatalf("no action %q", action)
	return nil
}

func (s *scene) subscribe(a *actor, name string, words []string) {
	var options keyrack.SubscribeOptions
	if slices.Contains(words, "any") {
		options.Kinds = []keyrack.ChangeKind{keyrack.ChangeAny}
	}
	if slices.Contains(words, "token") {
		options.Kinds = []keyrack.ChangeKind{keyrack.ChangeToken}
	}
	err := a.Subscribe(name, func(_ context.Context, e keyrack.Change) error {
		s.note("%s hears: %s", name, entryLine(e))
		return nil
	}, &options)
	if err != nil {
		s.Fatal(err)
	}
}

// receipt notes what a piece of evidence came to.
func (s *scene) receipt(r keyrack.Receipt, err error) {
	switch {
	case errors.Is(err, keyrack.ErrNotFound):
		s.result("not found")
	case errors.Is(err, errMadeUp):
		s.result("the store failed")
	case err != nil:
		s.result("error: %v", err)
	case r.General != nil:
		s.result("a General Webhook")
	default:
		s.result("%s; %s", decisionLine(r.Decision), verdictLine(r.Verdict))
	}
}

func decisionLine(d lifecycle.Decision) string {
	text := d.Outcome.String()
	if d.Cause != "" {
		text += " (" + d.Cause + ")"
	}
	if d.From != d.To {
		text += fmt.Sprintf(", %v -> %v", d.From, d.To)
	}
	return text
}

func verdictLine(v keyrack.Verdict) string {
	text := fmt.Sprintf("%v (%v)", v.Status, v.Reason)
	if v.Assumed {
		text += ", assumed"
	}
	if v.Trouble {
		text += ", in trouble"
	}
	if v.Status == lifecycle.Unknown {
		text += fmt.Sprintf(", best guess %v", v.Guess())
	}
	return text
}

func entryLine(e keyrack.Change) string {
	what := e.Evidence.Action.String()
	if e.Evidence.Kind != lifecycle.KindDelivery {
		what = e.Evidence.Kind.String()
		if e.Evidence.Answer != lifecycle.NoAnswer {
			what += " " + e.Evidence.Answer.String()
		}
	}
	text := what + ": " + decisionLine(e.Decision)
	if e.Has(keyrack.ChangeStatus) {
		text += fmt.Sprintf("; %v -> %v (%v)", e.Was, e.Is, e.Reason)
	}
	return text
}

func (s *scene) duration(text string) time.Duration {
	d, err := time.ParseDuration(text)
	if err != nil {
		s.Fatal(err)
	}
	return d
}

// option returns the value of a word KEY=VALUE.
func option(words []string, key, otherwise string) string {
	for _, word := range words {
		if value, ok := strings.CutPrefix(word, key+"="); ok {
			return value
		}
	}
	return otherwise
}

// scriptedMews is the Connector API as the scenario sets it.
type scriptedMews struct {
	scene *scene

	mu      sync.Mutex
	answers map[string]string // by token: a status, or of=ENTERPRISE; absent: 200
	names   map[string]string // what the scenario calls a token
	all     string            // down, refuse, or empty
	quiet   bool              // who is asked when depends on chance, and is not written down
	delay   time.Duration
}

func (m *scriptedMews) set(words []string) {
	m.mu.Lock()
	defer m.mu.Unlock()
	switch word := words[0]; {
	case strings.HasPrefix(word, "slow="):
		m.delay = m.scene.duration(word[len("slow="):])
	case len(words) == 1 && word == "quiet":
		m.quiet = true
	case len(words) == 1 && word == "up":
		m.all = ""
	case len(words) == 1:
		m.all = word
	default:
		m.answers[tokenText(word)] = words[1]
	}
}

// token returns the text of a token, by which its questions are told apart.
func (m *scriptedMews) token(name string) string {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.names[tokenText(name)] = name
	return tokenText(name)
}

// asker is how one instance asks.
type asker struct {
	mews *scriptedMews
	name string
}

func (a asker) Probe(ctx context.Context, token lifecycle.Token, _ string) (connector.Answer, error) {
	m := a.mews
	m.mu.Lock()
	answer, all, delay, asked, quiet := m.answers[token.Reveal()], m.all, m.delay, m.names[token.Reveal()], m.quiet
	m.mu.Unlock()
	began := time.Now()
	select {
	case <-time.After(delay):
	case <-ctx.Done():
		return connector.Answer{}, ctx.Err()
	}
	enterprise := "H"
	switch {
	case all == "down":
		answer = "503"
	case all == "refuse":
		answer = "401"
	case answer == "":
		answer = "200"
	case strings.HasPrefix(answer, "of="):
		enterprise = answer[len("of="):]
	}
	if !quiet {
		m.scene.note("%s asks Mews about %s: %s", a.name, asked, answer)
	}
	switch answer {
	case "401":
		return connector.Answer{Kind: connector.Unauthorized, Status: 401, Began: began}, nil
	case "503":
		return connector.Answer{}, errors.New("made-up silence")
	}
	return connector.Answer{Kind: connector.Accepted, Status: 200, Began: began, Enterprise: lifecycle.Named{ID: enterpriseID(enterprise)}}, nil
}

// switchedStore is a store that can be away, and whose news come when they are told.
type switchedStore struct {
	*memstore.Store
	news chan struct{}

	mu   sync.Mutex
	down bool
	held chan struct{} // closed when the record that is held is handed over
	next bool          // the next record is held
}

var errMadeUp = errors.New("made-up failure")

func (s *switchedStore) set(down bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.down = down
}

// hold has the next record that is read be handed over late: it is read at once, and may
// be out of date by then.
func (s *switchedStore) hold() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.held, s.next = make(chan struct{}), true
}

func (s *switchedStore) release() {
	s.mu.Lock()
	defer s.mu.Unlock()
	close(s.held)
}

func (s *switchedStore) Load(ctx context.Context, integration string) (store.Stored, error) {
	if err := s.fail(); err != nil {
		return store.Stored{}, err
	}
	s.mu.Lock()
	held, next := s.held, s.next
	s.next = false
	s.mu.Unlock()
	stored, err := s.Store.Load(ctx, integration)
	if next {
		<-held
	}
	return stored, err
}

func (s *switchedStore) fail() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.down {
		return errMadeUp
	}
	return nil
}

func (s *switchedStore) News(context.Context) <-chan struct{} { return s.news }

func (s *switchedStore) Commit(ctx context.Context, c store.Commit) (store.Committed, error) {
	if err := s.fail(); err != nil {
		return store.Committed{}, err
	}
	return s.Store.Commit(ctx, c)
}

func (s *switchedStore) Sealed(ctx context.Context, ref store.Ref) ([]byte, error) {
	if err := s.fail(); err != nil {
		return nil, err
	}
	return s.Store.Sealed(ctx, ref)
}

func (s *switchedStore) Acquire(ctx context.Context, name, holder string, ttl time.Duration) (store.Lease, error) {
	if err := s.fail(); err != nil {
		return store.Lease{}, err
	}
	return s.Store.Acquire(ctx, name, holder, ttl)
}

func (s *switchedStore) Journal(ctx context.Context, after store.Position) iter.Seq2[store.Entry, error] {
	if err := s.fail(); err != nil {
		return func(yield func(store.Entry, error) bool) { yield(store.Entry{}, err) }
	}
	return s.Store.Journal(ctx, after)
}
