package keyrack_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"io"
	"log"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/keyrack-dev/keyrack"
	"github.com/keyrack-dev/keyrack/atrest"
	"github.com/keyrack-dev/keyrack/events"
	"github.com/keyrack-dev/keyrack/internal/binding"
	"github.com/keyrack-dev/keyrack/internal/testkit"
	"github.com/keyrack-dev/keyrack/lifecycle"
	"github.com/keyrack-dev/keyrack/memstore"
	"github.com/keyrack-dev/keyrack/seal"
)

// The canaries: what must never come out, driven through everything that can
// happen. What a hotel or an integration is called is no secret, and part of a
// record; but it has no business in a log, an error or an answer either.
var (
	canaryTokens  = []string{"CANARYBIRD-TOKEN-created-7Q2", "CANARYBIRD-TOKEN-rotated-9W4", "CANARYBIRD-TOKEN-imported-3E8", "CANARYBIRD-TOKEN-stray-5R6"}
	canarySecrets = []string{"CANARYBIRD-SECRET-current-1T9", "CANARYBIRD-SECRET-former-8Y3", "CANARYBIRD-SECRET-guessed-2U7"}
	canaryPersons = []string{"Canarybird Zwitscher", "canarybird@zwitscher.example"}
	canaryNames   = []string{"Hotel Goldkäfig", "Integration Vogelbauer"}
)

var (
	// secretNeedles find tokens, secrets and persons, which have one word in common.
	secretNeedles = slices.Concat(needles("CANARYBIRD", "Canarybird", "canarybird"), digests(canaryTokens...), digests(canarySecrets...))
	// allNeedles find names, too.
	allNeedles = slices.Concat(secretNeedles, needles("Goldk", "Vogelbauer"))
)

// aviary is a Rack with all its surroundings, each of which may talk too much.
type aviary struct {
	t       *testing.T
	ctx     context.Context
	mem     *memstore.Store
	store   *chatty
	ring    *seal.Ring
	sealer  *indiscreet
	rack    *keyrack.Rack
	handler *keyrack.Handler
	options keyrack.Options
	secrets []keyrack.Secret
	choices keyrack.HandlerOptions
	logs    testkit.Buffer
	answers map[int]bool

	mu     sync.Mutex
	values map[string][]any // by the name of their type
	mood   string           // of the application's own code
}

func TestCanaries(t *testing.T) {
	for _, keep := range []bool{false, true} {
		for _, probed := range []bool{false, true} {
			t.Run(fmt.Sprintf("keep persons %v, prober %v", keep, probed), func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) { newAviary(t, keep, probed).fly() })
			})
		}
	}
}

func newAviary(t *testing.T, keep, probed bool) *aviary {
	a := &aviary{t: t, ctx: t.Context(), mem: memstore.New(nil), ring: seal.Ephemeral(), values: map[string][]any{}, answers: map[int]bool{}}
	a.store, a.sealer = &chatty{Store: a.mem}, &indiscreet{Sealer: a.ring}
	text := slog.NewTextHandler(&a.logs, &slog.HandlerOptions{Level: slog.LevelDebug, AddSource: true})
	structured := slog.NewJSONHandler(&a.logs, &slog.HandlerOptions{Level: slog.LevelDebug})
	a.options = keyrack.Options{
		Sealer: a.sealer, KeepRequestor: keep, Logger: slog.New(slog.NewMultiHandler(text, structured)),
	}
	a.options.Telemetry = &keyrack.Telemetry{
		Begin: func(ctx context.Context, work keyrack.Work, name string) context.Context {
			a.keep(work)
			search(a.t, "what begins", name, allNeedles)
			a.talk()
			return context.WithValue(ctx, work, name)
		},
		Answered: func(_ context.Context, o keyrack.ServedRequest) { a.keep(o, o.Receipt, o.Refusal); a.talk() },
		Taken:    func(_ context.Context, e keyrack.Taken) { a.keep(e); a.err("Taken", e.Err); a.talk() },
		Stored:   func(_ context.Context, s keyrack.StoreCall) { a.keep(s); a.err("Stored", s.Err); a.talk() },
		Probed:   func(_ context.Context, p keyrack.Probed) { a.keep(p); a.talk() },
		Handled:  func(_ context.Context, h keyrack.Handled) { a.keep(h); a.talk() },
		Alarmed:  func(_ context.Context, alarm keyrack.Alarm) { a.keep(alarm); a.talk() },
	}
	if probed {
		a.options.Prober = new(prattling)
	}
	a.secrets = []keyrack.Secret{
		{Name: "current", Value: keyrack.NewToken(canarySecrets[0])},
		{Name: "former", Value: keyrack.NewToken(canarySecrets[1])},
	}
	a.choices = keyrack.HandlerOptions{
		General: http.HandlerFunc(func(http.ResponseWriter, *http.Request) { a.talk() }),
	}
	return a
}

// talk is the application's own code, in a bad mood.
func (a *aviary) talk() {
	a.mu.Lock()
	mood := a.mood
	a.mu.Unlock()
	if mood == "panic" {
		panic(errors.New(strings.Join(canaryTokens, " ") + strings.Join(canaryPersons, " ")))
	}
}

func (a *aviary) be(mood string) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.mood = mood
}

// keep keeps values to be looked at.
func (a *aviary) keep(values ...any) {
	a.mu.Lock()
	defer a.mu.Unlock()
	for _, v := range values {
		name := strings.TrimPrefix(reflect.TypeOf(v).String(), "*")
		if len(a.values[name]) < 12 {
			a.values[name] = append(a.values[name], v)
		}
	}
}

// err looks at an error, whose text and every formatting must say nothing. What
// it wraps is its author's.
func (a *aviary) err(where string, err error) {
	a.t.Helper()
	if err == nil {
		return
	}
	for _, format := range formats {
		search(a.t, where+", "+format, fmt.Sprintf(format, err), allNeedles)
	}
	a.options.Logger.Info("an application logs", "error", err)
	a.options.Logger.Info("an application logs", slog.Any("in a struct", struct{ Err error }{err}))
}

// send sends a request, and looks at the answer.
func (a *aviary) send(method, path, secret, body string) {
	a.t.Helper()
	w := httptest.NewRecorder()
	req := httptest.NewRequest(method, path+"?Token="+secret, strings.NewReader(body))
	if len(body) > 100_000 {
		req.ContentLength = -1
	}
	a.handler.ServeHTTP(w, req)
	a.answers[w.Code] = true
	var answer bytes.Buffer
	w.Result().Write(&answer)
	search(a.t, fmt.Sprintf("the answer %d", w.Code), answer.String(), allNeedles)
	time.Sleep(time.Millisecond)
}

func (a *aviary) deliver(body []byte) {
	a.t.Helper()
	a.send(http.MethodPost, keyrack.DefaultPath, canarySecrets[0], string(body))
}

func (a *aviary) open() error {
	var err error
	if a.rack, err = keyrack.Open(a.ctx, a.store, &a.options); err != nil {
		return err
	}
	a.handler, err = a.rack.Handler(a.secrets, &a.choices)
	return err
}

// canary returns the body of a webhook full of canaries.
func canary(action lifecycle.Action, integration, token string) []byte {
	return mustEncode(events.Event{
		Action: action, Name: action.String(),
		Integration: lifecycle.Named{ID: integrationID(integration), Name: canaryNames[1]},
		Enterprise:  lifecycle.Named{ID: enterpriseID("H"), Name: canaryNames[0]},
		Requestor:   events.NewRequestor(canaryPersons[0], canaryPersons[1]),
		AccessToken: lifecycle.NewToken(token), ApiKey: lifecycle.NewToken(token),
		IsEnabled: lifecycle.Yes, CreatedUtc: birthday,
	})
}

// bodies are one delivery of every outcome, in an order that leads to each.
func (a *aviary) bodies() [][]byte {
	created := canary(lifecycle.IntegrationCreated, "A", canaryTokens[0])
	all := [][]byte{
		canary(lifecycle.IntegrationDisabled, "B", ""), // parked
		created, // applied
		created, // duplicate
		canary(lifecycle.IntegrationEnabled, "A", ""),  // duplicate
		canary(lifecycle.IntegrationDisabled, "A", ""), // reconciled
		canary(lifecycle.IntegrationApiKeyCreated, "A", canaryTokens[1]),
		canary(lifecycle.IntegrationCreated, "B", canaryTokens[0]),                            // conflict: owned
		bytes.ReplaceAll(created, []byte(enterpriseID("H")), []byte(enterpriseID("other"))),   // conflict
		canary(lifecycle.IntegrationCreated, "A", canaryTokens[3]),                            // conflict: a second token, or rotated before
		[]byte(strings.ReplaceAll(string(created), "IntegrationCreated", "IntegrationMoved")), // unknown action
		fmt.Appendf(nil, `{"Action":"IntegrationCreated","Data":{"AccessToken":%q,"Requestor":{"Name":%q,"Email":%q}}}`,
			canaryTokens[3], canaryPersons[0], canaryPersons[1]), // shape
		fmt.Appendf(nil, `[%q,{"Requestor":{"Name":%q,"Email":%q}}]`, canaryTokens[3], canaryPersons[0], canaryPersons[1]),
		fmt.Appendf(nil, `{"Events":[],"EnterpriseId":%q,"Requestor":%q}`, canaryNames[0], canaryPersons[0]), // General
	}
	return append(all, canary(lifecycle.IntegrationDeleted, "C", ""), canary(lifecycle.IntegrationCreated, "C", canaryTokens[3])) // stale
}

// all drives everything once.
func (a *aviary) all() {
	a.t.Helper()
	for _, body := range a.bodies() {
		a.deliver(body)
		// The same without its end, twice a name, in other cases, with more behind.
		for _, broken := range []string{
			string(body[:len(body)-1]), strings.Replace(string(body), `{"Action"`, `{"Action":"`+canaryTokens[0]+`","Action"`, 1),
			strings.Replace(string(body), "Action", "action", 1), string(body) + canaryTokens[0], canaryPersons[0] + "\xff",
		} {
			a.deliver([]byte(broken))
		}
	}
	body := string(a.bodies()[1])
	a.send(http.MethodPost, keyrack.DefaultPath, canarySecrets[1], body)
	a.send(http.MethodPost, keyrack.DefaultPath, canarySecrets[2], body)
	a.send(http.MethodPost, "/"+canaryTokens[0], canarySecrets[0], body)
	a.send(http.MethodGet, keyrack.DefaultPath, canarySecrets[0], "")
	a.send(http.MethodPost, keyrack.DefaultPath, canarySecrets[0], body+strings.Repeat(" ", 100_000)+canaryTokens[0])

	receipt, err := a.rack.Deliver(a.ctx, a.bodies()[1])
	a.keep(receipt)
	a.err("Deliver", err)
	_, err = a.rack.Deliver(a.ctx, []byte(canaryTokens[0]))
	a.err("Deliver", err)
	for _, i := range []keyrack.Import{
		{Integration: lifecycle.Named{ID: integrationID("I"), Name: canaryNames[1]}, Token: keyrack.NewToken(canaryTokens[2])},
		{Integration: lifecycle.Named{ID: integrationID("I") + "\xff", Name: canaryNames[1]}, Token: keyrack.NewToken(canaryTokens[2])},
		{Token: keyrack.NewToken(strings.Repeat(canaryTokens[2], 100))},
	} {
		_, err := a.rack.Import(a.ctx, i)
		a.err("Import", err)
		a.keep(i)
	}
	for _, token := range append(canaryTokens, "") {
		for _, status := range []int{401, 200, 500} {
			seen := keyrack.Report{Token: keyrack.NewToken(token), Status: status}
			a.keep(seen)
			receipt, err := a.rack.Report(a.ctx, seen)
			a.err("Report", err)
			a.keep(receipt)
			time.Sleep(keyrack.ReportSlack + time.Millisecond)
		}
		explanation, err := a.rack.ExplainToken(a.ctx, token)
		a.err("ExplainToken", err)
		a.keep(explanation, explanation.Probe, a.rack.Check(token))
		a.transport(token)
	}
	for record := range a.rack.Integrations() {
		a.keep(record, a.rack.CheckIntegration(record.ID))
		token, verdict, err := a.rack.Token(a.ctx, record.ID)
		a.err("Token", err)
		a.keep(token, verdict)
		settlement := keyrack.Settlement{Enabled: lifecycle.Yes, Who: keyrack.NewToken(canaryNames[0]), Why: keyrack.NewToken(canaryNames[1]), By: "key 1"}
		receipt, err := a.rack.Settle(a.ctx, record.ID, settlement)
		a.err("Settle", err)
		a.keep(receipt)
		a.keep(settlement)
		settlement.Why = keyrack.NewToken(strings.Repeat(canaryNames[1], 100))
		_, err = a.rack.Settle(a.ctx, record.ID, settlement)
		a.err("Settle", err)
		act := keyrack.Act{
			Kind: lifecycle.KindImport, Who: settlement.Who, Why: keyrack.NewToken(canaryNames[1]), By: "key 1", Settlement: settlement,
			Import: keyrack.Import{Integration: lifecycle.Named{ID: record.ID}, Enterprise: lifecycle.Named{ID: record.Enterprise.ID}, Token: keyrack.NewToken(canaryTokens[0])},
		}
		a.keep(act)
		preview, err := a.rack.Preview(act)
		a.err("Preview", err)
		a.keep(preview)
		receipt, err = a.rack.Act(a.ctx, act)
		a.err("Act", err)
		a.keep(receipt)
		act.Kind, act.Do = lifecycle.KindControl, canaryTokens[0]
		_, err = a.rack.Act(a.ctx, act)
		a.err("Act", err)
		connection := keyrack.Connection{Token: keyrack.NewToken(canaryTokens[0]), By: "key 1"}
		a.keep(connection)
		connected, err := a.rack.Connect(a.ctx, connection)
		a.err("Connect", err)
		a.keep(connected)
		connection.Labels = map[string]string{canaryTokens[0] + "!": ""}
		_, err = a.rack.Connect(a.ctx, connection)
		a.err("Connect", err)
		_, _, err = a.rack.IssueToken(a.ctx, record.ID, "key 1")
		a.err("IssueToken", err)
		_, err = a.rack.Probe(a.ctx, record.ID, "key 1")
		a.err("Probe", err)
		explanation, err := a.rack.Explain(a.ctx, record.ID)
		a.err("Explain", err)
		a.keep(explanation)
		for e, err := range a.rack.History(a.ctx, record.ID) {
			a.err("History", err)
			a.keep(e)
		}
	}
	for summary := range a.rack.Summaries() {
		a.keep(summary)
	}
	for record := range a.rack.Integrations() {
		_, err := a.rack.EraseBodies(a.ctx, record.ID)
		a.err("EraseBodies", err)
		if record.ID == integrationID("I") {
			_, err = a.rack.Forget(a.ctx, record.ID)
			a.err("Forget", err)
		}
	}
	_, err = atrest.Reseal(a.ctx, a.store, a.sealer)
	a.err("Reseal", err)
	_, err = a.rack.Trim(a.ctx)
	a.err("Trim", err)
	a.rack.NoteAnswers()
	counts, refused := a.handler.Refused()
	a.keep(counts)
	for _, one := range refused {
		a.keep(one)
	}
	for _, use := range a.handler.Secrets() {
		a.keep(use)
	}
	a.keep(a.rack.SyncStatus(), *a.options.Telemetry)
	stats := a.rack.Stats()
	a.keep(stats)
	for standing := range stats.Verdicts {
		a.keep(standing)
	}
	a.err("SyncStatus", a.rack.SyncStatus().Err)
	states, err := atrest.Subscriptions(a.ctx, a.store)
	a.err("Subscriptions", err)
	for _, state := range states {
		a.keep(state)
		letters, err := atrest.DeadLetters(a.ctx, a.store, state.Name)
		a.err("DeadLetters", err)
		for _, letter := range letters {
			a.keep(letter)
		}
	}
	var out bytes.Buffer
	_, err = atrest.Export(a.ctx, a.store, &out, true)
	a.err("Export", err)
	search(a.t, "an export", out.String(), secretNeedles)
	for one, err := range atrest.Restore(a.ctx, &chatty{Store: memstore.New(nil), mood: a.store.mood}, a.sealer, &out) {
		a.err("Restore", err)
		a.keep(one)
	}
	for finding, err := range atrest.Examine(a.ctx, a.store, a.sealer) {
		a.err("Examine", err)
		a.keep(finding)
	}
	time.Sleep(time.Minute)
	synctest.Wait()
}

// transport makes an outbound call with a token, to a Mews that is not there.
func (a *aviary) transport(token string) {
	transport, err := a.rack.Transport("https://mews.example", roundTrip(func(req *http.Request) (*http.Response, error) {
		io.Copy(io.Discard, req.Body)
		return &http.Response{StatusCode: http.StatusUnauthorized, Body: http.NoBody}, nil
	}))
	if err != nil {
		a.t.Fatal(err)
	}
	a.keep(transport)
	for _, ctx := range []context.Context{a.ctx, keyrack.WithIntegration(a.ctx, integrationID("A"))} {
		for _, body := range []string{fmt.Sprintf(`{"AccessToken":%q}`, token), token} {
			req, err := http.NewRequestWithContext(ctx, http.MethodPost, "https://mews.example/api/connector/v1/x", strings.NewReader(body))
			if err != nil {
				a.t.Fatal(err)
			}
			_, err = transport.RoundTrip(req)
			a.err("RoundTrip", err)
			var inactive *keyrack.NotActiveError
			if errors.As(err, &inactive) {
				a.keep(inactive)
			}
		}
	}
}

type roundTrip func(*http.Request) (*http.Response, error)

func (f roundTrip) RoundTrip(req *http.Request) (*http.Response, error) { return f(req) }

func (a *aviary) fly() {
	t := a.t
	var std bytes.Buffer
	log.SetOutput(&std)
	defer log.SetOutput(os.Stderr)
	for _, mood := range []string{"error", "panic"} { // at the first steps already
		a.store.be(mood)
		a.err("Open", a.open())
		a.store.be("")
		a.sealer.be(mood)
		a.err("Open", a.open())
		a.sealer.be("")
	}
	wrong := a.options
	if err := a.open(); err != nil {
		t.Fatal(err)
	}
	wrong.Sealer = seal.Ephemeral()
	_, err := keyrack.Open(a.ctx, a.store, &wrong)
	a.err("Open with another sealer", err)
	_, err = a.rack.Handler([]keyrack.Secret{{Name: "empty"}}, nil)
	a.err("Handler", err)
	err = a.rack.Subscribe("told", func(_ context.Context, e keyrack.Change) error {
		a.keep(e)
		a.talk()
		return gossip(strings.Join(canaryTokens, " "))
	}, &keyrack.SubscribeOptions{Attempts: 2, FromStart: true})
	a.err("Subscribe", err)

	a.all()
	for _, mood := range []string{"error", "panic"} {
		a.be(mood)
		a.all()
		a.be("")
		a.store.be(mood)
		a.all()
		a.store.be("")
		a.sealer.be(mood)
		a.all()
		a.sealer.be("")
	}
	a.all()
	time.Sleep(2 * time.Hour)
	synctest.Wait()

	for _, status := range []int{200, 204, 400, 401, 404, 405, 413, 500, 503} {
		if !a.answers[status] {
			t.Errorf("nothing was answered %d: the canaries did not fly everywhere", status)
		}
	}
	a.keep(a.rack, a.handler, a.options, a.choices, a.secrets[0])
	for name, values := range a.values {
		for _, v := range values {
			look(v, func(how, text string) {
				search(t, name+", "+how, text, secretNeedles)
			})
		}
	}
	a.exported()
	text := a.logs.Take()
	if !strings.Contains(text, `"msg"`) || !strings.Contains(text, "delivery not stored") {
		t.Error("the logs are not what was looked at")
	}
	search(t, "the logs", text, allNeedles)
	search(t, "the standard logger", std.String(), allNeedles)

	// The store's memory shows no token, no secret and no person.
	memory := dump(a.mem)
	if !strings.Contains(memory, integrationID("A")) || !strings.Contains(memory, canaryNames[0]) {
		t.Error("the store's memory was not looked at")
	}
	search(t, "the store's memory", memory, secretNeedles)
	// Walking through the Rack finds none either: they are behind functions.
	for _, v := range []any{a.rack, a.handler} {
		text := dump(v)
		search(t, fmt.Sprintf("a walk through %T", v), text, needles("CANARYBIRD", "Canarybird", "canarybird"))
	}
	a.unseal()
	if err := a.rack.Close(); err != nil {
		a.err("Close", err)
	}
}

// unseal looks into the sealed bodies: persons are there only if wanted.
func (a *aviary) unseal() {
	a.deliver(a.bodies()[1])
	a.deliver(a.bodies()[11])
	var all bytes.Buffer
	for ref, err := range a.mem.ScanSealed(a.ctx) {
		if err != nil {
			a.t.Fatal(err)
		}
		if ref.Entry.IsZero() {
			continue
		}
		sealed, err := a.mem.Sealed(a.ctx, ref)
		if err != nil {
			a.t.Fatal(err)
		}
		body, err := binding.Open(a.ring, ref, sealed)
		if err != nil {
			a.t.Fatal(err)
		}
		all.Write(body)
	}
	if !strings.Contains(all.String(), canaryTokens[0]) {
		a.t.Error("the bodies are not there")
	}
	for _, person := range canaryPersons {
		if strings.Contains(all.String(), person) != a.options.KeepRequestor {
			a.t.Errorf("KeepRequestor is %v, and %q is kept: %v", a.options.KeepRequestor, person, !a.options.KeepRequestor)
		}
	}
}

// exported makes sure that every exported type of the package was looked at.
func (a *aviary) exported() {
	files, err := filepath.Glob("*.go")
	if err != nil {
		a.t.Fatal(err)
	}
	for _, name := range files {
		if strings.HasSuffix(name, "_test.go") {
			continue
		}
		file, err := parser.ParseFile(token.NewFileSet(), name, nil, parser.SkipObjectResolution)
		if err != nil {
			a.t.Fatal(err)
		}
		ast.Inspect(file, func(n ast.Node) bool {
			spec, ok := n.(*ast.TypeSpec)
			if !ok || !spec.Name.IsExported() || spec.Assign != 0 {
				return true
			}
			if _, ok := spec.Type.(*ast.InterfaceType); ok || unlooked[spec.Name.Name] {
				return true
			}
			if len(a.values["keyrack."+spec.Name.Name]) == 0 {
				a.t.Errorf("no value of the exported type %s was looked at", spec.Name.Name)
			}
			return true
		})
	}
}

// unlooked are exported types that hold nothing, words and choices, or that only
// a prober makes.
var unlooked = map[string]bool{"AlarmKind": true, "ChangeKind": true, "SubscribeOptions": true, "Retention": true, "Probed": true}
