package events_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"github.com/keyrack-dev/keyrack/events"
)

func TestRedact(t *testing.T) {
	const token = "a-token-of-an-integration"
	for body, want := range map[string]string{
		`{"Action":"IntegrationCreated","Data":{"AccessToken":"` + token + `","IsEnabled":true}}`: `{"Action":"IntegrationCreated","Data":{"AccessToken":"(25 bytes)","IsEnabled":true}}`,
		`{"Data":{"Integration":{"Id":"i","Name":"n"},"Requestor":{"Name":"p","Email":"e@x"}}}`:   `{"Data":{"Integration":{"Id":"i","Name":"n"},"Requestor":{"Name":"(1 bytes)","Email":"(3 bytes)"}}}`,
		`{"accesstoken":"` + token + `","Name":"x ` + token + `"}`:                                `{"accesstoken":"(25 bytes)","Name":"(27 bytes)"}`,
		`{"` + token + `":null,"Id":["` + token + `"]}`:                                           `{"(a name of 25 bytes)":null,"Id":["(25 bytes)"]}`,
		`{"Name":{"Key":"k"},"Id":7}`:                                                             `{"Name":{"Key":"(1 bytes)"},"Id":"(a number)"}`,
		`[{"Id":"i"},"` + token + `",[{"Name":"n"}]]`:                                             `[{"Id":"i"},"(25 bytes)",[{"Name":"n"}]]`,
		`"` + token + `"`:                             `"(25 bytes)"`,
		"\ufeff{\"Name\":\"a\",\"Name\":\"b\"}":       `{"Name":"a","Name":"b"}`,
		`{"Name":"` + strings.Repeat("n", 257) + `"}`: `{"Name":"(257 bytes)"}`,
	} {
		got, err := events.Redact([]byte(body), false)
		var flat bytes.Buffer
		if err != nil || json.Compact(&flat, got) != nil || flat.String() != want {
			t.Errorf("%s\n got %s, %v\nwant %s", body, flat.String(), err, want)
		}
	}
	got, err := events.Redact([]byte(`{"Requestor":{"Name":"p"},"Data":{"x":"p"}}`), true)
	if err != nil || !strings.Contains(string(got), `"Name": "p"`) || strings.Contains(string(got), `"x": "p"`) {
		t.Errorf("with persons: %s, %v", got, err)
	}
	for _, body := range []string{`{"a":`, `{"a":tru}`, `{}}`} {
		if got, err := events.Redact([]byte(body), false); !errors.Is(err, events.ErrSyntax) || got != nil {
			t.Errorf("%q: %s, %v", body, got, err)
		}
	}
}

// TestRedactShowsNoToken: wherever a token is in a body, it does not show.
func TestRedactShowsNoToken(t *testing.T) {
	const token = "Zq7-not-to-be-seen-9"
	var value func(t *rapid.T, depth int) any
	value = func(t *rapid.T, depth int) any {
		switch kind := rapid.IntRange(0, 4).Draw(t, "kind"); {
		case kind == 0 || depth == 0:
			return token
		case kind == 1:
			return rapid.SampledFrom([]any{"i", 7.5, nil, true}).Draw(t, "other")
		case kind == 2:
			return []any{value(t, depth-1), value(t, depth-1)}
		}
		object := map[string]any{}
		for _, name := range rapid.SliceOfN(rapid.SampledFrom([]string{"AccessToken", "apiKey", "Data", "Integration", "Requestor", token, "Token"}), 0, 4).Draw(t, "names") {
			object[name] = value(t, depth-1)
		}
		return object
	}
	rapid.Check(t, func(t *rapid.T) {
		body, err := json.Marshal(value(t, 4))
		if err != nil {
			t.Fatal(err)
		}
		got, err := events.Redact(body, false)
		if err != nil || !json.Valid(got) || bytes.Contains(got, []byte(token)) {
			t.Fatalf("%s\n%s, %v", body, got, err)
		}
	})
}
