package lifecycle

import (
	"slices"

	"github.com/keyrack-dev/keyrack/lifecycle/internal/belief"
)

// Record is all that is known about one integration: the fold of its journal. It holds
// no secret and no personal data.
//
// The zero Record, with or without an ID, is an unknown integration. A Record is a
// value: Apply never changes its receiver, and records that share memory may be used
// concurrently as long as their fields are only read.
type Record struct {
	ID string `json:",omitzero"`
	// Rules is the version of the rules by which the record was folded.
	Rules uint64 `json:",omitzero"`
	// Version counts the pieces of evidence that the record was folded from.
	Version uint64
	// Generation counts the deliveries among them, and other evidence that asks for a
	// new answer. An answer of the Connector API counts only if the generation has
	// not changed since its request began.
	Generation uint64 `json:",omitzero"`
	// Arrived is when the latest delivery arrived.
	Arrived Instant `json:",omitzero"`
	// Basis is the latest evidence that moved the record or settled it.
	Basis Basis `json:",omitzero"`
	// EnabledAt and CanceledAt are when the latest evidence of the enabled flag and of
	// the cancellation came. Each token has such a time too, and a verdict is as old as
	// the oldest of the three.
	EnabledAt  Instant `json:",omitzero"`
	CanceledAt Instant `json:",omitzero"`

	Name       string `json:",omitzero"`
	Enterprise Named  `json:",omitzero"` // never changes once Mews has confirmed it
	// AnsweredBy is the enterprise that Mews names in its answers for this one's, such as
	// a chain for a property, as a person confirmed; empty where it is the same.
	AnsweredBy string `json:",omitzero"`
	Service    Named  `json:",omitzero"` // of a service-scoped integration
	// Alias is the integration that this one turned out to be, where this was a nameless one.
	// Nothing else is left of it.
	Alias string `json:",omitzero"`
	// Succeeds is the integration whose place this one took: the hotel came back.
	Succeeds string `json:",omitzero"`
	// Labels are what the application notes about the integration.
	Labels Labels `json:",omitzero"`

	CreatedUtc Instant `json:",omitzero"` // Mews's times: when it happened
	DeletedUtc Instant `json:",omitzero"`
	DeletedAt  Instant `json:",omitzero"` // when the deletion arrived
	// Created: an IntegrationCreated has come.
	Created bool `json:",omitzero"`

	// State is where the integration stands, as far as deliveries and proofs have told.
	State State `json:",omitzero"`
	// Enabled and Canceled are what the machine remembers of the two pairs of actions.
	Enabled  pair `json:",omitzero"`
	Canceled pair `json:",omitzero"`
	// Parked are the courses of an Unseen integration whose toggles came before its
	// IntegrationCreated: as if Created had said disabled, and as if it had said enabled.
	Parked []course `json:",omitzero"`
	// Belief is what package belief keeps of the arrivals of both pairs, and Possible is
	// what follows from it: how things may be now, under each policy.
	Belief   belief.State   `json:",omitzero"`
	Possible belief.Answers `json:",omitzero"`

	// Keys are the tokens that the integration has or had, in order of arrival.
	Keys []Key `json:",omitzero"`
	// Forked is when the store turned out to have gone back, until evidence says how the
	// integration is. AsOfBackup: nobody knows what was lost, so no delivery says it.
	Forked     Instant `json:",omitzero"`
	AsOfBackup bool    `json:",omitzero"`
	// Operations are what the application's own calls told of the operations of the
	// Connector API, 16 at most.
	Operations []operation `json:",omitzero"`
	// LastTold is what was told last of the verdict; zero before time alone ever changed it.
	LastTold told `json:",omitzero"`
}

// rules is the version of the rules that this package folds by.
const rules = 7

// Upgrade reports whether the record was folded by earlier rules, or names an enterprise
// or a service in another spelling than [CanonicalID]'s. It returns the evidence that the
// record should take in then before anything else, which brings its journal up to date.
func (r *Record) Upgrade(at Instant) (e Evidence, outdated bool) {
	if r.Version == 0 || r.Rules >= rules && !r.misspelled() {
		return Evidence{}, false
	}
	next := *r
	next.Enterprise.ID, next.Service.ID = CanonicalID(r.Enterprise.ID), CanonicalID(r.Service.ID)
	return Evidence{Kind: KindUpgrade, At: at, Integration: Named{ID: r.ID}, Record: string(AppendRecord(nil, next))}, true
}

func (r *Record) misspelled() bool {
	return CanonicalID(r.Enterprise.ID) != r.Enterprise.ID || CanonicalID(r.Service.ID) != r.Service.ID
}

// Basis is a piece of evidence as a verdict names it.
type Basis struct {
	Kind   Kind    `json:",omitzero"`
	Action Action  `json:",omitzero"`
	At     Instant `json:",omitzero"` // its arrival; for an answer, when the request began
}

// Apply takes in one piece of evidence, and returns the next record and the decision.
// It is a pure function: the same record and evidence always give the same result.
// Every call increments the version, even a refusal, so the version is the number of
// entries in the journal.
func (r Record) Apply(e Evidence) (Record, Decision) {
	if e.Kind != KindDelivery {
		e.Action = ActionUnknown
	}
	d := Decision{From: r.State, To: r.State, Action: e.Action}
	if r.ID == "" {
		r.ID = e.Integration.ID
	}
	if r.Version == 0 {
		r.Rules = rules
	}
	r.Version++
	if differ(r.ID, e.Integration.ID) {
		d.Outcome, d.Cause, d.Alarm = Conflict, causeIntegration, true
		return r, d
	}
	if r.LastTold.At != 0 && e.Kind != KindTime {
		r.LastTold = told{At: e.At}
	}
	switch e.Kind {
	case KindErase, KindForget, KindUpgrade, KindJoin:
	default:
		if r.Alias != "" {
			d.Outcome, d.Cause = Fenced, causeNamed
			return r, d
		}
	}
	before := r
	nameless := r.adopt(&e, &d)
	if d.Outcome != 0 {
		return r, d
	}
	switch e.Kind {
	case KindDelivery:
		r.Generation++
		r.Arrived = e.At
		r.deliver(&e, &d)
	case KindProbe, KindReport:
		r.answer(&e, &d)
	case KindImport:
		r.takeImport(&e, &d)
		r.addLabels(&e, &d)
	case KindLabel:
		r.label(&e, &d)
	case KindSucceeded:
		r.succeed(&e, &d)
	case KindSettle:
		r.settle(&e, &d)
	case KindContest:
		r.contest(&e, &d)
	case KindTime:
		r.tell(&e)
		d.Outcome = Applied
	case KindErase, KindIssue:
		d.Outcome = Applied
	case KindProbeRequest: // no answer is newer than the question
		r.Generation++
		d.Outcome = Applied
	case KindJoin:
		if e.Record != "" {
			d.Outcome = r.replace(&e)
			break
		}
		// The integration goes on as it is, under another spelling.
		d.Outcome = Applied
		return r.emptied(), d
	case KindName:
		switch {
		case e.Record != "":
			r.takeName(nameless, &e, &d)
		case r.State == Deleted || e.Owner == "":
			d.Outcome = Stale
		default:
			d.Outcome = Applied
			return r.named(&e), d
		}
	case KindForget:
		r = r.emptied()
		d.Outcome = Applied
	case KindUpgrade:
		d.Outcome = r.replace(&e)
	case KindFork:
		r.fork(&e, &d)
	default:
		d.Outcome = Unrecognized
	}
	if nameless != nil {
		r.adopted(nameless, &before, &e, &d)
	}
	if d.Outcome == Conflict {
		d.Alarm = true
	}
	d.To = r.State
	return r, d
}

// emptied returns what is left where nothing of the integration is kept.
func (r *Record) emptied() Record {
	return Record{ID: r.ID, Rules: rules, Version: r.Version, Generation: r.Generation}
}

// replace takes over the record that the evidence holds.
func (r *Record) replace(e *Evidence) Outcome {
	known, err := ParseRecord([]byte(e.Record))
	if err != nil || known.ID != r.ID {
		return Unrecognized
	}
	known.Rules, known.Version = rules, r.Version
	*r = known
	return Applied
}

func (r *Record) deliver(e *Evidence, d *Decision) {
	if e.lacksToken() {
		d.Outcome = Unrecognized
		return
	}
	switch e.Action {
	case IntegrationCreated:
		r.create(e, d)
	case IntegrationEnabled, IntegrationDisabled, IntegrationCanceled, IntegrationReinstated:
		r.toggle(e, d)
	case IntegrationDeleted:
		r.delete(e, d)
	case IntegrationApiKeyCreated:
		r.rotate(e, d)
	default:
		d.Outcome = Unrecognized
		return
	}
	if d.Outcome == Stale || d.Outcome == Conflict {
		return
	}
	if e.Action == IntegrationDeleted || d.Outcome != Parked && !r.AsOfBackup {
		r.rejoin()
	}
	if e.Integration.Name != "" {
		r.Name = e.Integration.Name
	}
	if d.Outcome == Applied {
		r.Basis = e.basis()
	}
}

// basis is the evidence as a verdict names it.
func (e *Evidence) basis() Basis {
	if e.Kind == KindProbe || e.Kind == KindReport {
		return Basis{Kind: e.Kind, At: e.Began}
	}
	return Basis{e.Kind, e.Action, e.At}
}

// create takes in an IntegrationCreated, which is the oldest event of an integration
// whenever it arrives.
func (r *Record) create(e *Evidence, d *Decision) {
	if d.Cause = r.contradiction(e); d.Cause != noCause {
		d.Outcome = Conflict
		r.claim(e, d)
		return
	}
	switch r.State {
	case Deleted:
		d.Outcome = Stale
		r.revoke(e, d)
	case Unseen:
		d.Outcome = Applied
		r.follow(r.beginning(e))
		r.born(e)
		r.EnabledAt, r.CanceledAt = firstOf(r.EnabledAt, e.At), firstOf(r.CanceledAt, e.At)
		r.keep(e, d)
	default:
		d.Outcome = Duplicate
		r.keep(e, d)
	}
	r.complete(e)
	r.Created = true
}

// contradiction returns what in an IntegrationCreated or an import contradicts the
// record.
func (r *Record) contradiction(e *Evidence) string {
	switch {
	case e.Owner != "":
		return causeOwned
	case differ(r.Enterprise.ID, e.Enterprise.ID):
		return causeEnterprise
	case differ(r.CreatedUtc, e.CreatedUtc):
		return causeCreatedUtc
	case r.DeletedUtc != 0 && e.CreatedUtc != 0 && r.DeletedUtc < e.CreatedUtc:
		return causeDeletedBeforeCreated
	}
	return noCause
}

// differ reports whether both are known and different.
func differ[T comparable](known, said T) bool {
	var missing T
	return known != missing && said != missing && known != said
}

// complete fills in what the record does not know yet, and updates the enterprise's
// name.
func (r *Record) complete(e *Evidence) {
	if r.Enterprise.ID == "" && e.Enterprise.ID != "" && e.Kind != KindProbe {
		r.unprove()
	}
	r.Enterprise.ID = firstOf(r.Enterprise.ID, e.Enterprise.ID)
	if r.Enterprise.ID == e.Enterprise.ID || e.Enterprise.ID == "" {
		r.Enterprise.Name = firstOf(e.Enterprise.Name, r.Enterprise.Name)
	}
	if r.Service.ID == "" {
		r.Service.ID = e.Service.ID
	}
	if r.Service.ID == e.Service.ID {
		r.Service.Name = firstOf(e.Service.Name, r.Service.Name)
	}
	r.CreatedUtc = firstOf(r.CreatedUtc, e.CreatedUtc)
}

// unprove takes the proofs back: they did not confirm the enterprise that is now known.
func (r *Record) unprove() {
	for i := range r.Keys {
		if r.Keys[i].Proved != 0 {
			r.writableKeys()[i].Proved = 0
		}
	}
}

// firstOf returns a, or b if a is missing.
func firstOf[T comparable](a, b T) T {
	var missing T
	if a != missing {
		return a
	}
	return b
}

// beginning is the course that an IntegrationCreated begins: the one that was
// followed on its behalf, where toggles came before it.
func (r *Record) beginning(e *Evidence) course {
	courses := r.Parked
	if courses == nil {
		courses = startCourses()
	}
	first := courses[boolIndex(e.IsEnabled == Yes)]
	if first.Enabled.Since == 0 {
		first.Enabled.Since = e.At
	}
	return first
}

// startCourses are the courses of an integration without any toggle.
func startCourses() []course {
	return []course{{State: next(Unseen, colCreatedOff).to}, {State: next(Unseen, colCreatedOn).to}}
}

func boolIndex(b bool) int {
	if b {
		return 1
	}
	return 0
}

// toggle takes in one of the four actions that come in pairs.
func (r *Record) toggle(e *Evidence, d *Decision) {
	switch r.State {
	case Deleted:
		d.Outcome = Stale
		return
	case Unseen:
		r.parkedCourses()
		for i := range r.Parked {
			r.Parked[i].deliver(e)
		}
		d.Outcome = Parked
	default:
		course := r.course()
		d.Outcome = course.deliver(e)
		r.follow(course)
	}
	r.heard(e)
	switch e.Action {
	case IntegrationEnabled, IntegrationDisabled:
		r.EnabledAt = e.At
	default:
		r.CanceledAt = e.At
	}
	if e.Action == IntegrationEnabled || e.Action == IntegrationReinstated {
		r.doubtRejections(e.At)
	}
}

// parkedCourses makes r.Parked writable, and begins it where nothing was parked.
func (r *Record) parkedCourses() {
	if r.Parked == nil {
		r.Parked = startCourses()
		return
	}
	r.Parked = slices.Clone(r.Parked)
}

// delete takes in an IntegrationDeleted, which ends every state. A time that cannot be
// true is reported and left out; the deletion stands.
func (r *Record) delete(e *Evidence, d *Decision) {
	if r.State == Deleted {
		d.Outcome = Duplicate
		switch {
		case differ(r.DeletedUtc, e.DeletedUtc):
			d.Outcome, d.Cause = Conflict, causeDeletedUtc
		case r.impossible(e):
			d.Outcome, d.Cause = Conflict, causeDeletedBeforeCreated
		default:
			r.DeletedUtc = firstOf(r.DeletedUtc, e.DeletedUtc)
		}
		return
	}
	d.Outcome = Applied
	if r.impossible(e) {
		d.Cause, d.Alarm = causeDeletedBeforeCreated, true
	} else {
		r.DeletedUtc = e.DeletedUtc
	}
	r.follow(course{State: Deleted})
	r.Belief, r.Possible = belief.State{}, belief.Answers{}
	r.EnabledAt, r.CanceledAt = 0, 0
	r.Operations = nil
	r.DeletedAt = e.At
	r.revokeAll(e.At)
}

func (r *Record) impossible(e *Evidence) bool {
	return r.CreatedUtc != 0 && e.DeletedUtc != 0 && e.DeletedUtc < r.CreatedUtc
}
