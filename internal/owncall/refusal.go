package owncall

import (
	"slices"
	"time"

	"github.com/keyrack-dev/keyrack/lifecycle"
)

// Refusal is a 401 that a call of the application's own got.
type Refusal struct {
	Integration     string
	Operation       string
	Token           lifecycle.Digest
	Generation      uint64 // of the record, when the call began
	Began, Answered time.Time

	before string // the other integration that got a 200 within the window before
}

const (
	// window is how far from a 401 the 200s may lie that attribute it.
	window = time.Minute
	// mostRefusals is how many 401s wait to be attributed.
	mostRefusals = 64
)

// Refused notes a 401.
func (t *Trials) Refused(r Refusal) {
	t.mu.Lock()
	defer t.mu.Unlock()
	o := t.integrations[r.Integration][r.Operation]
	if r.Operation == "" || o == nil || !o.worked {
		return // it may lack a permission
	}
	for _, other := range t.accepted {
		if other.integration != "" && other.integration != r.Integration && !other.began.After(r.Began) && r.Began.Sub(other.began) <= window {
			r.before = other.integration
			break
		}
	}
	if r.before == "" {
		return
	}
	t.drop(func(old Refusal) bool { return old.Integration == r.Integration })
	if len(t.refused) == mostRefusals {
		t.refused = t.refused[1:]
	}
	t.refused = append(t.refused, r)
}

// Heard notes a 200 to a call that began at a time, and returns the 401s that are about
// their tokens: those of operations that worked before, between 200s of two other
// integrations.
func (t *Trials) Heard(integration, name string, began time.Time) (about []Refusal) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.of(integration, name).worked = true
	if began.After(t.accepted[0].began) {
		if t.accepted[0].integration != integration {
			t.accepted[1] = t.accepted[0]
		}
		t.accepted[0] = answer{integration, began}
	}
	t.drop(func(r Refusal) bool {
		switch {
		case r.Integration == integration:
			return began.After(r.Began) // it works after all
		case began.Sub(r.Answered) > window:
			return true
		case began.After(r.Answered) && r.before != integration:
			about = append(about, r)
			return true
		}
		return false
	})
	return about
}

func (t *Trials) drop(which func(Refusal) bool) { t.refused = slices.DeleteFunc(t.refused, which) }
