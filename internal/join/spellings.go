package join

import (
	"slices"
	"sync"

	"github.com/keyrack-dev/keyrack/lifecycle"
)

// Spellings are the ids under which a store holds what belongs under another spelling. The
// zero value has none. It is safe for concurrent use.
type Spellings struct {
	mu   sync.Mutex
	byID map[string][]string
}

// Add notes a spelling, and reports whether it is another than the canonical one.
func (s *Spellings) Add(spelling string) bool {
	id := lifecycle.CanonicalID(spelling)
	if id == spelling {
		return false
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.byID == nil {
		s.byID = make(map[string][]string)
	}
	if !slices.Contains(s.byID[id], spelling) {
		s.byID[id] = append(s.byID[id], spelling)
	}
	return true
}

// Of returns the other spellings of an id, in the order in which they were noted.
func (s *Spellings) Of(id string) []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.byID[id])
}
