package lifecycle_test

import (
	"testing"

	. "github.com/keyrack-dev/keyrack/lifecycle"
)

// forked returns the record of a store that went back, once an instance has written down
// that it knew another record.
func forked(has, lost Record, at Instant) Record {
	e := Evidence{Kind: KindFork, At: at, Integration: Named{ID: lost.ID}, Record: string(AppendRecord(nil, lost))}
	return then(has, e)
}

// TestFork: what was lost makes the integration Unknown, and what ends that.
func TestFork(t *testing.T) {
	birth := created(Yes, token(0), minute(0))
	off, on := delivery(IntegrationDisabled, minute(60)), delivery(IntegrationEnabled, minute(60))
	deletion, rotation := delivery(IntegrationDeleted, minute(60)), rotated(token(1), minute(60))
	refresh := own(token(0), Accepted, minute(59), minute(60))
	at := minute(120)
	for name, c := range map[string]struct {
		has, lost []Evidence // what the store has, and what else it had
		after     []Evidence
		token     int
		status    Status
		reason    Reason
	}{
		"a Disabled": {[]Evidence{birth}, []Evidence{off}, nil, 0, Unknown, ReasonForked},
		"an Enabled, of one that is Invalid here":  {[]Evidence{created(No, token(0), minute(0))}, []Evidence{on}, nil, 0, Unknown, ReasonForked},
		"no more than a 200":                       {[]Evidence{birth}, []Evidence{refresh}, nil, 0, Unknown, ReasonForked},
		"all of it":                                {nil, []Evidence{birth}, nil, 0, Unknown, ReasonForked},
		"all of it, then the rotation comes again": {nil, []Evidence{birth, rotation}, []Evidence{rotated(token(1), minute(200))}, 1, Valid, ReasonLive},
		"a deletion":                               {[]Evidence{birth}, []Evidence{deletion}, nil, 0, Invalid, ReasonDeleted},
		"a deletion, and Created comes again":      {[]Evidence{birth}, []Evidence{deletion}, []Evidence{created(Yes, token(0), minute(200))}, 0, Invalid, ReasonDeleted},
		"a deletion, with all before":              {nil, []Evidence{birth, deletion}, nil, 0, Invalid, ReasonDeleted},
		"a copy of the deletion":                   {[]Evidence{birth, deletion}, []Evidence{delivery(IntegrationDeleted, minute(61))}, nil, 0, Invalid, ReasonDeleted},
		"the reopening of a deleted one":           {[]Evidence{birth, deletion}, []Evidence{imported(Yes, token(0), minute(70))}, nil, 0, Unknown, ReasonForked},
		"a Disabled, then Enabled":                 {[]Evidence{birth}, []Evidence{off}, []Evidence{delivery(IntegrationEnabled, minute(200))}, 0, Valid, ReasonLive},
		"a Disabled, then Disabled":                {[]Evidence{birth}, []Evidence{off}, []Evidence{delivery(IntegrationDisabled, minute(200))}, 0, Invalid, ReasonDisabled},
		"a Disabled, then a rotation":              {[]Evidence{birth}, []Evidence{off}, []Evidence{rotated(token(2), minute(200))}, 2, Unknown, ReasonSuspectEnabled},
		"a 200, then a copy of an Enabled":         {[]Evidence{birth}, []Evidence{refresh}, []Evidence{delivery(IntegrationEnabled, minute(200))}, 0, Valid, ReasonLive},
		"a rotation":                               {[]Evidence{birth}, []Evidence{rotation}, nil, 1, Unknown, ReasonForked},
		"a rotation, the former token":             {[]Evidence{birth}, []Evidence{rotation}, []Evidence{delivery(IntegrationEnabled, minute(200))}, 0, Unknown, ReasonSuspectKey},
		"a rotation, and the next":                 {[]Evidence{birth}, []Evidence{rotation}, []Evidence{rotated(token(2), minute(200))}, 2, Valid, ReasonLive},
		"a rotation, and the next: the former":     {[]Evidence{birth}, []Evidence{rotation}, []Evidence{rotated(token(2), minute(200))}, 0, Invalid, ReasonSuperseded},
		"a rotation, then a 200 of its token":      {[]Evidence{birth}, []Evidence{rotation}, []Evidence{own(token(1), Accepted, minute(200), minute(201))}, 1, Valid, ReasonLive},
		"a Disabled, then a 200":                   {[]Evidence{birth}, []Evidence{off}, []Evidence{own(token(0), Accepted, minute(200), minute(201))}, 0, Valid, ReasonLive},
		"a Disabled, then a 200 of before":         {[]Evidence{birth}, []Evidence{off}, []Evidence{own(token(0), Accepted, minute(59), minute(201))}, 0, Unknown, ReasonForked},
		"a Disabled, then a person's word":         {[]Evidence{birth}, []Evidence{off}, []Evidence{settled(No, Unset, minute(200))}, 0, Invalid, ReasonDisabled},
		"a Disabled, then an import":               {[]Evidence{birth}, []Evidence{off}, []Evidence{imported(Yes, token(0), minute(200))}, 0, Valid, ReasonLive},
		"a Disabled, then a copy of Deleted":       {[]Evidence{birth}, []Evidence{off}, []Evidence{delivery(IntegrationDeleted, minute(200))}, 0, Invalid, ReasonDeleted},
	} {
		has := fold(c.has...)
		r := forked(has, then(has, c.lost...), at)
		if r.Generation <= then(has, c.lost...).Generation && r.State != Deleted {
			t.Errorf("%s: an answer to a question of before still counts", name)
		}
		r = then(r, c.after...)
		if v := verdict(&r, token(c.token), minute(300)); v.Status != c.status || v.Reason != c.reason {
			t.Errorf("%s: %v (%v), want %v (%v)", name, v.Status, v.Reason, c.status, c.reason)
		}
		again, err := ParseRecord(AppendRecord(nil, r))
		if err != nil || string(AppendRecord(nil, again)) != string(AppendRecord(nil, r)) {
			t.Errorf("%s: the record is another once it was written and read, %v", name, err)
		}
	}
}

// TestForkOfABackup: where nobody knows what was lost, a delivery does not say how the
// integration is; a 200 does, and a person who accepts the backup.
func TestForkOfABackup(t *testing.T) {
	birth := created(Yes, token(0), minute(0))
	accepted := settled(Unset, Unset, minute(200))
	for name, c := range map[string]struct {
		has    []Evidence
		after  []Evidence
		status Status
		reason Reason
	}{
		"live":                       {[]Evidence{birth}, nil, Unknown, ReasonForked},
		"live, accepted":             {[]Evidence{birth}, []Evidence{accepted}, Valid, ReasonLive},
		"disabled, accepted":         {[]Evidence{birth, delivery(IntegrationDisabled, minute(60))}, []Evidence{accepted}, Invalid, ReasonDisabled},
		"an Enabled is not enough":   {[]Evidence{birth}, []Evidence{delivery(IntegrationEnabled, minute(200))}, Unknown, ReasonForked},
		"a 200 is":                   {[]Evidence{birth}, []Evidence{own(token(0), Accepted, minute(200), minute(201))}, Valid, ReasonLive},
		"who answers for it is not":  {[]Evidence{birth}, []Evidence{{Kind: KindSettle, At: minute(200), Integration: Named{ID: birth.Integration.ID}, AnsweredBy: "chain"}}, Unknown, ReasonForked},
		"a deletion ends it":         {[]Evidence{birth}, []Evidence{delivery(IntegrationDeleted, minute(200))}, Invalid, ReasonDeleted},
		"what is deleted stays that": {[]Evidence{birth, delivery(IntegrationDeleted, minute(60))}, nil, Invalid, ReasonDeleted},
	} {
		r := then(fold(c.has...), Evidence{Kind: KindFork, At: minute(120), Integration: Named{ID: birth.Integration.ID}})
		r = then(r, c.after...)
		if v := verdict(&r, token(0), minute(300)); v.Status != c.status || v.Reason != c.reason {
			t.Errorf("%s: %v (%v), want %v (%v)", name, v.Status, v.Reason, c.status, c.reason)
		}
	}
}

// TestForkIsNeverWronglyValid: of all short histories, whatever their end is lost of, and
// whatever happens next, none makes a token Valid that does not work.
func TestForkIsNeverWronglyValid(t *testing.T) {
	type truth struct {
		enabled, canceled, deleted bool
		current                    int
	}
	actions := []Action{IntegrationEnabled, IntegrationDisabled, IntegrationCanceled, IntegrationReinstated, IntegrationDeleted, IntegrationApiKeyCreated}
	happen := func(w truth, a Action) (truth, bool) {
		was := w
		switch {
		case w.deleted:
			return w, false
		case a == IntegrationEnabled:
			w.enabled = true
		case a == IntegrationDisabled:
			w.enabled = false
		case a == IntegrationCanceled:
			w.canceled = true
		case a == IntegrationReinstated:
			w.canceled = false
		case a == IntegrationDeleted:
			w.deleted = true
		case a == IntegrationApiKeyCreated:
			w.current++
		}
		return w, w != was
	}
	policy := Policy{Reinstated: No}
	told, known := 0, 0
	var histories func(w truth, all []Evidence)
	histories = func(w truth, all []Evidence) {
		for lost := 1; lost < len(all); lost++ {
			for after := 0; after <= 1 && after < lost; after++ {
				gone := all[len(all)-lost : len(all)-after]
				has := fold(all[:len(all)-lost]...)
				r := then(forked(has, then(has, gone...), minute(len(all)*120-100)), all[len(all)-after:]...)
				for i := range w.current + 1 {
					v := r.Verdict(token(i), &policy, minute(1000))
					told++
					if live := w.enabled && !w.canceled && !w.deleted && i == w.current; v.Active() && !live {
						t.Fatalf("%v: %d of the last %d are lost, and token %d is Valid", all, lost-after, lost, i)
					} else if v.Status != Unknown {
						known++
					}
				}
			}
		}
		if len(all) == 4 {
			return
		}
		for _, a := range actions {
			next, happens := happen(w, a)
			if !happens {
				continue
			}
			e := delivery(a, minute(len(all)*120))
			if a == IntegrationApiKeyCreated {
				e = rotated(token(next.current), e.At)
			}
			histories(next, append(all[:len(all):len(all)], e))
		}
	}
	histories(truth{enabled: true}, []Evidence{created(Yes, token(0), minute(0))})
	if known == 0 || told < 300 {
		t.Errorf("of %d verdicts %d are known: nothing is shown", told, known)
	}
}
