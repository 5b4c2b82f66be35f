package events

import (
	"bytes"
	"fmt"
	"io"
	"strings"
	"unicode"

	"github.com/go-json-experiment/json/jsontext"
)

// Redact returns a webhook's body for a person to read, indented. Of the strings it shows
// those alone that Mews's specification calls identifiers, names, times or actions, and
// none that repeats another string of the body. For every other string or number it says
// what is there, such as "(48 bytes)". So no token is in it, wherever the body has one.
// What a Requestor has in it, which is about a person, is shown only if persons is true.
//
// It accepts any JSON, as WithoutRequestor does, and its errors are the same.
func Redact(body []byte, persons bool) ([]byte, error) {
	body = body[markOf(body):]
	secret, err := redact(body, redaction{persons: persons, out: io.Discard})
	if err != nil {
		return nil, err
	}
	var b bytes.Buffer
	if _, err := redact(body, redaction{persons: persons, out: &b, hidden: secret}); err != nil {
		return nil, err
	}
	return bytes.TrimSpace(b.Bytes()), nil
}

type redaction struct {
	persons bool
	out     io.Writer
	hidden  []string // strings that must not show, wherever they are
}

// shownMembers are the members whose strings a person may see.
var shownMembers = map[string]bool{
	"Action": true, "Id": true, "Name": true, "CreatedUtc": true, "DeletedUtc": true,
	"EnterpriseId": true, "IntegrationId": true, "ServiceId": true,
}

// longestShown is the longest string that is shown, in bytes.
const longestShown = 256

// redact writes a body and returns the strings that it hid and that may be secret.
func redact(body []byte, r redaction) (hid []string, err error) {
	dec := jsontext.NewDecoder(bytes.NewReader(body), jsontext.AllowDuplicateNames(true), jsontext.AllowInvalidUTF8(true))
	enc := jsontext.NewEncoder(r.out, jsontext.AllowDuplicateNames(true), jsontext.AllowInvalidUTF8(true), jsontext.WithIndent("  "))
	var names []string // of the members that lead to where the decoder is, by depth
	for {
		t, err := dec.ReadToken()
		if err == io.EOF {
			return hid, nil
		}
		if err != nil {
			return nil, &Error{Offset: dec.InputOffset(), Reason: reasonMalformed, kind: ErrSyntax}
		}
		depth := dec.StackDepth()
		kind, n := dec.StackIndex(depth)
		switch t.Kind() {
		case '"':
			text := t.String()
			if kind == '{' && n%2 == 1 { // a name: its member is not complete
				names = append(names[:min(depth-1, len(names))], text)
				t = jsontext.String(r.name(text))
				break
			}
			if kind == '[' || depth == 0 || !r.shows(names[:min(depth, len(names))], text) {
				if len(text) >= 8 {
					hid = append(hid, text)
				}
				t = jsontext.String(fmt.Sprintf("(%d bytes)", len(text)))
			}
		case '0':
			t = jsontext.String("(a number)")
		case '{', '[':
			if depth > len(names) { // in an array, or outermost: no member leads here
				names = append(names, "")
			}
		}
		if err := enc.WriteToken(t); err != nil {
			return nil, &Error{Offset: dec.InputOffset(), Reason: reasonMalformed, kind: ErrSyntax}
		}
	}
}

// shows reports whether the string of a member may be seen.
func (r redaction) shows(path []string, text string) bool {
	if len(path) == 0 || len(text) > longestShown {
		return false
	}
	for _, secret := range r.hidden {
		if strings.Contains(text, secret) {
			return false
		}
	}
	for _, name := range path {
		if strings.EqualFold(name, "Requestor") {
			return r.persons
		}
	}
	return shownMembers[path[len(path)-1]]
}

// name returns the name of a member, or what there is instead of one that no
// specification would have.
func (r redaction) name(text string) string {
	odd := strings.ContainsFunc(text, func(c rune) bool { return c > unicode.MaxASCII || !unicode.IsLetter(c) })
	if odd || len(text) > 32 {
		return fmt.Sprintf("(a name of %d bytes)", len(text))
	}
	return text
}
