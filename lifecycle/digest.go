package lifecycle

import (
	"encoding/hex"
	"errors"
)

// Digest identifies a token without revealing it: SHA-256 over a secret key of the
// application's and the token. Without the key, a token cannot be checked against a
// digest. The zero value is no digest.
type Digest [32]byte

func (d Digest) isZero() bool { return d == Digest{} }

// String returns the first four bytes in hexadecimal, enough to tell the keys
// of one integration apart.
func (d Digest) String() string { return hex.EncodeToString(d[:4]) }

// MarshalText returns all 32 bytes in hexadecimal.
func (d Digest) MarshalText() ([]byte, error) {
	return d.append(nil), nil
}

func (d Digest) append(b []byte) []byte { return hex.AppendEncode(b, d[:]) }

var errDigest = errors.New("lifecycle: a digest is 64 hexadecimal digits")

// UnmarshalText accepts what MarshalText writes.
func (d *Digest) UnmarshalText(text []byte) error {
	if len(text) != 2*len(d) {
		return errDigest
	}
	var whole Digest
	if _, err := hex.Decode(whole[:], text); err != nil {
		return errDigest
	}
	*d = whole
	return nil
}
