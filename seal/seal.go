// Package seal hides tokens and bodies from everyone who can read the store: it
// turns clear text into sealed values, and tokens into digests. Stores never import
// it.
//
// A sealed value is
//
//	0x01 ‖ key id (4 bytes) ‖ nonce (12 bytes) ‖ ciphertext ‖ tag (16 bytes)
//
// under AES-256-GCM with a random nonce. The associated data is the owner: what the value
// is, whose, and with which digest. So a value that is moved elsewhere does not open. In a
// store one more byte, 0x02, stands before it. The key id is the
// first four bytes of SHA-256("keyrack sealing key" ‖ key).
package seal

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"errors"
	"fmt"
	"strings"
)

// KeySize is the length of a sealing key, in bytes.
const KeySize = 32

var (
	// ErrKeySize: a key is not KeySize bytes, or not base64 of them.
	ErrKeySize = errors.New("seal: a key is 32 bytes, in base64 where it is text")
	// ErrNoKey: the ring does not hold the key that the value was sealed under.
	ErrNoKey = errors.New("seal: sealed under a key that is not in the ring")
	// ErrOpen: the value was damaged or moved, or is not a sealed value.
	ErrOpen = errors.New("seal: the sealed value does not open")
)

// Sealer seals and opens small values. [Ring] is one; an application may bring its
// own, over Tink or a key manager. It must be safe for concurrent use, and quick,
// since deliveries wait for it.
type Sealer interface {
	// Seal seals the plain text for an owner. Open needs the same owner, which may have
	// bytes that are not text. Seal must not retain its arguments.
	Seal(plain []byte, owner string) ([]byte, error)
	// Open returns the plain text. Its error must not reveal the content.
	Open(sealed []byte, owner string) ([]byte, error)
	// Stale reports whether the value should be sealed again because a newer key has
	// replaced its own.
	Stale(sealed []byte) bool
}

const (
	version = 1
	header  = 1 + 4 + 12
)

// Ring is a Sealer with one or more keys. The first key seals, all of them open. To
// replace a key, put the new one in front; values under the old one are stale until
// they are sealed again. A Ring is immutable.
type Ring struct {
	first uint32
	keys  map[uint32]cipher.AEAD
}

// NewRing returns a ring of at least one key of KeySize bytes. It does not retain the
// slices. The error wraps ErrKeySize.
func NewRing(keys ...[]byte) (*Ring, error) {
	if len(keys) == 0 {
		return nil, fmt.Errorf("seal: a ring needs a key: %w", ErrKeySize)
	}
	r := &Ring{keys: make(map[uint32]cipher.AEAD, len(keys))}
	for i, key := range keys {
		if len(key) != KeySize {
			return nil, ErrKeySize
		}
		block, err := aes.NewCipher(key)
		if err != nil {
			return nil, ErrKeySize
		}
		aead, err := cipher.NewGCM(block)
		if err != nil {
			return nil, ErrKeySize
		}
		sum := sha256.Sum256(append([]byte("keyrack sealing key"), key...))
		id := binary.BigEndian.Uint32(sum[:4])
		if i == 0 {
			r.first = id
		}
		r.keys[id] = aead
	}
	return r, nil
}

// ParseRing returns a ring of keys in base64 (standard or URL alphabet, padded or
// not), separated by commas or white space. The error wraps ErrKeySize.
func ParseRing(text string) (*Ring, error) {
	var keys [][]byte
	for _, word := range strings.FieldsFunc(text, func(c rune) bool { return c == ',' || c <= ' ' }) {
		word = strings.TrimRight(strings.NewReplacer("-", "+", "_", "/").Replace(word), "=")
		key, err := base64.RawStdEncoding.DecodeString(word)
		if err != nil {
			return nil, ErrKeySize // the decoder's error would quote the key
		}
		keys = append(keys, key)
	}
	return NewRing(keys...)
}

// NewKey returns a random key.
func NewKey() []byte {
	key := make([]byte, KeySize)
	rand.Read(key)
	return key
}

// Ephemeral returns a ring with a random key that is never stored, for stores that
// end with the process.
func Ephemeral() *Ring {
	r, err := NewRing(NewKey())
	if err != nil {
		panic(err) // a key of KeySize bytes makes a ring
	}
	return r
}

// Seal seals under the ring's first key.
func (r *Ring) Seal(plain []byte, owner string) ([]byte, error) {
	aead := r.keys[r.first]
	out := make([]byte, header, header+len(plain)+aead.Overhead())
	out[0] = version
	binary.BigEndian.PutUint32(out[1:], r.first)
	rand.Read(out[5:header])
	return aead.Seal(out, out[5:header], plain, []byte(owner)), nil
}

// Open opens what any key of the ring sealed. The error is ErrNoKey or ErrOpen.
func (r *Ring) Open(sealed []byte, owner string) ([]byte, error) {
	if len(sealed) < header || sealed[0] != version {
		return nil, ErrOpen
	}
	aead, ok := r.keys[binary.BigEndian.Uint32(sealed[1:])]
	if !ok {
		return nil, ErrNoKey
	}
	plain, err := aead.Open(nil, sealed[5:header], sealed[header:], []byte(owner))
	if err != nil {
		return nil, ErrOpen
	}
	return plain, nil
}

// Stale reports whether the value was sealed under a key other than the first.
func (r *Ring) Stale(sealed []byte) bool {
	return len(sealed) < header || binary.BigEndian.Uint32(sealed[1:]) != r.first
}

// String returns the number of keys, never the keys.
func (r *Ring) String() string { return fmt.Sprintf("seal.Ring of %d keys", len(r.keys)) }

// GoString returns what String returns, so that %#v shows no key either.
func (r *Ring) GoString() string { return r.String() }
