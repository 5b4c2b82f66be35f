package seal

import (
	"crypto/sha256"

	"github.com/keyrack-dev/keyrack/lifecycle"
)

// Digester turns tokens into digests: SHA-256 over a secret key of KeySize bytes
// and the token. A digest identifies a token only to those who have the key. The
// zero Digester has a key of zeros.
type Digester struct {
	key func() *[KeySize]byte // a function, so that no formatting shows the key
}

// NewDigester returns the digester of a key. The error is ErrKeySize.
func NewDigester(key []byte) (Digester, error) {
	if len(key) != KeySize {
		return Digester{}, ErrKeySize
	}
	k := [KeySize]byte(key)
	return Digester{key: func() *[KeySize]byte { return &k }}, nil
}

// Sum returns the digest of a token, zero for "". It does not allocate for tokens of
// up to 224 bytes.
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
