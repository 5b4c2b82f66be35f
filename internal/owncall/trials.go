package owncall

import (
	"sync"
	"time"
)

// mostOperations is how many operations of an integration are told apart. Further ones
// count as one.
const mostOperations = 16

// steps are how long after the first 401 in a row, the second and so on a call is not
// made again.
var steps = [...]time.Duration{time.Minute, 5 * time.Minute, 30 * time.Minute, 2 * time.Hour}

// unlikely is how long a token that probably does not work is not tried at all.
const unlikely = 2 * time.Hour

// Trials are the calls of all integrations. The zero value has none. It is safe for
// concurrent use.
type Trials struct {
	mu           sync.Mutex
	integrations map[string]map[string]*operation
	accepted     [2]answer // the latest 200, and the latest of another integration
	refused      []Refusal // that wait for a 200 of another integration
}

// operation is what calls of one operation told.
type operation struct {
	worked   bool      // it answered 200 before
	trying   bool      // a call is under way that is a trial
	refusals int       // in a row
	refused  time.Time // when the latest was answered
}

// answer is when a request about an integration began that got a 200.
type answer struct {
	integration string
	began       time.Time
}

// of returns what is known of an operation, with a place to keep it. t.mu is held.
func (t *Trials) of(integration, name string) *operation {
	if t.integrations == nil {
		t.integrations = make(map[string]map[string]*operation)
	}
	known := t.integrations[integration]
	if known == nil {
		known = make(map[string]*operation)
		t.integrations[integration] = known
	}
	if known[name] == nil && len(known) >= mostOperations-1 {
		name = ""
	}
	if known[name] == nil {
		known[name] = new(operation)
	}
	return known[name]
}

// Begin reports whether a call may be made although the verdict on the integration's
// token is Unknown. News is when the latest evidence of it came, and likely whether it
// probably works. If it returns true, End must be called.
func (t *Trials) Begin(integration, name string, likely bool, news, now time.Time) bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	o := t.of(integration, name)
	if o.refusals > 0 && news.After(o.refused) {
		o.refusals = 0 // something came since: it is a question of its own
	}
	switch {
	case o.trying:
		return false
	case o.refusals > 0 && now.Before(o.refused.Add(steps[min(o.refusals, len(steps))-1])):
		return false
	case o.refusals == 0 && !likely && now.Before(news.Add(unlikely)):
		return false
	}
	o.trying = true
	return true
}

// End notes how a call was answered: with 0 if it was not. Trial says that Begin allowed
// it.
func (t *Trials) End(integration, name string, status int, trial bool, now time.Time) {
	t.mu.Lock()
	defer t.mu.Unlock()
	o := t.of(integration, name)
	if trial {
		o.trying = false
	}
	switch status {
	case 200:
		o.refusals = 0
	case 401:
		o.refusals, o.refused = o.refusals+1, now
	}
}
