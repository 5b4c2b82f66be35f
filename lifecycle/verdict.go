package lifecycle

import "time"

// Status is the answer to "is this token still valid?". The zero value is Unknown.
type Status uint8

const (
	// Unknown: the evidence is ambiguous, missing or too old.
	Unknown Status = iota
	// Valid: the token works. Only this status may be used as true.
	Valid
	// Invalid: the token is known not to work.
	Invalid
	numStatuses
)

var statusNames = [numStatuses]string{"unknown", "valid", "invalid"}

// String returns the status's name in lower case.
func (s Status) String() string { return nameOf(statusNames[:], s) }

// MarshalText returns the status's name.
func (s Status) MarshalText() ([]byte, error) { return []byte(s.String()), nil }

// UnmarshalText accepts what MarshalText writes; any other name is ErrNewer.
func (s *Status) UnmarshalText(text []byte) error {
	return parseName(statusNames[:], s, text, "status")
}

// Reason is the reason for a verdict. The zero value is ReasonUnfamiliar.
type Reason uint8

const (
	// ReasonUnfamiliar (Unknown): no integration has or had this token.
	ReasonUnfamiliar Reason = iota
	// ReasonLive (Valid): enabled, not canceled, not deleted, the current token.
	ReasonLive
	// ReasonDeleted (Invalid): the integration was deleted.
	ReasonDeleted
	// ReasonSuperseded (Invalid): a newer token took its place.
	ReasonSuperseded
	// ReasonCanceled (Invalid, or Unknown under CanceledAsk).
	ReasonCanceled
	// ReasonDisabled (Invalid).
	ReasonDisabled
	// ReasonRejected (Invalid): the Connector API answered 401 about it.
	ReasonRejected
	// ReasonDisputed (Unknown): it may belong to another enterprise or integration.
	ReasonDisputed
	// ReasonDeletedAccepted (Unknown): deleted, and yet it works.
	ReasonDeletedAccepted
	// ReasonUnseen (Unknown): IntegrationCreated has not come yet.
	ReasonUnseen
	// ReasonSuspectKey (Unknown): one of several candidates for the current token.
	ReasonSuspectKey
	// ReasonSuspectCanceled (Unknown): deliveries leave open whether it is canceled.
	ReasonSuspectCanceled
	// ReasonSuspectEnabled (Unknown): deliveries leave open whether it is enabled.
	ReasonSuspectEnabled
	// ReasonDoubted (Unknown): the application saw a 401, or a delivery came after
	// a rejection; a probe is due.
	ReasonDoubted
	// ReasonUnattributed (Unknown): a 401 that may be about the ClientToken.
	ReasonUnattributed
	// ReasonLease (Unknown): the evidence has reached Policy.MaxAge.
	ReasonLease
	// ReasonUnavailable (Unknown): the store failed.
	ReasonUnavailable
	// ReasonRejectedOnce (Unknown): the Connector API answered 401 about it, once; it
	// is asked again.
	ReasonRejectedOnce
	// ReasonUnproved (Unknown): Mews has not yet confirmed that the token works and
	// belongs to the integration's enterprise.
	ReasonUnproved
	// ReasonSupersededUnproved (Unknown): a newer token came, which is not yet proved.
	ReasonSupersededUnproved
	// ReasonNameless (Unknown): which integration of Mews's it is nobody has told, and
	// webhooks came about one that it may be.
	ReasonNameless
	// ReasonForked (Unknown): the store went back, and more was known of the integration
	// than it has, or nobody knows what was lost.
	ReasonForked
	numReasons
)

var reasonNames = [numReasons]string{
	"unfamiliar", "live", "deleted", "superseded", "canceled", "disabled", "rejected", "disputed",
	"deleted_but_accepted", "unseen", "suspect_key", "suspect_canceled", "suspect_enabled", "doubted",
	"unattributed", "lease_expired", "unavailable", "rejected_once", "unproved", "superseded_unproved", "nameless",
	"forked",
}

// String returns the reason in lower case, such as "suspect_enabled".
func (r Reason) String() string { return nameOf(reasonNames[:], r) }

// MarshalText returns the reason's name.
func (r Reason) MarshalText() ([]byte, error) { return []byte(r.String()), nil }

// UnmarshalText accepts what MarshalText writes; any other name is ErrNewer.
func (r *Reason) UnmarshalText(text []byte) error {
	return parseName(reasonNames[:], r, text, "reason")
}

// assumable reports whether the best guess may replace an Unknown.
func (r Reason) assumable() bool {
	switch r {
	case ReasonCanceled, ReasonUnseen, ReasonSuspectKey, ReasonSuspectCanceled, ReasonSuspectEnabled,
		ReasonDoubted, ReasonUnattributed, ReasonRejectedOnce:
		return true
	}
	return false
}

// Verdict answers whether a token is still valid. The zero value is the verdict on
// a token that nobody knows: Unknown, unfamiliar, best guess Invalid.
type Verdict struct {
	Status Status
	Reason Reason
	// State is the integration's; Unseen for an unfamiliar token.
	State State
	// Assumed: Status is a guess that Policy.Assume allowed.
	Assumed bool
	// Trouble: the latest answers about the token were 401s that are attributed to the
	// ClientToken or to Mews, so the status is what it was before them.
	Trouble bool
	// Likely: Status is Unknown, and the token probably works. Never set for an
	// unfamiliar or a disputed token.
	Likely bool
	// Integration and Enterprise are identifiers, empty if unknown.
	Integration string
	Enterprise  string
	// Labels are the integration's.
	Labels Labels
	// Evidence is the evidence behind the verdict.
	Evidence Basis
}

// Active reports whether the token may be used: only Valid is true.
func (v Verdict) Active() bool { return v.Status == Valid }

// Guess returns Valid or Invalid: the status, or for Unknown the best guess. Only
// Active may be used as true.
func (v Verdict) Guess() Status {
	switch {
	case v.Status != Unknown:
		return v.Status
	case v.Likely:
		return Valid
	}
	return Invalid
}

// tally is a conjunction in three values, with the reason that decides it: the first
// certain no, else the first unknown.
type tally struct {
	no, unknown Reason // ReasonUnfamiliar: none
	guess       Status
}

func (t *tally) deny(r Reason) {
	if t.no == ReasonUnfamiliar {
		t.no = r
	}
	t.guess = Invalid
}

func (t *tally) doubt(r Reason, guess bool) {
	if t.unknown == ReasonUnfamiliar {
		t.unknown = r
	}
	if !guess {
		t.guess = Invalid
	}
}

// Verdict returns the verdict on the token with a digest, under a policy and at a time.
// The zero Digest stands for the token in use: the current one or the likeliest
// candidate, and in a deleted integration the last one. Verdict is a pure function and
// does not allocate.
func (r *Record) Verdict(token Digest, p *Policy, now Instant) (v Verdict) {
	if token.isZero() {
		return r.current(p, now)
	}
	r.verdict(&v, r.keyIndex(token), p, now)
	return v
}

// verdict fills in the verdict on the token at i, or on an unfamiliar one if i is
// negative. It fills in place because copying a Verdict took most of its time.
func (r *Record) verdict(v *Verdict, i int, p *Policy, now Instant) {
	v.State, v.Integration, v.Enterprise, v.Labels, v.Evidence = r.State, r.ID, r.Enterprise.ID, r.Labels, r.Basis
	if i < 0 {
		return
	}
	t := tally{guess: Valid}
	k := &r.Keys[i]
	v.Trouble = k.Answer == Withdrawn
	if r.State == Deleted {
		if k.Answer == Accepted {
			t.doubt(ReasonDeletedAccepted, false)
		} else {
			t.deny(ReasonDeleted)
		}
	} else {
		k.tally(&t, p, now, r.succeeded(i, p), r.displaced(i))
		r.tally(&t, p, now)
	}
	switch {
	case r.Forked != 0 && !k.refusedSince(r.Forked):
		v.Reason, v.Likely = ReasonForked, t.guess == Valid && t.no == ReasonUnfamiliar
	case t.no != ReasonUnfamiliar:
		v.Status, v.Reason = Invalid, t.no
	case t.unknown != ReasonUnfamiliar:
		v.Reason = t.unknown
		if p.Assume && v.Reason.assumable() && !fresh(now, max(r.Arrived, r.Basis.At), p.AssumeAfter) {
			v.Status, v.Assumed = t.guess, true
		} else {
			v.Likely = t.guess == Valid
		}
	default:
		v.Evidence = r.oldest(k)
		v.Status, v.Reason = Valid, ReasonLive
		if p.MaxAge > 0 && !r.fresh(k, now, p.MaxAge) {
			v.Status, v.Reason, v.Likely = Unknown, ReasonLease, true
		}
	}
	switch v.Reason {
	case ReasonRejected, ReasonRejectedOnce, ReasonUnattributed:
		v.Evidence = Basis{Kind: KindProbe, At: k.Began}
	}
}

// fresh reports whether all the evidence that a yes about a token stands on is
// younger than d.
func (r *Record) fresh(k *Key, now Instant, d time.Duration) bool {
	return fresh(now, r.EnabledAt, d) && fresh(now, r.CanceledAt, d) && fresh(now, k.At, d)
}

// oldest returns the oldest of the evidence that a yes about a token stands on.
func (r *Record) oldest(k *Key) Basis {
	at := min(r.EnabledAt, r.CanceledAt, k.At)
	switch at {
	case r.Basis.At:
		return r.Basis
	case k.Proved:
		return Basis{Kind: KindProbe, At: at}
	case k.Accepted:
		return Basis{Kind: KindReport, At: at}
	}
	for i := range r.Keys {
		if key := &r.Keys[i]; key.Since == at && key.From == ActionUnknown {
			return Basis{Kind: KindImport, At: at}
		} else if key.Since == at {
			return Basis{KindDelivery, key.From, at}
		}
	}
	return Basis{Kind: KindDelivery, At: at} // a toggle's
}

// provisionalFor is how long a rejection counts that no probe confirmed. Then a call of the
// application's own must tell.
const provisionalFor = 2 * time.Hour

// tally counts what is known of the token itself. Succeeded says whether one that was
// superseded really was, and displaced whether that rests on 401s that may be nobody's.
func (k *Key) tally(t *tally, p *Policy, now Instant, succeeded, displaced bool) {
	switch k.Status {
	case Current:
	case Superseded:
		switch {
		case k.Rival && k.works():
			t.doubt(ReasonSuspectKey, false) // several work: it may be the newest
		case p.Grace > 0 && fresh(now, k.Until, p.Grace):
		case !succeeded:
			t.doubt(ReasonSupersededUnproved, false)
		case displaced: // the 401 says how much
		default:
			t.deny(ReasonSuperseded)
		}
	case Revoked:
		t.deny(ReasonSuperseded)
	default: // Candidate
		if k.Claim != "" {
			t.doubt(ReasonDisputed, false)
		}
		t.doubt(ReasonSuspectKey, true)
	}
	if k.Dispute != noCause {
		t.doubt(ReasonDisputed, false)
	}
	switch {
	case k.Doubt != 0:
		t.doubt(ReasonDoubted, k.Answer == Rejected)
	case k.Answer == Rejected && k.Provisional && !fresh(now, k.Began, provisionalFor):
		t.doubt(ReasonDoubted, false)
	case k.Answer == Rejected:
		t.deny(ReasonRejected)
	case k.Answer == RejectedOnce:
		t.doubt(ReasonRejectedOnce, false)
	case k.Answer == Unattributed:
		t.doubt(ReasonUnattributed, false)
	}
	if !k.proved(p) {
		t.doubt(ReasonUnproved, true)
	}
}

// tally counts what is known about the integration.
func (r *Record) tally(t *tally, p *Policy, now Instant) {
	possible := r.presents(p)
	if r.State != Unseen {
		r.State.tally(t, r.Canceled.Since, possible, p, now)
		return
	}
	if r.Parked == nil {
		t.doubt(ReasonUnseen, true)
		return
	}
	var on tally // as if Created had said enabled
	r.Parked[1].State.tally(&on, r.Parked[1].Canceled.Since, possible, p, now)
	if on.no != ReasonUnfamiliar {
		t.deny(on.no)
	}
	t.doubt(ReasonUnseen, r.Parked[1].State.live())
}
