package lifecycle

import (
	"slices"
	"time"
)

// operation is what the application's own calls tell of one operation of the Connector
// API, such as "reservations/getAll". Operations answer 401 for a missing permission too,
// so a 401 says as much about the operation as about the token.
type operation struct {
	// Name is empty where the application did not say, and for all operations that found no
	// room.
	Name string `json:",omitzero"`
	// Accepted and Refused are when the latest call began that was answered 200, and
	// 401. Refused is 0 as soon as something explains that 401.
	Accepted Instant `json:",omitzero"`
	Refused  Instant `json:",omitzero"`
	// Forbidden is since when the token is known to work although this operation
	// answers 401.
	Forbidden Instant `json:",omitzero"`
}

const (
	// maxOperations is how many operations a record knows. The last place is for all
	// that came when the others were taken.
	maxOperations = 16
	// forbiddenFor is how long a missing permission explains an operation's 401s.
	forbiddenFor = 24 * time.Hour
)

// Operation returns what is known of an operation, by the entry that is its own or by the
// shared one, which has no name. It returns false if nothing is known of it.
func (r *Record) Operation(name string) (o operation, known bool) {
	if i := r.operationIndex(name); i >= 0 {
		return r.Operations[i], true
	}
	return operation{}, false
}

// Lacks reports whether a missing permission explains a 401 of the operation: within the
// last 24 hours the token worked although the operation had answered 401.
func (o operation) Lacks(now Instant) bool {
	return o.Forbidden != 0 && fresh(now, o.Forbidden, forbiddenFor)
}

// operationIndex returns the place of an operation, or -1 if it has none yet.
func (r *Record) operationIndex(name string) int {
	shared := -1
	for i := range r.Operations {
		switch r.Operations[i].Name {
		case name:
			return i
		case "":
			shared = i
		}
	}
	if r.hasRoom() {
		return -1
	}
	return shared
}

// hasRoom reports whether one more operation gets a place of its own.
func (r *Record) hasRoom() bool {
	named := len(r.Operations)
	if slices.ContainsFunc(r.Operations, func(o operation) bool { return o.Name == "" }) {
		named--
	}
	return named < maxOperations-1
}

// called returns the place of an operation, to write to.
func (r *Record) called(name string) *operation {
	r.Operations = slices.Clone(r.Operations)
	i := r.operationIndex(name)
	if i < 0 {
		if !r.hasRoom() {
			name = ""
		}
		i = len(r.Operations)
		r.Operations = append(r.Operations, operation{Name: name})
	}
	return &r.Operations[i]
}

// served takes in a 200: the operation works, and whatever others answered 401 to before
// was about them and not about the token, unless a delivery came since.
func (r *Record) served(e *Evidence) {
	if e.Kind == KindReport {
		o := r.called(e.Operation)
		o.Accepted = max(o.Accepted, e.Began)
		if o.Name != "" { // else it may be another one that works
			o.Refused, o.Forbidden = 0, 0
		}
	}
	r.explain(func(o *operation) {
		if o.Refused < e.Began && o.Refused > r.Arrived {
			o.Forbidden = e.Began
		}
	})
}

// explain ends the wait for what explains the 401s of operations.
func (r *Record) explain(each func(*operation)) {
	if !slices.ContainsFunc(r.Operations, func(o operation) bool { return o.Refused != 0 }) {
		return
	}
	r.Operations = slices.Clone(r.Operations)
	for i := range r.Operations {
		if o := &r.Operations[i]; o.Refused != 0 {
			each(o)
			o.Refused = 0
		}
	}
}
