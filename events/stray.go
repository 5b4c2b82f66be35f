package events

import (
	"bytes"

	"github.com/keyrack-dev/keyrack/lifecycle"
)

// strayToken returns the first token in a body that names no integration for it: the
// value of a member named AccessToken or ApiKey, at whatever depth. It returns the zero
// Token if there is none.
func strayToken(body []byte) (token lifecycle.Token) {
	if !bytes.Contains(body, []byte("AccessToken")) && !bytes.Contains(body, []byte("ApiKey")) {
		return token
	}
	r := newReader(body)
	defer r.release()
	for r.err == nil {
		if kind, n := r.dec.StackIndex(r.dec.StackDepth()); kind != '{' || n%2 != 0 {
			r.take() // no name of a member
		} else if r.next() && (string(r.name) == "AccessToken" || string(r.name) == "ApiKey") {
			if k := r.take(); k == '"' {
				if text := r.text(); 0 < len(text) && len(text) <= maxToken {
					return lifecycle.NewToken(string(text))
				}
			}
		}
		if r.dec.StackDepth() == 0 {
			break
		}
	}
	return token
}
