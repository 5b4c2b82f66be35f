package join

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/go-json-experiment/json"

	"github.com/keyrack-dev/keyrack/internal/binding"
	"github.com/keyrack-dev/keyrack/lifecycle"
	"github.com/keyrack-dev/keyrack/store"
)

// stash is a joining that is under way. It is replaced only where it cannot have been
// finished: before all its spellings were left as it says.
type stash struct {
	stashContent
	sealed []byte // as it lies in the store; nil if it does not
}

// stashContent is what is sealed.
type stashContent struct {
	// Entry is the id of the entry that joins. It makes of several instances' commits one.
	Entry store.EntryID
	// Spans are the parts of the journals that are joined.
	Spans  []span
	Tokens []stashed
}

// span is the part of one spelling's journal that is joined: the versions above After, up
// to Through. The entry that leaves the spelling has the version after Through.
type span struct {
	Spelling       string
	After, Through uint64
}

// stashed is a token in clear, which is why a stash is sealed.
type stashed struct {
	Digest lifecycle.Digest
	Token  []byte
}

const stashPrefix = "join "

func stashRef(id string) store.Ref { return store.Ref{Name: stashPrefix + id} }

// IsStash reports whether a sealed value is a stash. It is sealed for its name.
func IsStash(ref store.Ref) bool { return strings.HasPrefix(ref.Name, stashPrefix) }

// empty reports whether nothing is being joined.
func (s *stash) empty() bool { return len(s.Spans) == 0 }

// token returns a token in clear, or nil.
func (s *stash) token(d lifecycle.Digest) []byte {
	for _, t := range s.Tokens {
		if t.Digest == d {
			return t.Token
		}
	}
	return nil
}

// readStash reads the stash of an id.
func (j *joiner) readStash(ctx context.Context) (s stash, err error) {
	ref := stashRef(j.id)
	s.sealed, err = j.store.Sealed(ctx, ref)
	if errors.Is(err, store.ErrNotFound) {
		return stash{}, nil
	}
	if err != nil {
		return s, err
	}
	plain, err := binding.Open(j.sealer, ref, s.sealed)
	if err != nil {
		return s, fmt.Errorf("%w: %w", ErrUnopened, err)
	}
	if err := json.Unmarshal(plain, &s.stashContent); err != nil { // its text quotes
		return s, errors.New("keyrack: a stash cannot be read")
	}
	return s, nil
}

// writeStash replaces the content of the stash. It is store.ErrConflict if another instance
// has.
func (j *joiner) writeStash(ctx context.Context, s *stash, next stashContent) error {
	ref := stashRef(j.id)
	plain, err := json.Marshal(next)
	if err != nil {
		return errors.New("keyrack: a stash cannot be written")
	}
	fresh, err := binding.Seal(j.sealer, ref, plain)
	if err != nil {
		return fmt.Errorf("keyrack: sealing: %w", err)
	}
	if err := j.store.Reseal(ctx, ref, s.sealed, fresh); err != nil {
		return err
	}
	now, err := j.store.Sealed(ctx, ref)
	switch {
	case err != nil:
		return err
	case !bytes.Equal(now, fresh):
		return store.ErrConflict
	}
	s.stashContent, s.sealed = next, fresh
	return nil
}
