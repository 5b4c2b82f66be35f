package keyrack_test

import (
	"bytes"
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
	"github.com/google/go-cmp/cmp"

	"github.com/keyrack-dev/keyrack"
	"github.com/keyrack-dev/keyrack/lifecycle"
	"github.com/keyrack-dev/keyrack/memstore"
)

// shape is a case of testdata/shapes.jsonl: bodies that come one after the other, further
// apart than the horizon, and the verdicts on tokens afterwards.
type shape struct {
	Name    string            `json:"name"`
	Deliver []jsontext.Value  `json:"deliver"`
	Then    map[string]string `json:"then"`
	Why     string            `json:"why"`
}

// TestOddShapesKeepTheirMeaning: a property that an event can do without never costs the
// event, however it is written.
func TestOddShapesKeepTheirMeaning(t *testing.T) {
	file, err := os.ReadFile("testdata/shapes.jsonl")
	if err != nil {
		t.Fatal(err)
	}
	for line := range bytes.Lines(file) {
		var c shape
		if err := json.Unmarshal(line, &c, json.RejectUnknownMembers(true)); err != nil {
			t.Fatal(err)
		}
		t.Run(c.Name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				r, deliver := newInbox(t, nil)
				for _, body := range c.Deliver {
					time.Sleep(time.Hour)
					deliver(string(body), http.StatusNoContent)
				}
				time.Sleep(time.Hour)
				for token, want := range c.Then {
					if v := r.Check(token); fmt.Sprint(v.Status, " ", v.Reason) != want {
						t.Errorf("%s is %v %v, want %s: %s", token, v.Status, v.Reason, want, c.Why)
					}
				}
			})
		})
	}
}

// TestUnreadPropertiesAreNamed: the history says which properties could not be read, and
// never what stood in them.
func TestUnreadPropertiesAreNamed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r, deliver := newInbox(t, nil)
		deliver(`{"Action":"IntegrationCreated","Data":{"AccessToken":"TOKEN-1","IsEnabled":"maybe Jo","CreatedUtc":"on Jo's birthday",`+
			`"Service":[],"Requestor":"Jo","Integration":{"Id":"A","Name":{"Jo":1,"Jo":2}}}}`, http.StatusNoContent)
		e, err := r.Explain(t.Context(), "A")
		if err != nil || len(e.Changes) != 1 {
			t.Fatalf("%d entries, %v", len(e.Changes), err)
		}
		const want = "IsEnabled CreatedUtc Service Requestor Integration.Name"
		if got := e.Changes[0].Evidence.Unread; got != want {
			t.Errorf("unread are %q, want %q", got, want)
		}
		if text := e.String(); !strings.Contains(text, "unread: "+want) || strings.Contains(text, "Jo") {
			t.Errorf("explained as\n%s", text)
		}
	})
}

// newInbox opens a Rack on a store in memory, whose alarms are noted, and returns it with
// a function that delivers a body over HTTP.
func newInbox(t *testing.T, noted *[]keyrack.Alarm) (*keyrack.Rack, func(body string, status int)) {
	t.Helper()
	r, err := keyrack.Open(t.Context(), memstore.New(nil), &keyrack.Options{Telemetry: &keyrack.Telemetry{
		Alarmed: func(_ context.Context, a keyrack.Alarm) {
			if noted != nil {
				*noted = append(*noted, a)
			}
		},
	}})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { r.Close() })
	h, err := r.Handler([]keyrack.Secret{{Name: "one", Value: keyrack.NewToken("secret")}}, nil)
	if err != nil {
		t.Fatal(err)
	}
	return r, func(body string, status int) {
		t.Helper()
		answer := httptest.NewRecorder()
		h.ServeHTTP(answer, httptest.NewRequest(http.MethodPost, keyrack.DefaultPath+"?Token=secret", strings.NewReader(body)))
		if answer.Code != status {
			t.Fatalf("answered %d, want %d: %s", answer.Code, status, body)
		}
	}
}

// TestNotUnderstoodIsNoticed: what lacks something essential, or brings a token without an
// integration, is journalled and raises an alarm, and changes no verdict.
func TestNotUnderstoodIsNoticed(t *testing.T) {
	for _, c := range []struct {
		about, body string
		alarm       keyrack.Alarm
		integration string // that it is journalled under
		token       bool   // its digest is in the journal
	}{
		{"a rotation whose key is an object", `{"Action":"IntegrationApiKeyCreated","Data":{"ApiKey":{"Value":"TOKEN-2"},"Integration":{"Id":"A"}}}`,
			keyrack.Alarm{Kind: keyrack.AlarmNotUnderstood, Integration: "A", Action: "IntegrationApiKeyCreated"}, "A", false},
		{"a rotation whose key is elsewhere", `{"Action":"IntegrationApiKeyCreated","Data":{"AccessToken":"TOKEN-2","Integration":{"Id":"A"}}}`,
			keyrack.Alarm{Kind: keyrack.AlarmNotUnderstood, Integration: "A", Action: "IntegrationApiKeyCreated"}, "A", false},
		{"a creation without a token", `{"Action":"IntegrationCreated","Data":{"IsEnabled":false,"Integration":{"Id":"A"}}}`,
			keyrack.Alarm{Kind: keyrack.AlarmNotUnderstood, Integration: "A", Action: "IntegrationCreated"}, "A", false},
		{"a creation without an integration", `{"Action":"IntegrationCreated","Data":{"AccessToken":"TOKEN-2","IsEnabled":true}}`,
			keyrack.Alarm{Kind: keyrack.AlarmNotUnderstood, Action: "IntegrationCreated"}, "", true},
		{"a General Webhook with a token", `{"EnterpriseId":"H","Events":[{"Discriminator":"X","Value":{"Id":"1"}}],"AccessToken":"TOKEN-2"}`,
			keyrack.Alarm{Kind: keyrack.AlarmNotUnderstood}, "", true},
		{"no action", `{"Data":{"Integration":{"Id":"A"}}}`, keyrack.Alarm{Kind: keyrack.AlarmNotUnderstood}, "", false},
		{"a list", `[1]`, keyrack.Alarm{Kind: keyrack.AlarmNotUnderstood}, "", false},
		{"an action of tomorrow", `{"Action":"IntegrationPaused","Data":{"Integration":{"Id":"A"}}}`,
			keyrack.Alarm{Kind: keyrack.AlarmUnknownAction, Integration: "A", Action: "IntegrationPaused"}, "A", false},
	} {
		t.Run(c.about, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				var alarms []keyrack.Alarm
				r, deliver := newInbox(t, &alarms)
				deliver(`{"Action":"IntegrationCreated","Data":{"AccessToken":"TOKEN-1","IsEnabled":true,"Integration":{"Id":"A"}}}`, http.StatusNoContent)
				time.Sleep(time.Hour)
				before := r.Check("TOKEN-1")
				generation := generationOf(r, "A")
				deliver(c.body, http.StatusNoContent)
				if after := r.Check("TOKEN-1"); after.Status != before.Status || after.Reason != before.Reason {
					t.Errorf("the verdict went from %v to %v", before, after)
				}
				if v := r.Check("TOKEN-2"); v.Status != lifecycle.Unknown {
					t.Errorf("its own token is %v", v)
				}
				if diff := cmp.Diff([]keyrack.Alarm{c.alarm}, alarms); diff != "" {
					t.Errorf("alarms (-want +got):\n%s", diff)
				}
				var last keyrack.Change
				for change, err := range r.History(t.Context(), c.integration) {
					if err != nil {
						t.Fatal(err)
					}
					last = change
				}
				if last.Decision.Outcome != lifecycle.Unrecognized || (last.Evidence.Token != lifecycle.Digest{}) != c.token {
					t.Errorf("journalled as %v, with the digest %v", last, last.Evidence.Token)
				}
				if asks := generationOf(r, "A") > generation; asks != (c.integration == "A") {
					t.Errorf("Mews is asked: %v", asks)
				}
			})
		})
	}
}

func generationOf(r *keyrack.Rack, id string) uint64 {
	record, _ := r.Record(id)
	return record.Generation
}

// TestEveryInputTakesAnySpelling: an identifier is one identifier at every input, and the
// answers give its one spelling.
func TestEveryInputTakesAnySpelling(t *testing.T) {
	const id, hotel = "4e1f0c62-5b8d-4c39-9a1e-ab2200f27c01", "8865aa96-f62d-4f9b-a912-ab2100f60f42"
	synctest.Test(t, func(t *testing.T) {
		for _, spelled := range []string{id, strings.ToUpper(id), "{" + id + "}", " " + id + "\n", strings.ReplaceAll(id, "-", "")} {
			r, deliver := newInbox(t, nil)
			receipt, err := r.Import(t.Context(), keyrack.Import{
				Integration: lifecycle.Named{ID: spelled}, Enterprise: lifecycle.Named{ID: strings.ToUpper(hotel)}, Token: keyrack.NewToken("\ufeff \"TOKEN-1\"\n"),
			})
			if err != nil || receipt.Integration != id {
				t.Fatalf("imported as %q, %v", receipt.Integration, err)
			}
			time.Sleep(time.Hour)
			token, v, err := r.IssueToken(t.Context(), spelled, "test")
			if err != nil || token.Reveal() != "TOKEN-1" || v.Integration != id {
				t.Errorf("%q: token of %q, %v", spelled, v.Integration, err)
			}
			record, ok := r.Record(spelled)
			if !ok || record.ID != id || record.Enterprise.ID != hotel {
				t.Errorf("%q: the record of %q of %q", spelled, record.ID, record.Enterprise.ID)
			}
			if known := r.Enterprise("{" + hotel + "}"); len(known) != 1 || known[0].ID != id {
				t.Errorf("%q: the hotel has %d", spelled, len(known))
			}
			if v := r.CheckIntegration(spelled); v.Integration != id || !v.Active() {
				t.Errorf("%q: checked as %v", spelled, v)
			}
			if e, err := r.Explain(t.Context(), spelled); err != nil || len(e.Changes) != 2 {
				t.Errorf("%q: %d entries, %v", spelled, len(e.Changes), err)
			}
			if _, err := r.EraseBodies(t.Context(), spelled); err != nil {
				t.Errorf("%q: %v", spelled, err)
			}
			deliver(fmt.Sprintf(`{"Action":"IntegrationDeleted","Data":{"Integration":{"Id":%q}}}`, id), http.StatusNoContent)
			if v := r.Check("TOKEN-1"); v.Status != lifecycle.Invalid || v.Reason != lifecycle.ReasonDeleted {
				t.Errorf("%q: after the deletion %v", spelled, v)
			}
			if _, err := r.Forget(t.Context(), spelled); err != nil {
				t.Errorf("%q: %v", spelled, err)
			}
			if n := testing.AllocsPerRun(100, func() { _ = r.CheckIntegration(id) }); n != 0 {
				t.Errorf("a check allocates %v times", n)
			}
			r.Close()
		}
	})
}
