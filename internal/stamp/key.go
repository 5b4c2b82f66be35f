package stamp

import (
	"bytes"
	"crypto/hmac"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/binary"
	"errors"
	"hash"
	"sync"

	"github.com/keyrack-dev/keyrack/store"
)

var (
	// ErrForged: the stamp does not fit. What it is on was changed or moved without the
	// sealing key.
	ErrForged = errors.New("keyrack: the stamp does not fit: this was changed or moved without the sealing key")
	// ErrMissing: there is no stamp where one is required.
	ErrMissing = errors.New("keyrack: the stamp is missing: this was written without the sealing key, or by a former version")
)

// Mark says from where on stamps are required. The zero Mark requires none.
type Mark struct {
	Required bool
	// After is where the journal ended when stamps began to be required. Entries up to it may
	// lack one, and bases if it is not 0; records may not.
	After store.Position
}

// KeySize is the size of a secret for NewKey, in bytes.
const KeySize = 32

// Key makes and checks stamps. The zero Key makes none, and takes everything for stamped. It is
// safe for concurrent use.
type Key struct {
	Mark
	macs func() *sync.Pool // a function, so that no formatting shows the key
}

// mac is a keyed hash, with room for what it takes and gives.
type mac struct {
	hash.Hash
	room []byte
}

// NewKey returns the key with a secret of KeySize bytes.
func NewKey(secret []byte, m Mark) Key {
	secret = bytes.Clone(secret)
	macs := &sync.Pool{New: func() any { return &mac{hmac.New(sha256.New, secret), make([]byte, 0, 256)} }}
	return Key{m, func() *sync.Pool { return macs }}
}

// IsZero reports whether k is the zero Key.
func (k Key) IsZero() bool { return k.macs == nil }

// kind is a kind of what is stamped.
type kind byte

const (
	ofRecord kind = 'r' // and a base
	ofEntry  kind = 'e'
)

// Parts are what was sealed with an entry.
type Parts byte

// The parts of an entry.
const (
	Body Parts = 1 << iota
	Token
)

// PartsOf returns the parts of a commit.
func PartsOf(c *store.Commit) (p Parts) {
	if c.Body != nil {
		p |= Body
	}
	for i := range c.Claim {
		if c.Claim[i].Sealed != nil {
			p |= Token
		}
	}
	return p
}

// subject is what a stamp is about.
type subject struct {
	kind        kind
	integration string
	version     uint64
	id          store.EntryID // of an entry
	at          uint64        // of an entry
}

// mark is what a stamp says.
type mark struct {
	link  store.EntryID
	parts Parts
	code  code
}

// code is HMAC-SHA256, cut to 128 bits.
type code [16]byte

// code returns the code of a subject with these texts. All that varies in length has its
// length before it.
func (k Key) code(s *subject, m *mark, texts ...[]byte) (c code) {
	macs := k.macs()
	h, _ := macs.Get().(*mac)
	b := append(h.room[:0], byte(s.kind), byte(m.parts))
	b = binary.BigEndian.AppendUint64(b, s.version)
	b = binary.BigEndian.AppendUint64(b, s.at)
	b = append(append(b, s.id[:]...), m.link[:]...)
	b = append(binary.BigEndian.AppendUint64(b, uint64(len(s.integration))), s.integration...)
	for _, text := range texts {
		b = binary.BigEndian.AppendUint64(b, uint64(len(text)))
	}
	h.Reset()
	h.Write(b)
	for _, text := range texts {
		h.Write(text)
	}
	b = h.Sum(b[:0])
	copy(c[:], b)
	h.room = b
	macs.Put(h)
	return c
}

func (c code) is(other code) bool { return subtle.ConstantTimeCompare(c[:], other[:]) == 1 }
