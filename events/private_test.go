package events_test

import (
	"bytes"
	"encoding"
	"encoding/gob"
	"encoding/json"
	"encoding/xml"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"testing"

	jsonv2 "github.com/go-json-experiment/json"

	"github.com/keyrack-dev/keyrack/events"
)

// canaries must not get out. They are spelled so that no encoding of ours
// changes them: hexadecimal and base64 are looked for as well.
var canaries = []string{"TOKENCANARY-00B343A0", "KEYCANARY-11C454B1", "Canaria Quillfeather", "canaria@hotel.example"}

// leaks returns the canary that is in a text, in clear or encoded, or "".
func leaks(text string) string {
	for _, c := range canaries {
		decimal := strings.Trim(fmt.Sprint([]byte(c)), "[]")
		hexadecimal := fmt.Sprintf("%x", c)
		base64, _ := json.Marshal([]byte(c[:len(c)/3*3]))
		for _, form := range []string{c, decimal, hexadecimal, strings.ToUpper(hexadecimal), strings.Trim(string(base64), `"`)} {
			if strings.Contains(text, form) {
				return c
			}
		}
	}
	return ""
}

// holders returns everything exported that holds, or has seen, a canary.
func holders(t *testing.T) map[string]any {
	const (
		requestor   = `"Requestor":{"Name":"Canaria Quillfeather","Email":"canaria@hotel.example"}`
		integration = `"Integration":{"Id":"9e5e84e9"}`
		token       = `"AccessToken":"TOKENCANARY-00B343A0"`
	)
	all := map[string]any{}
	for name, body := range map[string]string{
		"created": `{"Action":"IntegrationCreated","Data":{` + requestor + `,` + token + `,` + integration + `}}`,
		"key":     `{"Action":"IntegrationApiKeyCreated","Data":{"ApiKey":"KEYCANARY-11C454B1",` + integration + `}}`,
		"unknown": `{"Action":"IntegrationSuspended","Data":{` + requestor + `,` + token + `,` + integration + `}}`,
		"general": `{"Events":[{"Discriminator":"x","Value":{"Id":"y",` + requestor + `}}],` + token + `}`,
		"shape":   `{"Action":"IntegrationCreated","Data":{` + requestor + `,"AccessToken":["TOKENCANARY-00B343A0"],` + integration + `}}`,
		"syntax":  `{"Action":"IntegrationCreated","Data":{` + requestor + `,"TOKENCANARY-00B343A0":1,"TOKENCANARY-00B343A0":1}}`,
		"words":   `{"Action":"IntegrationCreated","Data":{"TOKENCANARY-00B343A0":canaria@hotel.example}}`,
	} {
		if e, err := events.Decode([]byte(body)); err != nil {
			all[name] = err
		} else {
			all[name] = e
			all[name+" raw"], all[name+" requestor"] = e.Raw, e.Requestor
			if e.General != nil {
				all[name+" general"] = e.General
			}
		}
	}
	for name, x := range all {
		if e, ok := x.(events.Event); ok {
			all[name+" pointer"] = &e
			all[name+" slice"] = []events.Event{e}
			all[name+" map"] = map[string]events.Event{"e": e}
			all[name+" field"] = struct{ Event events.Event }{e}
			all[name+" unexported field"] = struct{ e events.Event }{e}
			all[name+" parts"] = struct {
				r  events.Raw
				q  events.Requestor
				pe *events.Event
			}{e.Raw, e.Requestor, &e}
		}
	}
	if len(all) < 30 {
		t.Fatalf("only %d holders", len(all))
	}
	return all
}

func TestNothingLeaks(t *testing.T) {
	for name, x := range holders(t) {
		check := func(how, text string) {
			t.Helper()
			if c := leaks(text); c != "" {
				t.Errorf("%s of %s shows %s: %s", how, name, c, text)
			}
		}
		for _, verb := range "vsqxXdtTpbcoOUeEfFgGw" {
			for _, flags := range []string{"", "+", "#", "-40", "040", " ", ".3"} {
				format := "%" + flags + string(verb)
				check(format, fmt.Sprintf(format, x))
			}
		}
		check("Println", fmt.Sprintln(x, &x))
		check("Errorf", fmt.Errorf("%w %v", errors.New("x"), x).Error())

		var out bytes.Buffer
		for _, h := range []slog.Handler{slog.NewTextHandler(&out, nil), slog.NewJSONHandler(&out, nil)} {
			log := slog.New(h)
			log.Info("m", "x", x)
			log.With("x", x).WithGroup("g").Info("m", slog.Group("g", "x", x), "pair", [2]any{x, &x})
		}
		check("slog", out.String())

		b, err := json.Marshal(x)
		check("encoding/json", fmt.Sprint(string(b), err))
		b, err = jsonv2.Marshal(x)
		check("json v2", fmt.Sprint(string(b), err))
		b, err = xml.Marshal(x)
		check("encoding/xml", fmt.Sprint(string(b), err))
		out.Reset()
		err = gob.NewEncoder(&out).Encode(x)
		check("gob", fmt.Sprint(out.String(), err))
		for _, marshal := range []func() ([]byte, error){
			func() ([]byte, error) { return x.(encoding.TextMarshaler).MarshalText() },
			func() ([]byte, error) { return x.(encoding.BinaryMarshaler).MarshalBinary() },
		} {
			if _, ok := x.(encoding.TextMarshaler); !ok {
				break
			}
			if b, err := marshal(); b != nil || !errors.Is(err, events.ErrPrivate) {
				t.Errorf("%s marshals as %q, %v", name, b, err)
			}
		}
	}
}

// TestMarshallersRefuse: an event that is marshalled by accident is an error
// that says what to do, not an empty object.
func TestMarshallersRefuse(t *testing.T) {
	for _, x := range []any{sample(), events.NewRequestor("Canaria Quillfeather", ""), events.NewRaw([]byte("{}"))} {
		if _, err := json.Marshal(x); !errors.Is(err, events.ErrPrivate) {
			t.Errorf("encoding/json of %T: %v", x, err)
		}
		if err := gob.NewEncoder(new(bytes.Buffer)).Encode(x); !errors.Is(err, events.ErrPrivate) {
			t.Errorf("gob of %T: %v", x, err)
		}
	}
}

// TestPlaceholders: what may be shown is shown, so that a log stays of use.
func TestPlaceholders(t *testing.T) {
	unknown, err := events.Decode([]byte(`{"Action":"Integration\"Suspended","Data":{"Integration":{"Id":"9e5e84e9"}}}`))
	if err != nil {
		t.Fatal(err)
	}
	for x, want := range map[fmt.Stringer]string{
		new(sample()): "IntegrationCreated of 9e5e84e9-974d-4f16-9662-ab2200f27cb1",
		&unknown:      `unknown action "Integration\"Suspended" of "9e5e84e9"`,
		&events.Event{General: new(events.General{})}:              "a General Webhook",
		new(events.NewRequestor("Canaria Quillfeather", "")):       "[requestor]",
		new(events.Requestor{}):                                    "",
		new(events.NewRaw([]byte(`{"x":"Canaria Quillfeather"}`))): "[body]",
		new(events.Raw{}):                                          "",
	} {
		if got := fmt.Sprint(x); got != want || x.String() != want {
			t.Errorf("%T: %q, want %q", x, got, want)
		}
	}
	var out strings.Builder
	slog.New(slog.NewTextHandler(&out, nil)).Info("delivery", "event", sample())
	const want = "event.action=IntegrationCreated event.integration=9e5e84e9-974d-4f16-9662-ab2200f27cb1 event.enterprise=8865aa96-f62d-4f9b-a912-ab2100f60f42\n"
	if !strings.HasSuffix(out.String(), want) {
		t.Errorf("logged as %s", out.String())
	}
}
