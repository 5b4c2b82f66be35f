package seal

import (
	"crypto/sha256"

	"github.com/keyrack-dev/keyrack/lifecycle"
)

// Digester turns tokens into digests: SHA-256 over a secret key of KeySize bytes
// and the token, so that a digest identifies a token to whoever has the key, and
// nothing to anybody else. Its zero value has a key of zeros.
type Digester struct {
	key func() *[KeySize]byte // behind a function, where no formatting finds it
}

// NewDigester returns the digester of a key.
func NewDigester(key []byte) (Digester, error) {
	if len(key) != KeySize {
		return Digester{}, ErrKeySize
	}
	k := [KeySize]byte(key)
	return Digester{key: func() *[KeySize]byte { return &k }}, nil
}

// Sum returns the digest of a token; that of no token is zero. It does not
// allocate for tokens of up to 224 bytes.
func (d Digester) Sum(token string) lifecycle.Digest {
	if token == "" {
		return lifecycle.Digest{}
	}
	var buffer [KeySize + 224]byte
	b := buffer[:KeySize]
	if d.key != nil {
		copy(b, d.key()[:])
	}
	return sha256.Sum256(append(b, token...))
}
