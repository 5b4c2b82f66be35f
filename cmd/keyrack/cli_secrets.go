package main

import (
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"github.com/keyrack-dev/keyrack"
	"github.com/keyrack-dev/keyrack/cmd/keyrack/internal/api"
	"github.com/keyrack-dev/keyrack/cmd/keyrack/internal/files"
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

// secretsFrom returns the secrets that a delivery may present. without means that none is
// required.
func secretsFrom(env environment, without bool) ([]keyrack.Secret, error) {
	var secrets []keyrack.Secret
	for _, one := range []struct{ variable, name string }{{secretVariable, "current"}, {previousVariable, "previous"}} {
		value := env(one.variable)
		switch {
		case value == "":
			continue
		case without:
			return nil, usage.Errorf("both %s and --without-secret are set; remove one of them", one.variable)
		case strings.TrimSpace(value) != value:
			return nil, usage.Errorf("%s begins or ends with white space; remove it", one.variable)
		}
		secrets = append(secrets, keyrack.Secret{Name: one.name, Value: keyrack.NewToken(value)})
	}
	switch {
	case without:
	case len(secrets) == 0:
		return nil, usage.Errorf(`there is no webhook secret, and without one anybody can deliver webhooks.
Create one, give Mews the URL https://YOUR.HOST/webhooks/mews?Token=SECRET, and set it:
  export %s=$(openssl rand -hex 32)
If something in front of keyrack authenticates Mews, use --without-secret instead`, secretVariable)
	case env(secretVariable) == "":
		return nil, usage.Errorf("%s is set without %s; set the secret in use with the latter", previousVariable, secretVariable)
	}
	return secrets, nil
}

// apiKeysFrom reads the API keys of the environment and of a file.
func apiKeysFrom(env environment, file string) (api.Keys, error) {
	keys, err := api.ParseKeys(strings.ReplaceAll(env(api.KeysVariable), ";", "\n"), api.KeysVariable, nil)
	if err != nil {
		return nil, usage.Errorf("%w", err)
	}
	if file == "" {
		return keys, nil
	}
	// The file holds digests: who may write it decides who gets in, but everybody may read it.
	guarded := files.Guarded{What: "the API keys", Elsewhere: "set " + api.KeysVariable, Public: true}
	text, _, err := guarded.Read(file)
	if err != nil {
		return nil, err
	}
	keys, err = api.ParseKeys(string(text), file, keys)
	switch {
	case err != nil:
		return nil, usage.Errorf("%w", err)
	case len(keys) == 0:
		return nil, usage.Errorf("%s holds no API keys; create one with: keyrack apikey NAME SCOPES", file)
	}
	return keys, nil
}

// clientTokenVariable holds the application's own ClientToken.
const clientTokenVariable = "KEYRACK_CLIENT_TOKEN"

// connectorSettings say how Mews is asked. Either all of them are set or none.
type connectorSettings struct {
	url         string // --connector-url
	clientName  string // --client-name
	clientToken lifecycle.Token
}

// client returns a client of Mews, or nil if nothing is set.
func (c connectorSettings) client() (*connector.Client, error) {
	var set, missing []string
	for _, one := range []struct {
		name  string
		isSet bool
	}{
		{"--connector-url (" + variable("connector-url") + ")", c.url != ""},
		{"--client-name (" + variable("client-name") + ")", c.clientName != ""},
		{clientTokenVariable, !c.clientToken.IsZero()},
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
		return nil, usage.Errorf("asking Mews takes all three settings: %s is set, and %s is missing",
			strings.Join(set, " and "), strings.Join(missing, " and "))
	}
	client, err := connector.New(c.url, c.clientToken, c.clientName, nil)
	if err != nil {
		return nil, usage.Errorf("asking Mews: %w", err)
	}
	return client, nil
}

func newAPIKeyVerb() *cobra.Command {
	return &cobra.Command{
		Use:   "apikey NAME SCOPE[,SCOPE]...",
		Short: "Create an API key",
		Long: `Apikey creates a key with which a program may use the API of keyrack serve. It prints
two lines: the key, which cannot be shown again, and a line to add to the file of
--api-keys-file or to KEYRACK_API_KEYS. That line is not secret: it holds the SHA-256
of the key. Scopes are

  read         read lists, histories, explanations, changes and metrics
  introspect   ask whether a token is valid
  token        get the current token of an integration
  report       report what Mews answered
  admin        everything`,
		Example: `  keyrack apikey booking-engine introspect,report`,
		Args: func(verb *cobra.Command, args []string) error {
			if len(args) != 2 {
				return usage.Errorf("%s takes a name and scopes, such as: keyrack apikey booking-engine introspect", verb.CommandPath())
			}
			return nil
		},
		RunE: func(verb *cobra.Command, args []string) error {
			scopes, err := api.ParseScopes(args[1])
			if err != nil {
				return usage.Errorf("%w", err)
			}
			if !api.ValidKeyName(args[0]) {
				return usage.Errorf("a name consists of at most 64 letters, digits, dots, dashes and underscores")
			}
			value, key := api.NewKey(args[0], scopes)
			_, err = fmt.Fprintf(verb.OutOrStdout(), "%s\n%v\n", value, key)
			return err
		},
	}
}
