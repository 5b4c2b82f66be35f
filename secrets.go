package keyrack

import (
	"crypto/sha256"
	"crypto/subtle"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"sync/atomic"
	"time"
	"unicode"
)

// Secret is one that Mews puts in the webhook URL's query, as ?Token=SECRET.
// Several can be accepted at once, so that one can be replaced without losing
// a delivery.
type Secret struct {
	// Name tells the secrets of a handler apart, so no two have the same; it may be logged.
	Name string
	// Value is the secret itself.
	Value Token
}

// SecretUse says when a secret was last presented; LastSeen is zero if never.
type SecretUse struct {
	Name     string
	LastSeen time.Time
}

type secret struct {
	name     string
	sum      [sha256.Size]byte
	lastSeen atomic.Int64 // Unix nanoseconds
}

type secrets []*secret

func newSecrets(given []Secret) (secrets, error) {
	all := make(secrets, 0, len(given))
	for _, s := range given {
		if s.Value.IsZero() {
			return nil, fmt.Errorf("%w: the secret %q is empty", ErrInvalid, s.Name)
		}
		value := s.Value.Reveal()
		if strings.TrimSpace(value) != value || strings.ContainsFunc(value, unicode.IsControl) {
			return nil, fmt.Errorf("%w: the secret %q has a control character, or white space at an end, which no URL that Mews calls has; a line read from a file ends in one: cut it off", ErrInvalid, s.Name)
		}
		sum := sha256.Sum256([]byte(value))
		if i := slices.IndexFunc(all, func(other *secret) bool { return other.sum == sum }); i >= 0 {
			return nil, fmt.Errorf("%w: the secrets %q and %q are the same, so nothing would tell which of them is still in use; give the new one a value of its own, or leave one out", ErrInvalid, all[i].name, s.Name)
		}
		if slices.ContainsFunc(all, func(other *secret) bool { return other.name == s.Name }) {
			return nil, fmt.Errorf("%w: two secrets have the name %q; give each its own, which tells them apart", ErrInvalid, s.Name)
		}
		all = append(all, &secret{name: s.Name, sum: sum})
	}
	return all, nil
}

// match returns the name of the secret that the query presents, if it is one of them, in time
// that does not depend on which, or on how much of it is right. A plus sign in the query stands for a
// blank in a form and for itself in a URL, and a URL may be registered with either meaning: both
// match.
func (all secrets) match(rawQuery string, now time.Time) (name string, found bool) {
	escaped, ok := presentedIn(rawQuery)
	if !ok {
		return "", false
	}
	asForm, err := url.QueryUnescape(escaped)
	if err != nil {
		return "", false
	}
	asURL, _ := url.PathUnescape(escaped) // no error, as there was none
	form, plain := sha256.Sum256([]byte(asForm)), sha256.Sum256([]byte(asURL))
	for _, s := range all {
		if subtle.ConstantTimeCompare(form[:], s.sum[:])|subtle.ConstantTimeCompare(plain[:], s.sum[:]) == 1 {
			s.lastSeen.Store(now.UnixNano())
			name, found = s.name, true
		}
	}
	return name, found
}

// presentedIn returns the value of the one member Token of a query, as it is escaped. A part
// that does not parse is left out, as package url does; but url makes a map of it all.
func presentedIn(rawQuery string) (escaped string, ok bool) {
	for part := range strings.SplitSeq(rawQuery, "&") {
		name, value, _ := strings.Cut(part, "=")
		if strings.Contains(part, ";") {
			continue
		}
		if name, err := url.QueryUnescape(name); err != nil || name != "Token" {
			continue
		}
		if _, err := url.QueryUnescape(value); err == nil {
			if ok {
				return "", false // twice
			}
			escaped, ok = value, true
		}
	}
	return escaped, ok
}

// echoes are the headers in which proxies repeat the URL that they were asked for.
var echoes = []string{"X-Original-Uri", "X-Original-Url", "X-Rewrite-Url", "X-Forwarded-Uri", "X-Envoy-Original-Path", "X-Request-Uri", "Referer"}

// withoutSecret takes what may hold a secret out of a request whose URL and headers are its
// own.
func withoutSecret(req *http.Request) {
	var rest []string
	for part := range strings.SplitSeq(req.URL.RawQuery, "&") {
		name, _, _ := strings.Cut(part, "=")
		if plain, err := url.QueryUnescape(name); err != nil || plain != "Token" {
			rest = append(rest, part)
		}
	}
	req.URL.RawQuery = strings.Join(rest, "&")
	req.RequestURI = req.URL.RequestURI()
	req.Form, req.PostForm, req.MultipartForm = nil, nil, nil // they are parsed anew from what is left
	for _, name := range echoes {
		req.Header.Del(name)
	}
}

func (all secrets) uses() []SecretUse {
	uses := make([]SecretUse, len(all))
	for i, s := range all {
		uses[i].Name = s.name
		if nanos := s.lastSeen.Load(); nanos != 0 {
			uses[i].LastSeen = time.Unix(0, nanos).UTC()
		}
	}
	return uses
}
