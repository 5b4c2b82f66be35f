package join

import (
	"encoding/hex"
	"slices"
	"strconv"
	"strings"
	"sync"

	"github.com/keyrack-dev/keyrack/lifecycle"
)

// Spellings are the ids under which a store holds what belongs under another one: another
// spelling of it, or the id that an integration had of ours before it got its name. The zero
// value has none. It is safe for concurrent use.
type Spellings struct {
	mu      sync.Mutex
	byID    map[string][]string
	aliases map[string]string // the names of nameless integrations
}

// Add notes a spelling, and reports whether it is another than the canonical one.
func (s *Spellings) Add(spelling string) bool {
	id := lifecycle.CanonicalID(spelling)
	if id == spelling {
		return false
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.add(id, spelling)
	return true
}

func (s *Spellings) add(id, other string) {
	if s.byID == nil {
		s.byID = make(map[string][]string)
	}
	if !slices.Contains(s.byID[id], other) {
		s.byID[id] = append(s.byID[id], other)
	}
}

// Alias notes which integration a nameless one turned out to be; "" for none, or none any
// more.
func (s *Spellings) Alias(nameless, name string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	was := s.aliases[nameless]
	if was == name {
		return
	}
	if was != "" {
		s.byID[was] = slices.DeleteFunc(s.byID[was], func(other string) bool { return other == nameless })
		delete(s.aliases, nameless)
	}
	if name != "" {
		if s.aliases == nil {
			s.aliases = make(map[string]string)
		}
		s.aliases[nameless] = name
		s.add(name, nameless)
	}
}

// prefix is what the ids of nameless integrations begin with. No GUID does.
const prefix = "nameless-"

// Nameless returns the id of ours that an integration has as long as its token alone is known.
// It is the same on every instance. Again counts how often that id was used before.
func Nameless(token lifecycle.Digest, again int) string {
	id := prefix + hex.EncodeToString(token[:16])
	if again > 0 {
		id += "-" + strconv.Itoa(again+1)
	}
	return id
}

// IsNameless reports whether an id is one of ours.
func IsNameless(id string) bool { return strings.HasPrefix(id, prefix) }

// Of returns the other spellings of an id, in the order in which they were noted.
func (s *Spellings) Of(id string) []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.byID[id])
}
