package main

import (
	"fmt"
	"os"
	"strings"

	"github.com/keyrack-dev/keyrack"
	"github.com/keyrack-dev/keyrack/cmd/keyrack/internal/api"
	"github.com/keyrack-dev/keyrack/cmd/keyrack/internal/usage"
	"github.com/keyrack-dev/keyrack/connector"
	"github.com/keyrack-dev/keyrack/lifecycle"
)

// The webhook's secrets come from the environment alone: other users of the
// machine can read a process's flags.
const (
	secretVariable   = "KEYRACK_WEBHOOK_SECRET"
	previousVariable = "KEYRACK_WEBHOOK_SECRET_PREVIOUS"
)

// secretsFrom returns the secrets of which a delivery must present one. without
// says that none is wanted.
func secretsFrom(env environment, without bool) ([]keyrack.Secret, error) {
	var secrets []keyrack.Secret
	for _, one := range []struct{ variable, name string }{{secretVariable, "current"}, {previousVariable, "previous"}} {
		value := env(one.variable)
		switch {
		case value == "":
			continue
		case without:
			return nil, usage.Errorf("%s is set, and --without-secret says that there is none; take one of them away", one.variable)
		case strings.TrimSpace(value) != value:
			return nil, usage.Errorf("%s begins or ends with white space, which is hardly meant; take it away", one.variable)
		}
		secrets = append(secrets, keyrack.Secret{Name: one.name, Value: keyrack.NewToken(value)})
	}
	switch {
	case without:
	case len(secrets) == 0:
		return nil, usage.Errorf(`there is no webhook secret, and without one anybody can deliver.
Make one, have Mews call https://YOUR.HOST/webhooks/mews?Token=SECRET with it, and set it:
  export %s=$(openssl rand -hex 32)
If something in front of keyrack authenticates Mews, say so with --without-secret`, secretVariable)
	case env(secretVariable) == "":
		return nil, usage.Errorf("%s is set without %s; the secret in use belongs into the latter", previousVariable, secretVariable)
	}
	return secrets, nil
}

// apiKeysFrom reads the keys of the environment and of a file.
func apiKeysFrom(env environment, file string) (api.Keys, error) {
	keys, err := api.ParseKeys(strings.ReplaceAll(env(api.KeysVariable), ";", "\n"), api.KeysVariable, nil)
	if err != nil {
		return nil, usage.Errorf("%w", err)
	}
	if file == "" {
		return keys, nil
	}
	text, err := os.ReadFile(file)
	if err != nil {
		return nil, fmt.Errorf("the keys of the API: %w", err)
	}
	keys, err = api.ParseKeys(string(text), file, keys)
	switch {
	case err != nil:
		return nil, usage.Errorf("%w", err)
	case len(keys) == 0:
		return nil, usage.Errorf("%s has no keys of the API; make one with: keyrack apikey NAME SCOPES", file)
	}
	return keys, nil
}

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
	client, err := connector.New(a.url, a.clientToken, a.clientName, nil)
	if err != nil {
		return nil, usage.Errorf("asking Mews: %w", err)
	}
	return client, nil
}
