package main

import (
	"bufio"
	"crypto/rand"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/base64"
	"encoding/hex"
	"fmt"
	"os"
	"strings"

	"github.com/keyrack-dev/keyrack/cmd/keyrack/internal/usage"
	"github.com/spf13/cobra"
)

// scope is what a key of the API may be used for.
type scope uint8

const (
	scopeRead       scope = 1 << iota // lists, histories, explanations, changes, metrics
	scopeIntrospect                   // questions about a token that the caller has
	scopeToken                        // being handed a token
	scopeEvidence                     // reporting what Mews answered
	scopeAdmin                        // everything

	scopeNone scope = 0 // any key will do
)

// scopeNames are the scopes, in the order in which they are named to people.
var scopeNames = []struct {
	name  string
	scope scope
}{
	{"read", scopeRead}, {"introspect", scopeIntrospect}, {"token", scopeToken}, {"evidence", scopeEvidence}, {"admin", scopeAdmin},
}

// allows tells whether who has these scopes may do what needs that one.
func (s scope) allows(needed scope) bool { return s&scopeAdmin != 0 || s&needed == needed }

func (s scope) String() string {
	var names []string
	for _, one := range scopeNames {
		if s&one.scope != 0 {
			names = append(names, one.name)
		}
	}
	return strings.Join(names, ",")
}

func parseScopes(text string) (scope, error) {
	var all scope
	for name := range strings.SplitSeq(text, ",") {
		known := scope(0)
		for _, one := range scopeNames {
			if one.name == name {
				known = one.scope
			}
		}
		if known == 0 {
			return 0, fmt.Errorf("a scope is one of read, introspect, token, evidence and admin; several are separated by commas")
		}
		all |= known
	}
	return all, nil
}

// apiKey is who may use the API. The key itself is nowhere: only its digest is.
type apiKey struct {
	name   string
	scopes scope
	sum    [sha256.Size]byte
}

// String is the key's line in a file of keys.
func (k apiKey) String() string { return fmt.Sprintf("%s %v %x", k.name, k.scopes, k.sum) }

// apiKeys are all who may use the API.
type apiKeys []apiKey

// find returns the key with this value. It takes as long for a wrong one.
func (all apiKeys) find(value string) (found *apiKey) {
	sum := sha256.Sum256([]byte(value))
	for i := range all {
		if subtle.ConstantTimeCompare(sum[:], all[i].sum[:]) == 1 {
			found = &all[i]
		}
	}
	return found
}

// apiKeysVariable holds lines of keys, for where a file is a nuisance.
const apiKeysVariable = "KEYRACK_API_KEYS"

// apiKeysFrom reads the keys of the environment and of a file.
func apiKeysFrom(env environment, file string) (apiKeys, error) {
	keys, err := parseAPIKeys(strings.ReplaceAll(env(apiKeysVariable), ";", "\n"), apiKeysVariable, nil)
	if err != nil || file == "" {
		return keys, err
	}
	text, err := os.ReadFile(file)
	if err != nil {
		return nil, fmt.Errorf("the keys of the API: %w", err)
	}
	keys, err = parseAPIKeys(string(text), file, keys)
	if err == nil && len(keys) == 0 {
		err = usage.Errorf("%s has no keys of the API; make one with: keyrack apikey NAME SCOPES", file)
	}
	return keys, err
}

// parseAPIKeys reads lines of keys. Its errors quote none of them: a line may hold
// a key where its digest belongs.
func parseAPIKeys(text, source string, keys apiKeys) (apiKeys, error) {
	lines := bufio.NewScanner(strings.NewReader(text))
	for n := 1; lines.Scan(); n++ {
		fields := strings.Fields(lines.Text())
		if len(fields) == 0 || strings.HasPrefix(fields[0], "#") {
			continue
		}
		wrong := func(what string) error { return usage.Errorf("%s, line %d: %s", source, n, what) }
		if len(fields) != 3 {
			return nil, wrong("a key is a line of name, scopes and SHA-256; keyrack apikey makes one")
		}
		key := apiKey{name: fields[0]}
		var err error
		if key.scopes, err = parseScopes(fields[1]); err != nil {
			return nil, wrong(err.Error())
		}
		if !fitsName(key.name) {
			return nil, wrong("a name is of letters, digits, dots, dashes and underscores")
		}
		if n, err := hex.Decode(key.sum[:], []byte(fields[2])[:min(len(fields[2]), 2*sha256.Size)]); err != nil || n != sha256.Size || len(fields[2]) != 2*sha256.Size {
			return nil, wrong("the SHA-256 of a key is 64 hexadecimal digits")
		}
		for _, other := range keys {
			if other.name == key.name {
				return nil, wrong("the name is that of another key; two keys of one program need two names, so that the log tells them apart")
			}
		}
		keys = append(keys, key)
	}
	return keys, lines.Err()
}

// fitsName tells whether a key's name can stand in a log, a URL and a file of keys.
func fitsName(name string) bool {
	return name != "" && len(name) <= 64 && strings.Trim(name, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._-") == ""
}

// newAPIKey makes a key: 32 random bytes in base64, behind letters by which a
// scanner for leaked secrets can know it.
func newAPIKey(name string, scopes scope) (value string, key apiKey) {
	var random [32]byte
	_, _ = rand.Read(random[:]) // never fails
	value = "krk_" + base64.RawURLEncoding.EncodeToString(random[:])
	return value, apiKey{name, scopes, sha256.Sum256([]byte(value))}
}

func newAPIKeyVerb() *cobra.Command {
	return &cobra.Command{
		Use:   "apikey NAME SCOPE[,SCOPE]...",
		Short: "Make a key for the API",
		Long: `Apikey makes a key with which a program may use the API of keyrack serve. It prints
two lines: the key, which nobody can show again, and the line that belongs into
the file that --api-keys-file names, or into KEYRACK_API_KEYS. That line is no
secret: it has the key's SHA-256 in it, not the key.

  read         lists, histories, explanations, the stream of changes, metrics
  introspect   ask whether a token is valid
  token        be handed an integration's current token
  evidence     report what Mews answered
  admin        everything`,
		Example: `  keyrack apikey booking-engine introspect,evidence`,
		Args: func(verb *cobra.Command, args []string) error {
			if len(args) != 2 {
				return usage.Errorf("%s takes a name and scopes, such as: keyrack apikey booking-engine introspect", verb.CommandPath())
			}
			return nil
		},
		RunE: func(verb *cobra.Command, args []string) error {
			scopes, err := parseScopes(args[1])
			if err != nil {
				return usage.Errorf("%w", err)
			}
			if !fitsName(args[0]) {
				return usage.Errorf("a name is of letters, digits, dots, dashes and underscores, 64 at most")
			}
			value, key := newAPIKey(args[0], scopes)
			_, err = fmt.Fprintf(verb.OutOrStdout(), "%s\n%v\n", value, key)
			return err
		},
	}
}
