package keyrack_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/keyrack-dev/keyrack"
	"github.com/keyrack-dev/keyrack/events"
	"github.com/keyrack-dev/keyrack/lifecycle"
	"github.com/keyrack-dev/keyrack/memstore"
	"github.com/keyrack-dev/keyrack/seal"
	"github.com/keyrack-dev/keyrack/store"
)

// trip is a Rack on its way.
type trip struct {
	t       *testing.T
	ctx     context.Context
	store   *memstore.Store
	options keyrack.Options
	rack    *keyrack.Rack
	handler *keyrack.Handler
	seen    keyrack.ServedRequest
	taken   int // what should be in the journal
}

func begin(t *testing.T, options keyrack.Options) *trip {
	tr := &trip{t: t, ctx: t.Context(), store: memstore.New(nil), options: options}
	tr.options.Sealer = seal.Ephemeral()
	tr.options.Poll = day // it is alone
	tr.options.Telemetry = &keyrack.Telemetry{Answered: func(_ context.Context, o keyrack.ServedRequest) { tr.seen = o }}
	tr.open()
	return tr
}

func (tr *trip) open() {
	tr.t.Helper()
	var err error
	if tr.rack, err = keyrack.Open(tr.ctx, tr.store, &tr.options); err != nil {
		tr.t.Fatal(err)
	}
	tr.handler, err = tr.rack.Handler([]keyrack.Secret{{Name: "test", Value: keyrack.NewToken(secretText)}}, nil)
	if err != nil {
		tr.t.Fatal(err)
	}
}

// end looks back: everything that was answered is in the journal, the journal
// folds to the records, and a Rack that opens the store afterwards answers the same.
func (tr *trip) end() {
	tr.t.Helper()
	synctest.Wait() // time may have something to tell right now
	audit(tr.t, tr.store, tr.rack)
	entries := 0
	for e, err := range tr.store.Journal(tr.ctx, 0) {
		if err != nil {
			tr.t.Fatal(err)
		}
		if others, _ := timesApart(tr.t, []store.Entry{e}); len(others) == 1 {
			entries++
		}
		if e.Response.Status != 0 && e.Response.Status != http.StatusNoContent {
			tr.t.Errorf("in the journal, and answered %d", e.Response.Status)
		}
	}
	if entries != tr.taken {
		tr.t.Errorf("%d entries in the journal for %d pieces of evidence", entries, tr.taken)
	}
	before := ask(tr.rack, tripTokens, tripHotels)
	tr.close()
	tr.open()
	defer tr.close()
	if diff := cmp.Diff(before, ask(tr.rack, tripTokens, tripHotels)); diff != "" {
		tr.t.Errorf("reopened, it answers otherwise (-before +after):\n%s", diff)
	}
}

func (tr *trip) close() {
	if err := tr.rack.Close(); err != nil {
		tr.t.Error(err)
	}
}

// post sends a body through HTTP and returns the status of the answer.
func (tr *trip) post(body []byte) int {
	w := httptest.NewRecorder()
	tr.handler.ServeHTTP(w, httptest.NewRequest(http.MethodPost, webhookURL, strings.NewReader(string(body))))
	if w.Code != tr.seen.Status {
		tr.t.Errorf("answered %d, and observed %d", w.Code, tr.seen.Status)
	}
	return w.Code
}

// stand returns the state of an integration and the verdict on its token.
func (tr *trip) stand(about string) (state, verdict string) {
	id := integrationID(about)
	if record, ok := tr.rack.Record(id); ok {
		state = record.State.String()
	}
	return state, verdictText(tr.rack.CheckIntegration(id))
}

func verdictText(v keyrack.Verdict) string {
	switch {
	case v.Assumed:
		return fmt.Sprintf("%v %v, assumed", v.Status, v.Reason)
	case v.Status == lifecycle.Unknown:
		return fmt.Sprintf("%v %v, guess %v", v.Status, v.Reason, v.Guess())
	case v.Guess() != v.Status:
		return fmt.Sprintf("%v %v, and yet the guess is %v", v.Status, v.Reason, v.Guess())
	}
	return fmt.Sprintf("%v %v", v.Status, v.Reason)
}

// journaled returns an entry as the store has it, or store.ErrNotFound.
func journaled(ctx context.Context, s store.Store, integration string, id store.EntryID) (store.Entry, error) {
	for e, err := range s.History(ctx, integration, store.EntryID{}) {
		if err != nil || e.ID == id {
			return e, err
		}
	}
	return store.Entry{}, store.ErrNotFound
}

// outcome tells what became of a piece of evidence, and holds the receipt to
// what the journal says.
func (tr *trip) outcome(r keyrack.Receipt) string {
	if r.General != nil {
		return "a General Webhook"
	}
	tr.taken++
	tr.rack.NoteAnswers()
	stored, err := journaled(tr.ctx, tr.store, r.Integration, r.ID)
	if err != nil {
		tr.t.Fatalf("a receipt for what is not in the journal: %v", err)
	}
	entry, err := keyrack.ParseEntry(stored)
	if err != nil {
		tr.t.Fatal(err)
	}
	if entry.Integration != r.Integration || entry.Decision != r.Decision || entry.Is != r.Verdict.Status || entry.Reason != r.Verdict.Reason {
		tr.t.Errorf("the receipt says %+v, the journal %+v", r, entry)
	}
	text := r.Decision.Outcome.String()
	if r.Decision.Cause != "" {
		text += ": " + r.Decision.Cause
	}
	return text
}

func delivered(about string, body []byte) deed {
	return deed{about, func(tr *trip) string {
		status := tr.post(body)
		if tr.seen.Refusal != "" {
			return fmt.Sprintf("%d %s", status, tr.seen.Refusal)
		}
		return fmt.Sprintf("%d %s", status, tr.outcome(tr.seen.Receipt))
	}}
}

func created(about, token string, enabled lifecycle.Flag, changes ...func(*events.Event)) deed {
	return delivered(about, creation(about, token, enabled, changes...))
}

func enabled(about string) deed {
	return delivered(about, webhook(lifecycle.IntegrationEnabled, about, nil))
}

func disabled(about string) deed {
	return delivered(about, webhook(lifecycle.IntegrationDisabled, about, nil))
}

func canceled(about string) deed {
	return delivered(about, webhook(lifecycle.IntegrationCanceled, about, nil))
}

func reinstated(about string) deed {
	return delivered(about, webhook(lifecycle.IntegrationReinstated, about, nil))
}

func deleted(about string, at time.Time) deed { return delivered(about, deletion(about, at)) }

func rotated(about, token string) deed { return delivered(about, rotation(about, token)) }

// imported imports an integration by hand, into no enterprise where it is "".
func imported(about, token, enterprise string) deed {
	return deed{about, func(tr *trip) string {
		i := keyrack.Import{
			Integration: lifecycle.Named{ID: integrationID(about)},
			Token:       keyrack.NewToken(tokenText(token)),
		}
		if enterprise != "" {
			i.Enterprise.ID = enterpriseID(enterprise)
		}
		receipt, err := tr.rack.Import(tr.ctx, i)
		if err != nil {
			return err.Error()
		}
		return tr.outcome(receipt)
	}}
}

// reported reports what the application saw on a call that began some time ago.
func reported(about, token string, status int, ago time.Duration) deed {
	return deed{about, func(tr *trip) string {
		// What began at the very moment of a delivery's arrival proves nothing.
		time.Sleep(time.Millisecond)
		receipt, err := tr.rack.Report(tr.ctx, answered(token, status, ago))
		switch {
		case errors.Is(err, keyrack.ErrNotFound):
			return "not found"
		case err != nil:
			return err.Error()
		case receipt.ID.IsZero():
			return "nothing new"
		}
		return tr.outcome(receipt)
	}}
}

// answered is the answer to a call with a token that began some time ago.
func answered(token string, status int, ago time.Duration) keyrack.Report {
	return keyrack.Report{Token: keyrack.NewToken(tokenText(token)), Status: status, Elapsed: ago}
}

// checked asks about one token.
func checked(about, token string) deed {
	return deed{about, func(tr *trip) string { return verdictText(tr.rack.Check(tokenText(token))) }}
}

// handedOut asks for the current token.
func handedOut(about string) deed {
	return deed{about, func(tr *trip) string {
		token, _, err := tr.rack.Token(tr.ctx, integrationID(about))
		switch {
		case errors.Is(err, keyrack.ErrNoToken):
			return "no token"
		case err != nil:
			return err.Error()
		}
		return "token " + tokenName(token, tripTokens)
	}}
}

const (
	secretText = "made-up-secret"
	webhookURL = keyrack.DefaultPath + "?Token=" + secretText
)

var (
	tripTokens = []string{spec, "new", "k", "k1", "k2", "k3", "k9", "b", "stranger"}
	tripHotels = []string{spec, "H", "other"}
)
