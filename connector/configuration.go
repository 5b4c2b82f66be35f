package connector

import (
	"io"
	"slices"
	"strings"
	"unicode"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"

	"github.com/keyrack-dev/keyrack/lifecycle"
)

const (
	maxBody       = 1 << 20 // bytes of a response, after decompression
	maxIdentifier = 128     // bytes
	maxName       = 1 << 10 // bytes
)

// configuration is the part of a 200's body that we read. The JSON must be strict (no
// duplicate names, UTF-8, exact case of names, nothing after the end), but of its
// content only the enterprise's identifier is required. In the specification's sample
// the Service belongs to another enterprise than the one beside it, so nothing is
// concluded from that.
type configuration struct {
	Enterprise struct {
		ID          jsontext.Value `json:"Id"`
		Name        jsontext.Value
		IsPortfolio jsontext.Value
	}
	Service jsontext.Value
}

// fill reads the body of a 200 into an answer. If the body is no configuration, it
// returns false and leaves the answer unchanged.
func (a *Answer) fill(body []byte) bool {
	var c configuration
	if json.Unmarshal(body, &c) != nil {
		return false
	}
	enterprise := named(c.Enterprise.ID, c.Enterprise.Name)
	if enterprise.ID == "" {
		return false
	}
	var service struct {
		ID   jsontext.Value `json:"Id"`
		Name jsontext.Value
	}
	if c.Service.Kind() == '{' && json.Unmarshal(c.Service, &service) == nil {
		a.Service = named(service.ID, service.Name)
	}
	a.Enterprise, a.Portfolio = enterprise, c.Enterprise.IsPortfolio.Kind() == 't'
	a.Kind = Accepted
	return true
}

// named returns an identifier, in its one spelling, with its name, or zero if there is no
// identifier.
func named(id, name jsontext.Value) lifecycle.Named {
	n := lifecycle.Named{ID: lifecycle.CanonicalID(text(id, maxIdentifier)), Name: text(name, maxName)}
	if n.ID == "" {
		return lifecycle.Named{}
	}
	return n
}

// text returns a string that may be shown, and "" for any other value.
func text(v jsontext.Value, most int) string {
	if v.Kind() != '"' {
		return ""
	}
	b, err := jsontext.AppendUnquote(nil, v)
	if err != nil || len(b) > most || strings.ContainsFunc(string(b), unicode.IsControl) {
		return ""
	}
	return string(b)
}

// quotes reports whether a text that came back repeats a secret that was sent. It
// ignores secrets of a few bytes, which may occur in a name by chance.
func quotes(secret string, texts ...string) bool {
	const least = 16 // bytes
	return len(secret) >= least &&
		slices.ContainsFunc(texts, func(s string) bool { return strings.Contains(s, secret) })
}

// readBody returns the whole body, or false if it is longer than maxBody.
func readBody(r io.Reader) (body []byte, whole bool, err error) {
	body, err = io.ReadAll(io.LimitReader(r, maxBody+1))
	return body, len(body) <= maxBody, err
}
