package main

import (
	"strings"

	"github.com/keyrack-dev/keyrack/cmd/keyrack/internal/usage"
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
		return nil, usage.Errorf("to ask Mews takes all three: %s is set, and %s is missing",
			strings.Join(set, " and "), strings.Join(missing, " and "))
	}
	client, err := connector.New(connector.Options{URL: a.url, ClientToken: a.clientToken, ClientName: a.clientName})
	if err != nil {
		return nil, usage.Errorf("asking Mews: %w", err)
	}
	return client, nil
}
