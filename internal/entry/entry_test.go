package entry_test

import (
	"errors"
	"reflect"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/keyrack-dev/keyrack/internal/entry"
	"github.com/keyrack-dev/keyrack/lifecycle"
	"github.com/keyrack-dev/keyrack/store"
)

// named draws a value of a type whose values have names, counted from zero.
func named[T interface {
	~uint8
	String() string
}](t *rapid.T, label string, last T) T {
	return T(rapid.IntRange(0, int(last)).Draw(t, label))
}

// TestJudgementsReadAsWritten: what Append writes Parse returns, and nothing before
// it in the buffer is touched.
func TestJudgementsReadAsWritten(t *testing.T) {
	evidence := lifecycle.Evidence{
		Kind: lifecycle.KindDelivery, At: lifecycle.At(time.Unix(1, 0)), Action: lifecycle.IntegrationDisabled,
		Integration: lifecycle.Named{ID: "a", Name: "\"\\\u2028"},
	}
	rapid.Check(t, func(t *rapid.T) {
		want := entry.Judgement{
			Decision: lifecycle.Decision{
				Outcome: 1 + named(t, "outcome", lifecycle.Unrecognized-1),
				Cause:   rapid.SampledFrom([]string{"", "another enterprise", "another CreatedUtc", "DeletedUtc before CreatedUtc"}).Draw(t, "cause"),
				Action:  named(t, "action", lifecycle.IntegrationApiKeyCreated),
				From:    named(t, "from", lifecycle.Deleted),
				To:      named(t, "to", lifecycle.Deleted),
				Alarm:   rapid.Bool().Draw(t, "alarm"),
			},
			Was:      named(t, "was", lifecycle.Invalid),
			Is:       named(t, "is", lifecycle.Invalid),
			Reason:   named(t, "reason", lifecycle.ReasonLease),
			NewToken: rapid.Bool().Draw(t, "new token"),
		}
		before := "what is there already"
		b := want.Append([]byte(before))
		if string(b[:len(before)]) != before {
			t.Fatalf("the buffer begins with %q", b[:len(before)])
		}
		e := store.Entry{Evidence: lifecycle.AppendEvidence(nil, evidence), Decision: b[len(before):]}
		came, got, err := entry.Parse(e)
		if err != nil {
			t.Fatalf("%v\n%s", err, e.Decision)
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("(-written +read):\n%s", diff)
		}
		if diff := cmp.Diff(evidence, came); diff != "" {
			t.Errorf("evidence (-written +read):\n%s", diff)
		}
	})
}

// TestAppend tells the bytes: stores are full of them.
func TestAppend(t *testing.T) {
	j := entry.Judgement{
		Decision: lifecycle.Decision{
			Outcome: lifecycle.Conflict, Cause: "another enterprise", From: lifecycle.Enabled, To: lifecycle.Disabled,
			Action: lifecycle.IntegrationCreated, Alarm: true,
		},
		Was: lifecycle.Valid, Is: lifecycle.Invalid, Reason: lifecycle.ReasonDisabled, NewToken: true, Labels: "tenant=4711",
	}
	const all = `{"Decision":{"Outcome":"conflict","Cause":"another enterprise","From":"enabled","To":"disabled",` +
		`"Action":"IntegrationCreated","Alarm":true},"Was":"valid","Is":"invalid","Reason":"disabled","NewToken":true,"Labels":"tenant=4711"}`
	if got := string(j.Append(nil)); got != all {
		t.Errorf("%s\nwant %s", got, all)
	}
	j = entry.Judgement{Decision: lifecycle.Decision{Outcome: lifecycle.Applied}}
	const least = `{"Decision":{"Outcome":"applied"},"Was":"unknown","Is":"unknown","Reason":"unfamiliar"}`
	if got := string(j.Append(nil)); got != least {
		t.Errorf("%s\nwant %s", got, least)
	}
}

// TestJournalsStayReadable: entries as earlier versions wrote them are read, and
// what a later one may have written is ErrNewer.
func TestJournalsStayReadable(t *testing.T) {
	const delivery = `{"Format":1,"Kind":"delivery","At":"2026-11-27T20:00:00Z","Integration":{"ID":"a"}}`
	for _, c := range []struct {
		about, evidence, decision string
		want                      entry.Judgement
		err                       error
	}{
		{about: "with everything", evidence: delivery,
			decision: `{"Decision":{"Outcome":"applied","From":"enabled","To":"disabled"},"Was":"valid","Is":"invalid","Reason":"disabled","NewToken":true}`,
			want: entry.Judgement{
				Decision: lifecycle.Decision{Outcome: lifecycle.Applied, From: lifecycle.Enabled, To: lifecycle.Disabled},
				Was:      lifecycle.Valid, Is: lifecycle.Invalid, Reason: lifecycle.ReasonDisabled, NewToken: true,
			}},
		{about: "with a cause of a later version", evidence: delivery,
			decision: `{"Decision":{"Outcome":"conflict","Cause":"bad \"weather\"","Action":"IntegrationCreated","Alarm":true},"Was":"valid","Is":"valid","Reason":"live"}`,
			want: entry.Judgement{
				Decision: lifecycle.Decision{Outcome: lifecycle.Conflict, Cause: `bad "weather"`, Action: lifecycle.IntegrationCreated, Alarm: true},
				Was:      lifecycle.Valid, Is: lifecycle.Valid, Reason: lifecycle.ReasonLive,
			}},
		{about: "with a decision alone", evidence: delivery, decision: `{"Decision":{"Outcome":"duplicate"}}`,
			want: entry.Judgement{Decision: lifecycle.Decision{Outcome: lifecycle.Duplicate}}},
		{about: "a reason of a later version", evidence: delivery,
			decision: `{"Decision":{"Outcome":"applied"},"Reason":"moved_to_the_moon"}`, err: lifecycle.ErrNewer},
		{about: "an outcome of a later version", evidence: delivery, decision: `{"Decision":{"Outcome":"postponed"}}`, err: lifecycle.ErrNewer},
		{about: "evidence of a later version", evidence: `{"Format":99,"Kind":"delivery"}`, decision: `{"Decision":{"Outcome":"applied"}}`, err: lifecycle.ErrNewer},
		{about: "no decision", evidence: delivery, decision: `{"Was":"valid","Is":"valid"}`, err: lifecycle.ErrNewer},
		{about: "an action of a later version", evidence: delivery, decision: `{"Decision":{"Outcome":"applied","Action":"IntegrationMoved"}}`, err: lifecycle.ErrNewer},
		{about: "no JSON", evidence: delivery, decision: `nonsense`, err: lifecycle.ErrNewer},
	} {
		_, got, err := entry.Parse(store.Entry{Evidence: []byte(c.evidence), Decision: []byte(c.decision)})
		if !errors.Is(err, c.err) || err != nil && !reflect.ValueOf(got).IsZero() {
			t.Errorf("%s: %v, want %v", c.about, err, c.err)
		}
		if diff := cmp.Diff(c.want, got); diff != "" {
			t.Errorf("%s (-want +got):\n%s", c.about, diff)
		}
	}
}
