package browsertest

import (
	"context"
	"encoding/json"
	"fmt"
	"testing"
	"time"

	"github.com/keyrack-dev/keyrack/events"
	"github.com/keyrack-dev/keyrack/internal/entry"
	"github.com/keyrack-dev/keyrack/lifecycle"
	"github.com/keyrack-dev/keyrack/seal"
	"github.com/keyrack-dev/keyrack/store"
)

// writer writes what happened to hotels in the past into a store, as a Rack would have: the
// records are the fold of the entries.
type writer struct {
	*testing.T
	store    store.Store
	sealer   seal.Sealer
	digester seal.Digester
	records  map[string]lifecycle.Record
	policy   lifecycle.Policy
	n        int
}

// deliver writes a delivery that arrived at a time.
func (w *writer) deliver(at time.Time, action string, n int, data map[string]any) {
	w.Helper()
	data["Integration"] = map[string]any{"Id": id(1, n), "Name": "Channel manager"}
	body, err := json.Marshal(map[string]any{"Action": action, "Data": data})
	if err != nil {
		w.Fatal(err)
	}
	e, err := events.Decode(body)
	if err != nil {
		w.Fatal(err)
	}
	evidence := e.Evidence(at, 30*time.Minute, func(t lifecycle.Token) lifecycle.Digest { return w.digester.Sum(t.Reveal()) })
	var claims []store.Claim
	if token := e.Token(); !token.IsZero() {
		claims = []store.Claim{{Digest: evidence.Token}}
	}
	w.commit(evidence, body, claims)
}

// answer writes Mews's answer about the current token of a hotel.
func (w *writer) answer(at time.Time, n int, a lifecycle.Answer) {
	w.Helper()
	record := w.records[id(1, n)]
	key, ok := record.CurrentKey()
	if !ok {
		return
	}
	w.commit(lifecycle.Evidence{
		Kind: lifecycle.KindProbe, At: lifecycle.At(at), Horizon: 30 * time.Minute, Integration: lifecycle.Named{ID: record.ID}, Enterprise: record.Enterprise,
		Token: key.Digest, Answer: a, Began: lifecycle.At(at.Add(-180 * time.Millisecond)), Generation: record.Generation,
	}, nil, nil)
}

func (w *writer) commit(e lifecycle.Evidence, body []byte, claims []store.Claim) {
	w.Helper()
	w.n++
	record := w.records[e.Integration.ID]
	record.ID = e.Integration.ID
	next, decision := record.Apply(e)
	was, is := record.Verdict(lifecycle.Digest{}, &w.policy, e.At), next.Verdict(lifecycle.Digest{}, &w.policy, e.At)
	before, _ := record.CurrentKey()
	after, _ := next.CurrentKey()
	entryID := store.NewEntryID(e.At.Time())
	c := store.Commit{
		Entry: store.Entry{
			ID: entryID, Integration: record.ID, At: e.At, Evidence: lifecycle.AppendEvidence(nil, e),
			Decision: entry.Judgement{Decision: decision, Was: was.Status, Is: is.Status, Reason: is.Reason, NewToken: before.Digest != after.Digest}.Append(nil),
		},
		Expect: record.Version, Record: lifecycle.AppendRecord(nil, next), Claim: claims,
	}
	if body != nil {
		sealed, err := w.sealer.Seal(body, entryID.String())
		if err != nil {
			w.Fatal(err)
		}
		c.Body = sealed
	}
	ctx := context.Background()
	if _, err := w.store.Commit(ctx, c); err != nil {
		w.Fatal(err)
	}
	if body != nil {
		took := time.Duration(900+w.n*7919%4100) * time.Microsecond
		if err := w.store.Annotate(ctx, store.Annotation{ID: entryID, Response: store.Response{Status: 204, Took: took}}); err != nil {
			w.Fatal(err)
		}
	}
	w.records[record.ID] = next
}

// week writes a week of many hotels. Hotel 1 has a life with everything in it.
func (w *writer) week(now time.Time) {
	w.Helper()
	type step struct {
		at time.Time
		do func(time.Time)
	}
	var steps []step
	add := func(ago time.Duration, do func(time.Time)) { steps = append(steps, step{now.Add(-ago), do}) }
	toggle := func(ago time.Duration, action string, n int) {
		add(ago, func(at time.Time) { w.deliver(at, action, n, map[string]any{}) })
	}
	const hour = time.Hour
	for n := range 64 {
		data := map[string]any{
			"Enterprise":  map[string]any{"Id": id(2, n/2), "Name": hotels[n%len(hotels)]},
			"AccessToken": fmt.Sprintf("%032X-%030X", n+1, n*n+1), "IsEnabled": n%9 != 4, "CreatedUtc": "2026-03-01T09:30:00Z",
			"Requestor": map[string]any{"Name": "Ada Example", "Email": "ada@example.com"},
		}
		if n%5 == 0 {
			data["Service"] = map[string]any{"Id": id(3, n), "Name": "Rooms and suites"}
		}
		started := 160*hour - time.Duration(n*n%150)*hour
		if n%17 != 16 {
			add(started, func(at time.Time) { w.deliver(at, "IntegrationCreated", n, data) })
			add(started-hour/30, func(at time.Time) { w.answer(at, n, lifecycle.Accepted) })
		} else {
			toggle(20*hour, "IntegrationEnabled", n)
		}
		late := time.Duration(n*37%22)*hour + hour/3
		switch {
		case n%7 == 3:
			toggle(late, "IntegrationDisabled", n)
			add(late-hour/40, func(at time.Time) { w.answer(at, n, lifecycle.Expected) })
		case n%11 == 5:
			toggle(late, "IntegrationCanceled", n)
		case n%13 == 8:
			add(late, func(at time.Time) {
				w.deliver(at, "IntegrationDeleted", n, map[string]any{"DeletedUtc": at.UTC().Format(time.RFC3339)})
			})
		case n%4 == 0:
			add(late, func(at time.Time) { w.answer(at, n, lifecycle.Accepted) })
		}
		if n%6 == 0 {
			toggle(late-hour/5, "IntegrationEnabled", n)
		}
	}
	for i := range 18 {
		toggle(150*hour-time.Duration(i)*7*hour, []string{"IntegrationDisabled", "IntegrationEnabled"}[i%2], 1)
	}
	add(21*hour, func(at time.Time) {
		w.deliver(at, "IntegrationApiKeyCreated", 1, map[string]any{"ApiKey": "a-new-key-of-hotel-1-0123456789"})
	})
	add(21*hour-2*time.Minute, func(at time.Time) { w.answer(at, 1, lifecycle.Accepted) })
	toggle(9*hour, "IntegrationCanceled", 1)
	toggle(7*hour, "IntegrationReinstated", 1)
	add(6*hour, func(at time.Time) { w.deliver(at, "IntegrationArchived", 1, map[string]any{"Why": "nobody knows"}) })
	toggle(2*hour, "IntegrationDisabled", 1)
	toggle(2*hour-20*time.Second, "IntegrationEnabled", 1)
	add(5*hour, func(at time.Time) {
		w.deliver(at, "IntegrationCreated", 2, map[string]any{"Enterprise": map[string]any{"Id": id(2, 40), "Name": "Another"}, "AccessToken": "another-token-0123456789", "IsEnabled": true})
	})
	if err := w.store.Reseal(context.Background(), store.Ref{Name: "actions seen"}, nil, []byte(`["IntegrationCreated","IntegrationEnabled","IntegrationDisabled","IntegrationCanceled","IntegrationDeleted","IntegrationApiKeyCreated"]`)); err != nil {
		w.Fatal(err)
	}
	for len(steps) > 0 { // in the order of time
		first := 0
		for i := range steps {
			if steps[i].at.Before(steps[first].at) {
				first = i
			}
		}
		steps[first].do(steps[first].at)
		steps[first] = steps[len(steps)-1]
		steps = steps[:len(steps)-1]
	}
}
