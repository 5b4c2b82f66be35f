package store

import (
	"crypto/rand"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"time"

	"github.com/keyrack-dev/keyrack/lifecycle"
)

// Position is a place in the journal's order. 0 lies before every entry.
type Position uint64

// EntryID identifies a piece of evidence from its arrival on. It is a version 7 UUID
// that Keyrack makes, since Mews gives its deliveries no identifier.
type EntryID [16]byte

// NewEntryID returns a new, unique id.
func NewEntryID(now time.Time) EntryID {
	var id EntryID
	rand.Read(id[:])
	binary.BigEndian.PutUint64(id[:8], uint64(now.UnixMilli())<<16|uint64(binary.BigEndian.Uint16(id[6:8])))
	id[6] = id[6]&0x0f | 0x70
	id[8] = id[8]&0x3f | 0x80
	return id
}

// IsZero reports whether id is the zero id, which no entry has.
func (id EntryID) IsZero() bool { return id == EntryID{} }

// String returns the id in the usual form, with dashes.
func (id EntryID) String() string {
	var text [36]byte
	return string(id.append(text[:0]))
}

// MarshalText returns what String returns.
func (id EntryID) MarshalText() ([]byte, error) { return id.append(nil), nil }

func (id EntryID) append(text []byte) []byte {
	begin := 0
	for _, end := range [...]int{4, 6, 8, 10, 16} {
		if begin > 0 {
			text = append(text, '-')
		}
		text = hex.AppendEncode(text, id[begin:end])
		begin = end
	}
	return text
}

var errEntryID = errors.New("store: an entry id is a UUID with dashes")

// UnmarshalText accepts what MarshalText writes.
func (id *EntryID) UnmarshalText(text []byte) error {
	if len(text) != 36 || text[8] != '-' || text[13] != '-' || text[18] != '-' || text[23] != '-' {
		return errEntryID
	}
	digits := make([]byte, 0, 32)
	for _, c := range text {
		if c != '-' {
			digits = append(digits, c)
		}
	}
	var whole EntryID
	if len(digits) != 2*len(whole) {
		return errEntryID
	}
	if _, err := hex.Decode(whole[:], digits); err != nil {
		return errEntryID
	}
	*id = whole
	return nil
}

// Commit is what one piece of evidence changes.
type Commit struct {
	// Entry is the journal's entry. Its Position and Version are ignored. Its ID is
	// new, or that of an earlier commit, and never zero. If its Integration is "", it
	// belongs to none, and Expect and the fields after it are zero.
	Entry Entry
	// Body is the delivery as it came in, sealed; nil for none.
	Body []byte

	// Expect is the version that the integration must have, 0 if it must not exist.
	// The commit makes it, and the entry's Version, Expect+1.
	Expect uint64
	// After is the entry that made that version, as Stored.Last said: a version that
	// another entry made, in another history of the store, is another version. If it is
	// zero, the number alone is compared.
	After EntryID
	// Record is the new record.
	Record []byte
	// Claim are digests that the integration owns from now on, if not already.
	Claim []Claim
	// Disown are digests that it stops owning; their sealed tokens are erased.
	// Digests that it does not own are skipped. No commit names a digest twice.
	Disown []lifecycle.Digest
	// EraseBodies erases the bodies of all earlier entries of the integration.
	EraseBodies bool
	// Forget erases all earlier entries of the integration with their bodies, all its
	// sealed tokens, and all its digests but those claimed here: only what is in this
	// commit remains. Record becomes the base, at this commit's version, of what
	// follows.
	Forget bool

	// With, if not nil, is a commit of another integration, which claims nothing, erases no
	// bodies, forgets nothing and has no With of its own. The two happen together or not at
	// all, With first: a digest that it disowns may be claimed here. A refusal of either is
	// one of both, and it is this entry's id by which a repetition is known.
	With *Commit
}

// Check returns ErrInvalid if c contradicts itself: it has no entry id, a digest is
// zero or named twice, an entry made version 0, there is no integration and yet more than
// an entry and a body, or its With is not what With may be. Stores call it first.
func (c *Commit) Check() error {
	if c.Entry.ID.IsZero() || c.Expect == 0 && !c.After.IsZero() {
		return ErrInvalid
	}
	if c.Entry.Integration == "" &&
		(c.Expect != 0 || len(c.Record)+len(c.Claim)+len(c.Disown) > 0 || c.EraseBodies || c.Forget) {
		return ErrInvalid
	}
	if w := c.With; w != nil {
		if c.Entry.Integration == "" || w.Entry.Integration == "" || w.Entry.Integration == c.Entry.Integration ||
			w.Entry.ID == c.Entry.ID || w.With != nil || len(w.Claim) > 0 || w.EraseBodies || w.Forget {
			return ErrInvalid
		}
		if err := w.Check(); err != nil {
			return err
		}
	}
	for i := range len(c.Claim) + len(c.Disown) {
		d := c.named(i)
		if d == (lifecycle.Digest{}) {
			return ErrInvalid
		}
		for j := range i {
			if c.named(j) == d {
				return ErrInvalid
			}
		}
	}
	return nil
}

// named returns the i-th digest among Claim and Disown, which are few.
func (c *Commit) named(i int) lifecycle.Digest {
	if i < len(c.Claim) {
		return c.Claim[i].Digest
	}
	return c.Disown[i-len(c.Claim)]
}

// Claim is a digest with its sealed token. A nil Sealed keeps the token that is there.
type Claim struct {
	Digest lifecycle.Digest
	Sealed []byte
}

// Committed is the result of a commit.
type Committed struct {
	// Version is the integration's after the commit; 0 for an entry without an
	// integration.
	Version uint64
	// Entry is the entry as the journal has it.
	Entry Entry
	// Repeated: the commit had happened before, and changed nothing this time.
	Repeated bool
}

// Stored is an integration as a store has it.
type Stored struct {
	Integration string
	Version     uint64
	// Last is the id of the entry that made this version. It outlives the entry. It is
	// zero only where a former version of the store removed that entry.
	Last   EntryID
	Record []byte
	// Base is the record at BaseVersion. The remaining entries of greater versions
	// fold from it to Record. With BaseVersion 0 they fold from the zero record.
	Base        []byte
	BaseVersion uint64
}

// Entry is one piece of evidence in the journal and what was decided about it.
type Entry struct {
	// Position is 0 if the store has not assigned it yet, which can be so in a Committed
	// and in History but never in Journal.
	Position    Position
	ID          EntryID
	Integration string // "" for an entry that belongs to none
	Version     uint64 // the integration's after the commit
	At          lifecycle.Instant
	// Evidence and Decision are in lifecycle's encodings.
	Evidence []byte
	Decision []byte
	// Response is how the delivery was answered; zero if that is unknown.
	Response Response
}

// Response is the HTTP response to a delivery, and the time from the delivery's first
// byte to it.
type Response struct {
	Status int
	Took   time.Duration
}

// Annotation is a Response with the id of its entry.
type Annotation struct {
	ID       EntryID
	Response Response
}

// Ref is the address of a sealed value: a token if Integration and Digest are set, a
// body if Entry is, and a value of the application's own if Name is. Any other
// combination is the address of nothing. Kind says which of them it is.
type Ref struct {
	Name        string
	Integration string
	Digest      lifecycle.Digest
	Entry       EntryID
}

// RefKind is a kind of value that a Ref is the address of.
type RefKind uint8

// The kinds of values. The zero value is that of a Ref to nothing.
const (
	RefNothing RefKind = iota
	RefToken           // an integration's token
	RefBody            // the body of an entry
	RefNamed           // a value of the application's own
)

// Kind returns what r is the address of.
func (r Ref) Kind() RefKind {
	switch {
	case r.Name != "" && r == Ref{Name: r.Name}:
		return RefNamed
	case r.Integration != "" && r.Digest != (lifecycle.Digest{}) && r == Ref{Integration: r.Integration, Digest: r.Digest}:
		return RefToken
	case !r.Entry.IsZero() && r == Ref{Entry: r.Entry}:
		return RefBody
	}
	return RefNothing
}

// Lease is the right to act under a name, for a time.
type Lease struct {
	Name   string
	Holder string
	Fence  uint64
	// Until is when the lease expires, by the store's clock.
	Until time.Time
}
