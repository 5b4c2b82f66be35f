package api

import (
	"bufio"
	"crypto/rand"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/base64"
	"encoding/hex"
	"fmt"
	"slices"
	"strings"
)

// scope is what a key may be used for.
type scope uint8

const (
	scopeRead       scope = 1 << iota // read lists, histories, explanations, changes and metrics
	scopeIntrospect                   // ask about a token
	scopeToken                        // get a token
	scopeReport                       // report what Mews answered
	ScopeAdmin                        // everything

	scopeNone scope = 0 // any key will do
)

// scopeNames are the scopes in the order in which they are listed.
var scopeNames = []struct {
	name  string
	scope scope
}{
	{"read", scopeRead}, {"introspect", scopeIntrospect}, {"token", scopeToken}, {"report", scopeReport}, {"admin", ScopeAdmin},
}

// allows reports whether a key with the scopes s may do what needs another.
func (s scope) allows(needed scope) bool { return s&ScopeAdmin != 0 || s&needed == needed }

func (s scope) String() string {
	var names []string
	for _, one := range scopeNames {
		if s&one.scope != 0 {
			names = append(names, one.name)
		}
	}
	return strings.Join(names, ",")
}

// ParseScopes reads a list of scopes, separated by commas.
func ParseScopes(text string) (scope, error) {
	var all scope
	for name := range strings.SplitSeq(text, ",") {
		known := scope(0)
		for _, one := range scopeNames {
			if one.name == name {
				known = one.scope
			}
		}
		if known == 0 {
			return 0, fmt.Errorf("a scope must be one of read, introspect, token, report and admin; separate several with commas")
		}
		all |= known
	}
	return all, nil
}

// Key is a key of the API. It holds only the digest of the key itself.
type Key struct {
	name   string
	scopes scope
	sum    [sha256.Size]byte
}

// String returns the key's line in a file of keys.
func (k Key) String() string { return fmt.Sprintf("%s %v %x", k.name, k.scopes, k.sum) }

// Keys are all keys of the API.
type Keys []Key

// find returns the key with this value. It takes as long for a wrong value.
func (all Keys) find(value string) (found *Key) {
	sum := sha256.Sum256([]byte(value))
	for i := range all {
		if subtle.ConstantTimeCompare(sum[:], all[i].sum[:]) == 1 {
			found = &all[i]
		}
	}
	return found
}

// Reader returns the name of the key with this value if its scopes allow to read, and "" for
// any other value. It takes as long for a wrong value.
func (all Keys) Reader(value string) (name string) {
	if key := all.find(value); key != nil && key.scopes.allows(scopeRead) {
		return key.name
	}
	return ""
}

// Admin reports whether the key of this name has the scope admin.
func (all Keys) Admin(name string) bool {
	return name != "" && slices.ContainsFunc(all, func(k Key) bool { return k.name == name && k.scopes&ScopeAdmin != 0 })
}

// KeysVariable is the environment variable of keys.
const KeysVariable = "KEYRACK_API_KEYS"

// ParseKeys reads lines of keys and appends them to keys. Its errors quote nothing: a line may
// hold a key where its digest belongs.
func ParseKeys(text, source string, keys Keys) (Keys, error) {
	lines := bufio.NewScanner(strings.NewReader(text))
	for n := 1; lines.Scan(); n++ {
		fields := strings.Fields(lines.Text())
		if len(fields) == 0 || strings.HasPrefix(fields[0], "#") {
			continue
		}
		wrong := func(what string) error { return fmt.Errorf("%s, line %d: %s", source, n, what) }
		if len(fields) != 3 {
			return nil, wrong("a line must hold a name, scopes and a SHA-256; keyrack apikey prints one")
		}
		key := Key{name: fields[0]}
		var err error
		if key.scopes, err = ParseScopes(fields[1]); err != nil {
			return nil, wrong(err.Error())
		}
		if !ValidKeyName(key.name) {
			return nil, wrong("a name consists of letters, digits, dots, dashes and underscores")
		}
		if n, err := hex.Decode(key.sum[:], []byte(fields[2])[:min(len(fields[2]), 2*sha256.Size)]); err != nil || n != sha256.Size || len(fields[2]) != 2*sha256.Size {
			return nil, wrong("the SHA-256 of a key must be 64 hexadecimal digits")
		}
		for _, other := range keys {
			if other.name == key.name {
				return nil, wrong("another key has the same name; give each key a name of its own, so that the log tells them apart")
			}
		}
		keys = append(keys, key)
	}
	return keys, lines.Err()
}

// ValidKeyName reports whether a name can stand in a log, a URL and a file of keys.
func ValidKeyName(name string) bool {
	return name != "" && len(name) <= 64 && strings.Trim(name, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._-") == ""
}

// NewKey creates a key: 32 random bytes in base64, after letters by which scanners for
// leaked secrets recognise it.
func NewKey(name string, scopes scope) (value string, key Key) {
	var random [32]byte
	_, _ = rand.Read(random[:]) // never fails
	value = "krk_" + base64.RawURLEncoding.EncodeToString(random[:])
	return value, Key{name, scopes, sha256.Sum256([]byte(value))}
}
