package api

import (
	"strings"
	"time"

	"github.com/keyrack-dev/keyrack"
	"github.com/keyrack-dev/keyrack/lifecycle"
	"github.com/keyrack-dev/keyrack/store"
)

// The wire documents of integrations and of their histories, as openapi.json describes
// them.

// Named is something of Mews that has an id and usually a name.
type Named struct {
	ID   string `json:"id"`
	Name string `json:"name,omitempty"`
}

func namedOf(n lifecycle.Named) *Named {
	if n.ID == "" {
		return nil
	}
	return &Named{n.ID, n.Name}
}

// Row is an integration in a list.
type Row struct {
	Integration Named            `json:"integration"`
	Enterprise  *Named           `json:"enterprise,omitempty"`
	Labels      Labels           `json:"labels,omitempty"`
	State       lifecycle.State  `json:"state"`
	Status      lifecycle.Status `json:"status"` // of its current token
	Reason      lifecycle.Reason `json:"reason"`
	// Nameless: connected by its token alone. Orphan: webhooks came about it, but neither the
	// one that announces it nor an import. A list says so.
	Nameless bool `json:"nameless,omitempty"`
	Orphan   bool `json:"orphan,omitempty"`
}

func rowOf(s *keyrack.Summary) Row {
	return Row{
		Named{s.Integration.ID, s.Integration.Name}, namedOf(s.Enterprise), labelsOf(s.Verdict.Labels), s.Verdict.State, s.Verdict.Status, s.Verdict.Reason,
		s.Nameless, s.Orphan,
	}
}

// Integration is everything about an integration but its tokens in clear.
type Integration struct {
	Row
	Guess      lifecycle.Status `json:"guess"`
	Assumed    bool             `json:"assumed"`
	Trouble    bool             `json:"trouble"` // the status is what it was before Mews refused whatever it was asked
	Evidence   *Evidence        `json:"evidence,omitempty"`
	AgeSeconds *int64           `json:"age_seconds,omitempty"`
	Service    *Named           `json:"service,omitempty"`
	Succeeds   string           `json:"succeeds,omitempty"`    // the integration whose place this one took
	CreatedUtc *time.Time       `json:"created_utc,omitempty"` // as Mews says
	DeletedUtc *time.Time       `json:"deleted_utc,omitempty"`
	Version    uint64           `json:"version"` // counts the pieces of evidence
	Tokens     []Token          `json:"tokens"`  // in order of arrival
}

// Token is what is known about a token, without the token.
type Token struct {
	Digest   string           `json:"digest"` // tells the tokens of one integration apart
	Status   string           `json:"status"`
	From     string           `json:"from,omitempty"` // the action that brought it
	Since    *time.Time       `json:"since,omitempty"`
	Until    *time.Time       `json:"until,omitempty"`  // when it was superseded or revoked
	Answer   lifecycle.Answer `json:"answer"`           // the latest of Mews
	Asked    *time.Time       `json:"asked,omitempty"`  // when that request began
	Accepted *time.Time       `json:"worked,omitempty"` // when the latest request that Mews answered 200 began
}

func timeOf(i lifecycle.Instant) *time.Time {
	if i == 0 {
		return nil
	}
	t := i.Time()
	return &t
}

func integrationOf(r *keyrack.Record, v keyrack.Verdict, now time.Time) Integration {
	i := introspectionOf(v, now)
	d := Integration{
		Row: rowOf(&keyrack.Summary{Integration: lifecycle.Named{ID: r.ID, Name: r.Name}, Enterprise: r.Enterprise, Verdict: v}), Guess: v.Guess(), Assumed: v.Assumed, Trouble: v.Trouble, Evidence: i.Evidence, AgeSeconds: i.AgeSeconds,
		Service: namedOf(r.Service), Succeeds: r.Succeeds, CreatedUtc: timeOf(r.CreatedUtc), DeletedUtc: timeOf(r.DeletedUtc),
		Version: r.Version, Tokens: make([]Token, 0, len(r.Keys)),
	}
	for _, k := range r.Keys {
		t := Token{
			Digest: k.Digest.String(), Status: k.Status.String(), Since: timeOf(k.Since), Until: timeOf(k.Until),
			Answer: k.Answer, Asked: timeOf(k.Began), Accepted: timeOf(k.Accepted),
		}
		if k.From != lifecycle.ActionUnknown {
			t.From = k.From.String()
		}
		d.Tokens = append(d.Tokens, t)
	}
	return d
}

// Change is an entry of the journal.
type Change struct {
	Position    store.Position    `json:"position"`
	ID          string            `json:"id"`
	Integration string            `json:"integration,omitempty"`
	At          time.Time         `json:"at"`
	Kind        lifecycle.Kind    `json:"kind"`
	Action      string            `json:"action,omitempty"` // of a delivery
	Unread      []string          `json:"unread,omitempty"` // properties that could not be read
	By          string            `json:"by,omitempty"`     // name of the key that got a token or asked for a probe
	Who         string            `json:"who,omitempty"`    // who had it done by hand; for keys with the scope admin
	Why         string            `json:"why,omitempty"`    // and why
	Answered    *lifecycle.Answer `json:"mews_answered,omitempty"`
	Outcome     lifecycle.Outcome `json:"outcome"`
	Cause       string            `json:"cause,omitempty"`
	From        lifecycle.State   `json:"from"`
	To          lifecycle.State   `json:"to"`
	Was         lifecycle.Status  `json:"was"`
	Is          lifecycle.Status  `json:"is"`
	Reason      lifecycle.Reason  `json:"reason"`
	NewToken    bool              `json:"new_token"`
	Labels      Labels            `json:"labels,omitempty"`   // the integration's, afterwards
	Succeeds    string            `json:"succeeds,omitempty"` // the integration whose place this one took
	Alarm       bool              `json:"alarm"`
	Response    *DeliveryResponse `json:"response,omitempty"`
}

// DeliveryResponse is how a delivery was answered.
type DeliveryResponse struct {
	Status       int     `json:"status"`
	Milliseconds float64 `json:"ms"`
}

func changeOf(e keyrack.Change) Change {
	d := Change{
		Position: e.Position, ID: e.ID.String(), Integration: e.Integration, At: e.At.UTC(), Kind: e.Evidence.Kind,
		Unread: strings.Fields(e.Evidence.Unread), By: e.Evidence.By,
		Outcome: e.Decision.Outcome, Cause: e.Decision.Cause, From: e.Decision.From, To: e.Decision.To,
		Succeeds: e.Evidence.Succeeds, Was: e.Was, Is: e.Is, Reason: e.Reason, NewToken: e.NewToken, Labels: labelsOf(e.Labels), Alarm: e.Decision.Alarm,
	}
	if e.Evidence.Kind == lifecycle.KindDelivery {
		d.Action = e.Evidence.Action.String()
	}
	if e.Evidence.Answer != lifecycle.NoAnswer {
		d.Answered = &e.Evidence.Answer
	}
	if e.Response.Status != 0 {
		d.Response = &DeliveryResponse{e.Response.Status, float64(e.Response.Took.Microseconds()) / 1000}
	}
	return d
}

// Explanation says why a verdict is what it is.
type Explanation struct {
	At          time.Time   `json:"at"`
	Integration Integration `json:"integration"`
	Changes     []Change    `json:"changes"`
	Probe       *probeState `json:"probe,omitempty"`
	Advice      string      `json:"advice"`       // for support staff
	WouldChange []string    `json:"would_change"` // what would change the verdict
	Told        *told       `json:"told,omitempty"`
	Since       *time.Time  `json:"since,omitempty"`
}

// told is a verdict as the journal says that it was told.
type told struct {
	Status lifecycle.Status `json:"status"`
	Reason lifecycle.Reason `json:"reason"`
}

// probeState is where an integration stands in the schedule of probes.
type probeState struct {
	Asked    *time.Time `json:"asked,omitempty"`
	Attempts int        `json:"attempts"` // in a row without an answer that settles anything
	InFlight bool       `json:"in_flight"`
	Due      *time.Time `json:"due,omitempty"`
}

func explanationOf(e keyrack.Explanation) Explanation {
	d := Explanation{
		At: e.At, Integration: integrationOf(&e.Record, e.Verdict, e.At),
		Changes: make([]Change, 0, len(e.Changes)), Advice: e.Advice, WouldChange: append([]string{}, e.WouldChange...), Since: notZero(e.Since),
	}
	for _, c := range e.Changes {
		d.Changes = append(d.Changes, changeOf(c))
	}
	if e.Said != nil {
		d.Told = &told{e.Said.Status, e.Said.Reason}
	}
	if e.Probe != (keyrack.ProbeState{}) {
		d.Probe = &probeState{notZero(e.Probe.Asked), e.Probe.Attempts, e.Probe.InFlight, notZero(e.Probe.Due)}
	}
	return d
}

func notZero(t time.Time) *time.Time {
	if t.IsZero() {
		return nil
	}
	t = t.UTC()
	return &t
}
