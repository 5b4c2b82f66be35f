package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/bytedance/sonic"
	jsonv2 "github.com/go-json-experiment/json"
	goccy "github.com/goccy/go-json"

	"github.com/keyrack-dev/keyrack/events"
)

// naive is what one first writes for a webhook.
type naive struct {
	Action string
	Data   struct {
		Enterprise, Service, Integration *struct{ Id, Name string }
		Requestor                        *struct{ Name, Email string }
		AccessToken, ApiKey              string
		CreatedUtc, DeletedUtc           *time.Time
		IsEnabled                        *bool
	}
}

// decoders read a webhook, and return its integration and its token.
var decoders = []struct {
	name   string
	decode func(body []byte) (integration, token string, err error)
}{
	{"encoding/json", unmarshal(json.Unmarshal)},
	{"json/v2", unmarshal(func(b []byte, v any) error { return jsonv2.Unmarshal(b, v) })},
	{"sonic", unmarshal(sonic.Unmarshal)},
	{"goccy", unmarshal(goccy.Unmarshal)},
	{"keyrack", func(body []byte) (string, string, error) {
		e, err := events.Decode(body)
		return e.Integration.ID, e.AccessToken.Reveal(), err
	}},
}

func unmarshal(f func([]byte, any) error) func([]byte) (string, string, error) {
	return func(body []byte) (string, string, error) {
		var n naive
		if err := f(body, &n); err != nil {
			return "", "", err
		}
		if n.Data.Integration == nil {
			return "", "", errors.New("no integration")
		}
		return n.Data.Integration.Id, n.Data.AccessToken, nil
	}
}

// decoding races the decoders over an IntegrationCreated or over a toggle.
func decoding(d time.Duration, title string, body []byte, integration, token string) (table, error) {
	const bodies = 200
	var ways []way
	for _, c := range decoders {
		ways = append(ways, way{name: c.name, batch: func() error {
			for range bodies {
				if i, t, err := c.decode(body); err != nil || i != integration || t != token {
					return fmt.Errorf("decoded wrongly: %v", err)
				}
			}
			return nil
		}})
	}
	rows, err := race(d, bodies, ways)
	return table{title, "Keyrack's decoder with all of its checks; the others into a struct, without any.", rows}, err
}

const (
	secretInBody = "9E5E84E9974D4F169662AB2200F27CB1-00B343A0DDA725CACAC028E38E3EABF"
	hotelInBody  = "9e5e84e9-974d-4f16-9662-ab2200f27cb1"
)

// hazard is a body that a strict reader refuses, or from which a lenient one gets
// what matters.
type hazard struct {
	name string
	body string
	read bool // whether the event should be read
}

func hazards() []hazard {
	body := func(data, after string) string {
		return `{"Action":"IntegrationCreated","Data":{"AccessToken":"` + secretInBody + `","Integration":{"Id":"` + hotelInBody + `"}` + data + `}` + after + `}`
	}
	return []hazard{
		{"a duplicate name", body(`,"AccessToken":"another"`, ""), false},
		{"a name in another case", strings.Replace(body("", ""), "AccessToken", "accesstoken", 1), false},
		{"broken UTF-8 in the token", strings.Replace(body("", ""), "9E5E", "9E\xff", 1), false},
		{"data after the end", body("", "") + `{"Action":"IntegrationDeleted"}`, false},
		{"100,000 levels", body(`,"New":`+strings.Repeat("[", 100_000)+strings.Repeat("]", 100_000), ""), false},
		{"an inessential property of another type", body(`,"IsEnabled":{}`, ""), true},
		{"an inessential time that is none", body(`,"CreatedUtc":"soon"`, ""), true},
	}
}

// leaks are bodies whose error a decoder may quote with the token in it.
func leaks() []string {
	return []string{
		`{"Action":"IntegrationCreated","Data":{"CreatedUtc":"` + secretInBody + `"}}`,
		`{"Action":"IntegrationCreated","Data":{"AccessToken":"` + secretInBody + `"!}}`,
		`{"Action":"IntegrationCreated","Data":{"` + secretInBody + `":1,"` + secretInBody + `":1}}`,
	}
}

// printHazards shows what each decoder makes of every hazard, by trying.
func printHazards(w io.Writer) {
	fmt.Fprint(w, "\n### Hazards\n\nWhat each decoder makes of a body, tried in this run.\n\n| body |")
	var line strings.Builder
	line.WriteString("\n| --- |")
	for _, d := range decoders {
		fmt.Fprintf(w, " %s |", d.name)
		line.WriteString(" --- |")
	}
	fmt.Fprintln(w, line.String())
	for _, h := range hazards() {
		fmt.Fprintf(w, "| %s |", h.name)
		for _, d := range decoders {
			fmt.Fprintf(w, " %s |", fate(h, d.decode))
		}
		fmt.Fprintln(w)
	}
	fmt.Fprint(w, "| the token in the text of an error |")
	for _, d := range decoders {
		fmt.Fprintf(w, " %s |", map[bool]string{true: "**yes**", false: "no"}[quotes(d.decode)])
	}
	fmt.Fprintln(w)
}

// fate says in a word what a decoder did with a hazard; what is in bold is wrong.
func fate(h hazard, decode func([]byte) (string, string, error)) string {
	_, _, err := decode(bytes.Clone([]byte(h.body)))
	switch {
	case err == nil && h.read:
		return "read"
	case err == nil:
		return "**let through**"
	case h.read:
		return "**event lost**"
	}
	return "refused"
}

func quotes(decode func([]byte) (string, string, error)) bool {
	for _, body := range leaks() {
		if _, _, err := decode([]byte(body)); err != nil && strings.Contains(err.Error(), secretInBody[:16]) {
			return true
		}
	}
	return false
}
