package main

import (
	"context"
	"errors"
	"strings"

	"github.com/keyrack-dev/keyrack/connector"
	"github.com/keyrack-dev/keyrack/lifecycle"
)

// clientTokenVariable holds the partner's own token: in the environment alone.
const clientTokenVariable = "KEYRACK_CLIENT_TOKEN"

// asking says how Mews is asked: all of it is set, or nothing.
type asking struct {
	url         string // --connector-url
	clientName  string // --client-name
	clientToken lifecycle.Token
}

// client returns who asks Mews, or nil where nobody does.
func (a asking) client() (*connector.Client, error) {
	var set, missing []string
	for _, one := range []struct {
		name  string
		isSet bool
	}{
		{"--connector-url (" + variable("connector-url") + ")", a.url != ""},
		{"--client-name (" + variable("client-name") + ")", a.clientName != ""},
		{clientTokenVariable, !a.clientToken.IsZero()},
	} {
		if one.isSet {
			set = append(set, one.name)
		} else {
			missing = append(missing, one.name)
		}
	}
	switch {
	case len(set) == 0:
		return nil, nil
	case len(missing) > 0:
		return nil, usagef("to ask Mews takes all three: %s is set, and %s is missing",
			strings.Join(set, " and "), strings.Join(missing, " and "))
	}
	client, err := connector.New(connector.Options{URL: a.url, ClientToken: a.clientToken, ClientName: a.clientName})
	if err != nil {
		return nil, usagef("asking Mews: %w", err)
	}
	return client, nil
}

// countingProber counts what Mews answers.
type countingProber struct {
	client *connector.Client
	count  func(result string)
}

// newCountingProber returns a prober whose results are there from the start.
func newCountingProber(client *connector.Client, m *meter) countingProber {
	for kind := connector.Accepted; kind <= connector.Unauthorized; kind++ {
		m.probes.add(0, kind.String())
	}
	for class := connector.Unsendable; class <= connector.Malformed; class++ {
		m.probes.add(0, class.String())
	}
	return countingProber{client, m.probed}
}

// Probe asks whether a token works.
func (p countingProber) Probe(ctx context.Context, token lifecycle.Token) (connector.Answer, error) {
	return p.note(p.client.Probe(ctx, token))
}

// ProbeEnterprise asks whether a portfolio's token covers an enterprise.
func (p countingProber) ProbeEnterprise(ctx context.Context, token lifecycle.Token, enterprise string) (connector.Answer, error) {
	return p.note(p.client.ProbeEnterprise(ctx, token, enterprise))
}

func (p countingProber) note(answer connector.Answer, err error) (connector.Answer, error) {
	result := answer.Kind.String()
	if silent := new(connector.Error); errors.As(err, &silent) {
		result = silent.Class.String()
	}
	p.count(result)
	return answer, err
}
