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

// EntryID identifies a piece of evidence from its arrival on: a version 7 UUID
// of ours, since Mews gives its deliveries none.
type EntryID [16]byte

// NewEntryID returns an id that has never been before.
func NewEntryID(now time.Time) EntryID {
	var id EntryID
	rand.Read(id[:])
	binary.BigEndian.PutUint64(id[:8], uint64(now.UnixMilli())<<16|uint64(binary.BigEndian.Uint16(id[6:8])))
	id[6] = id[6]&0x0f | 0x70
	id[8] = id[8]&0x3f | 0x80
	return id
}

// IsZero tells whether there is no id.
func (id EntryID) IsZero() bool { return id == EntryID{} }

// String returns the id in the usual form, with dashes.
func (id EntryID) String() string {
	text, _ := id.MarshalText()
	return string(text)
}

// MarshalText returns what String returns.
func (id EntryID) MarshalText() ([]byte, error) {
	text := make([]byte, 0, 36)
	begin := 0
	for _, end := range []int{4, 6, 8, 10, 16} {
		if begin > 0 {
			text = append(text, '-')
		}
		text = hex.AppendEncode(text, id[begin:end])
		begin = end
	}
	return text, nil
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
	// Entry is the journal's. Its Position and its Version are ignored; its ID is
	// new or repeats an earlier commit's, and is never zero. An Entry whose
	// Integration is "" belongs to none: then Expect and all that follows it is zero.
	Entry Entry
	// Body is what came in, sealed; nil for none.
	Body []byte

	// Expect is the version that the integration must have: 0 if it must not
	// exist. Afterwards it has Expect+1, as does the entry's Version.
	Expect uint64
	// Record is the new record.
	Record []byte
	// Claim are digests that the integration owns from now on, if not before.
	Claim []Claim
	// Disown are digests that it owns no longer, their sealed tokens erased. Those
	// that it does not own are passed over. No digest is named twice in one commit.
	Disown []lifecycle.Digest
	// EraseBodies erases the bodies of all earlier entries of the integration.
	EraseBodies bool
	// Forget erases all earlier entries of the integration, with their bodies, all
	// its digests that are not claimed here and all its sealed tokens: afterwards
	// there is what is in this commit, and no more. Record then is the base, at
	// the version of this commit, of what follows.
	Forget bool
}

// Check returns ErrInvalid if c contradicts itself: no entry id, a digest that is
// zero or named twice, or anything but an entry and a body where there is no
// integration. Stores call it before anything else.
func (c *Commit) Check() error {
	if c.Entry.ID.IsZero() {
		return ErrInvalid
	}
	if c.Entry.Integration == "" &&
		(c.Expect != 0 || len(c.Record)+len(c.Claim)+len(c.Disown) > 0 || c.EraseBodies || c.Forget) {
		return ErrInvalid
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

// Claim is a digest with its token, sealed. A nil Sealed leaves what is there.
type Claim struct {
	Digest lifecycle.Digest
	Sealed []byte
}

// Receipt is what a commit came to.
type Receipt struct {
	// Version is the integration's after the commit; 0 for an entry without one.
	Version uint64
	// Entry is the entry as the journal has it.
	Entry Entry
	// Repeated: this commit was there already, and changed nothing.
	Repeated bool
}

// Stored is an integration as a store has it.
type Stored struct {
	Integration string
	Version     uint64
	Record      []byte
	// Base is the record at BaseVersion, from which those entries that are left and
	// have a greater version fold to Record. BaseVersion 0: from nothing.
	Base        []byte
	BaseVersion uint64
}

// Entry is one piece of evidence in the journal: what came, and what was decided.
type Entry struct {
	// Position is 0 where a store that assigns positions late has not done so yet:
	// in receipts and in History, never in Journal.
	Position    Position
	ID          EntryID
	Integration string // "" for what belongs to none
	Version     uint64 // the integration's afterwards
	At          lifecycle.Instant
	// Evidence and Decision are in lifecycle's encodings.
	Evidence []byte
	Decision []byte
	// Answered is how the delivery was answered; zero where it is not known.
	Answered Answer
}

// Answer is what was answered to a delivery, and how long that took from its
// first byte to the answer.
type Answer struct {
	Status int // of HTTP
	Took   time.Duration
}

// Answered is an Answer and the entry that it belongs to.
type Answered struct {
	ID     EntryID
	Answer Answer
}

// Ref is the address of a sealed value: that of a token if Integration and Digest
// are set, that of a body if Entry is, and one of the application's own if Name is.
// Whatever else is set is the address of nothing.
type Ref struct {
	Name        string
	Integration string
	Digest      lifecycle.Digest
	Entry       EntryID
}

// Lease is the right to act under a name, for a time.
type Lease struct {
	Name   string
	Holder string
	Fence  uint64
	// Until is when it runs out, by the store's clock.
	Until time.Time
}
