package events_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/keyrack-dev/keyrack/events"
	"github.com/keyrack-dev/keyrack/lifecycle"
)

// TestEncodeSample: the specification's own body comes back as it was, except for
// its white space.
func TestEncodeSample(t *testing.T) {
	got, err := events.Encode(sample())
	if err != nil {
		t.Fatal(err)
	}
	var want bytes.Buffer
	if err := json.Compact(&want, spec(t)); err != nil {
		t.Fatal(err)
	}
	if got, want := string(got), strings.Replace(want.String(), `"Requestor":null,`, "", 1); strings.Replace(got, `"Requestor":null,`, "", 1) != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
}

// TestEncodeMissing: what is missing is null; the optional Service is left out.
func TestEncodeMissing(t *testing.T) {
	integration := lifecycle.Named{ID: "9e5e84e9"}
	for _, c := range []struct {
		event events.Event
		want  string
	}{
		{
			events.Event{Action: lifecycle.IntegrationCreated, Integration: integration, AccessToken: lifecycle.NewToken("t")},
			`{"Action":"IntegrationCreated","Data":{"Enterprise":null,"Requestor":null,"AccessToken":"t","CreatedUtc":null,"IsEnabled":null,"Integration":{"Id":"9e5e84e9","Name":null}}}`,
		},
		{
			events.Event{Action: lifecycle.IntegrationDeleted, Integration: integration},
			`{"Action":"IntegrationDeleted","Data":{"DeletedUtc":null,"Integration":{"Id":"9e5e84e9","Name":null}}}`,
		},
		{
			events.Event{Action: lifecycle.IntegrationApiKeyCreated, Integration: integration, ApiKey: lifecycle.NewToken("k")},
			`{"Action":"IntegrationApiKeyCreated","Data":{"Integration":{"Id":"9e5e84e9","Name":null},"ApiKey":"k"}}`,
		},
		{
			events.Event{General: &events.General{Events: []events.GeneralEvent{{Discriminator: "x"}}}},
			`{"EnterpriseId":null,"IntegrationId":null,"Events":[{"Discriminator":"x","Value":{"Id":null}}]}`,
		},
	} {
		if got, err := events.Encode(c.event); err != nil || string(got) != c.want {
			t.Errorf("%v\n got %s, %v\nwant %s", c.event, got, err, c.want)
		}
	}
}

// TestAppendRefuses: what Decode would not take is not written, and dst stays.
func TestAppendRefuses(t *testing.T) {
	for name, c := range map[string]struct {
		change func(*events.Event)
		want   string
	}{
		"nothing":        {func(e *events.Event) { *e = events.Event{} }, "JSON of an unexpected shape: an event that says nothing at the top"},
		"no such action": {func(e *events.Event) { e.Action = 200 }, "JSON of an unexpected shape: an event that says nothing at the top"},
		"no identifier":  {func(e *events.Event) { e.Integration.ID = "" }, "JSON of an unexpected shape: missing at /Data/Integration/Id"},
		"no token":       {func(e *events.Event) { e.AccessToken = lifecycle.Token{} }, "JSON of an unexpected shape: missing at /Data/AccessToken"},
		"no key":         {func(e *events.Event) { e.Action = lifecycle.IntegrationApiKeyCreated }, "JSON of an unexpected shape: missing at /Data/ApiKey"},
		"long token":     {func(e *events.Event) { e.AccessToken = lifecycle.NewToken(strings.Repeat("t", 1025)) }, "JSON of an unexpected shape: too long at /Data/AccessToken"},
		"long id":        {func(e *events.Event) { e.Enterprise.ID = strings.Repeat("i", 129) }, "JSON of an unexpected shape: too long at /Data/Enterprise/Id"},
		"control":        {func(e *events.Event) { e.Integration.ID = "9e5e\x00" }, "JSON of an unexpected shape: a control character at /Data/Integration/Id"},
		"year 10000":     {func(e *events.Event) { e.CreatedUtc = e.CreatedUtc.AddDate(8000, 0, 0) }, "JSON of an unexpected shape: not a time in ISO 8601 at /Data/CreatedUtc"},
		"name":           {func(e *events.Event) { e.Service.Name = "\xff" }, "not strict JSON: broken UTF-8 at /Data/Service/Name"},
		"email":          {func(e *events.Event) { e.Requestor = events.NewRequestor("", "\xff") }, "not strict JSON: broken UTF-8 at /Data/Requestor/Email"},
		"general": {func(e *events.Event) {
			e.General = &events.General{Events: []events.GeneralEvent{{ID: "\xff"}}}
		}, "not strict JSON: broken UTF-8 at /Events/*"},
	} {
		e := sample()
		c.change(&e)
		dst, err := e.Append([]byte("dst"))
		if string(dst) != "dst" {
			t.Errorf("%s: dst is %q", name, dst)
		}
		if want := "events: " + c.want + ", offset 0"; err == nil || err.Error() != want {
			t.Errorf("%s: %v, want %s", name, err, want)
		}
		if errors.Is(err, events.ErrShape) == errors.Is(err, events.ErrSyntax) {
			t.Errorf("%s: neither one thing nor the other", name)
		}
	}
}

// TestAppendConverts: times in another zone are written in UTC.
func TestAppendConverts(t *testing.T) {
	e := sample()
	e.CreatedUtc = e.CreatedUtc.In(time.FixedZone("", 2*60*60))
	body, err := events.Encode(e)
	if err != nil || !bytes.Contains(body, []byte(`"CreatedUtc":"2019-12-13T14:42:52Z"`)) {
		t.Errorf("%s, %v", body, err)
	}
}

// TestEvidence: every field of an event that is evidence, and no other.
func TestEvidence(t *testing.T) {
	at := time.Date(2025, 8, 1, 12, 0, 0, 0, time.UTC)
	digest := func(token lifecycle.Token) (d lifecycle.Digest) {
		copy(d[:], token.Reveal())
		return d
	}
	created := sample()
	created.Requestor = events.NewRequestor("Canaria Quillfeather", "")
	key := events.Event{Action: lifecycle.IntegrationApiKeyCreated, Integration: created.Integration, ApiKey: lifecycle.NewToken("key")}
	for _, c := range []struct {
		event events.Event
		want  lifecycle.Evidence
	}{
		{created, lifecycle.Evidence{
			Action: lifecycle.IntegrationCreated, Integration: created.Integration, Enterprise: created.Enterprise,
			Service: created.Service, Token: digest(created.AccessToken), CreatedUtc: lifecycle.At(created.CreatedUtc), IsEnabled: lifecycle.Yes,
		}},
		{key, lifecycle.Evidence{Action: lifecycle.IntegrationApiKeyCreated, Integration: created.Integration, Token: digest(key.ApiKey)}},
		{events.Event{Action: lifecycle.IntegrationDeleted, DeletedUtc: at}, lifecycle.Evidence{Action: lifecycle.IntegrationDeleted, DeletedUtc: lifecycle.At(at)}},
		{events.Event{Name: "IntegrationSuspended", Integration: created.Integration}, lifecycle.Evidence{Integration: created.Integration}},
		{events.Event{General: &events.General{IntegrationID: "9e5e84e9"}}, lifecycle.Evidence{}},
	} {
		c.want.Kind, c.want.At, c.want.Horizon = lifecycle.KindDelivery, lifecycle.At(at), time.Hour
		if got := c.event.Evidence(at, time.Hour, digest); got != c.want {
			t.Errorf("%v\n got %+v\nwant %+v", c.event, got, c.want)
		}
	}
}
