package lifecycle_test

import (
	"slices"
	"testing"
	"time"

	. "github.com/keyrack-dev/keyrack/lifecycle"
)

// statuses returns the statuses of the first n made-up tokens, "-" for unknown ones.
func statuses(r *Record, n int) (all []string) {
	for i := range n {
		k, known := r.Key(token(i))
		if !known {
			all = append(all, "-")
			continue
		}
		all = append(all, k.Status.String())
	}
	return all
}

func TestKeys(t *testing.T) {
	birth := created(Yes, token(0), minute(0))
	deletion := delivery(IntegrationDeleted, minute(90))
	for name, c := range map[string]struct {
		evidence []Evidence
		want     []string
		outcome  Outcome // of the last
		cause    string
	}{
		"rotated":                      {[]Evidence{birth, rotated(token(1), minute(1))}, []string{"superseded", "current"}, Applied, NoCause},
		"a copy":                       {[]Evidence{birth, rotated(token(1), minute(1)), rotated(token(1), minute(2))}, []string{"superseded", "current"}, Duplicate, NoCause},
		"created late":                 {[]Evidence{rotated(token(1), minute(1)), birth}, []string{"superseded", "current"}, Applied, CauseRotatedBefore},
		"a copy of Created":            {[]Evidence{birth, rotated(token(1), minute(1)), birth}, []string{"superseded", "current"}, Duplicate, NoCause},
		"the former key again":         {[]Evidence{birth, rotated(token(1), minute(1)), rotated(token(0), minute(99))}, []string{"superseded", "current"}, Duplicate, NoCause},
		"rivals":                       {[]Evidence{birth, rotated(token(1), minute(1)), rotated(token(2), minute(31))}, []string{"superseded", "candidate", "candidate"}, Applied, CauseRival},
		"beyond the horizon":           {[]Evidence{birth, rotated(token(1), minute(1)), rotated(token(2), minute(32))}, []string{"superseded", "superseded", "current"}, Applied, NoCause},
		"rivals, then one alone":       {[]Evidence{birth, rotated(token(1), minute(1)), rotated(token(2), minute(2)), rotated(token(3), minute(33))}, []string{"superseded", "superseded", "superseded", "current"}, Applied, NoCause},
		"a chain of rivals":            {[]Evidence{birth, rotated(token(1), minute(1)), rotated(token(2), minute(21)), rotated(token(3), minute(41))}, []string{"superseded", "superseded", "candidate", "candidate"}, Applied, CauseRival},
		"parked":                       {[]Evidence{rotated(token(1), minute(1))}, []string{"-", "current"}, Parked, NoCause},
		"parked rivals":                {[]Evidence{rotated(token(1), minute(1)), rotated(token(2), minute(2))}, []string{"-", "candidate", "candidate"}, Parked, CauseRival},
		"two Created":                  {[]Evidence{birth, created(Yes, token(1), minute(1))}, []string{"candidate", "candidate"}, Conflict, CauseSecondToken},
		"two Created, then rotated":    {[]Evidence{birth, created(Yes, token(1), minute(1)), rotated(token(2), minute(2))}, []string{"superseded", "superseded", "current"}, Applied, NoCause},
		"imported, then rotated":       {[]Evidence{imported(Yes, token(0), minute(0)), rotated(token(1), minute(1))}, []string{"candidate", "candidate"}, Applied, CauseRival},
		"imported, and rotated later":  {[]Evidence{imported(Yes, token(0), minute(0)), rotated(token(1), minute(31))}, []string{"superseded", "current"}, Applied, NoCause},
		"rotated, then imported":       {[]Evidence{birth, rotated(token(1), minute(1)), imported(Yes, token(0), minute(2))}, []string{"current", "superseded"}, Applied, NoCause},
		"deleted":                      {[]Evidence{birth, rotated(token(1), minute(1)), deletion}, []string{"revoked", "revoked"}, Applied, NoCause},
		"rotated after the deletion":   {[]Evidence{birth, deletion, rotated(token(1), minute(91))}, []string{"revoked", "revoked"}, Stale, NoCause},
		"created after the deletion":   {[]Evidence{deletion, birth}, []string{"revoked"}, Stale, NoCause},
		"reopened":                     {[]Evidence{birth, deletion, imported(Unset, token(1), minute(91))}, []string{"revoked", "current"}, Applied, CauseReopened},
		"reopened with the same token": {[]Evidence{birth, deletion, imported(Unset, token(0), minute(91))}, []string{"current"}, Applied, CauseReopened},
		"no token":                     {[]Evidence{birth, rotated(Digest{}, minute(1))}, []string{"current"}, Unrecognized, NoCause},
	} {
		r := fold(c.evidence[:len(c.evidence)-1]...)
		r, d := r.Apply(c.evidence[len(c.evidence)-1])
		if got := statuses(&r, len(c.want)); !slices.Equal(got, c.want) || len(r.Keys) != len(c.want)-count(c.want, "-") {
			t.Errorf("%s: %v, want %v", name, got, c.want)
		}
		if d.Outcome != c.outcome || d.Cause != c.cause {
			t.Errorf("%s: %v (%v)", name, d.Outcome, d.Cause)
		}
	}
}

func count(all []string, s string) (n int) {
	for _, other := range all {
		if other == s {
			n++
		}
	}
	return n
}

func TestKeyVerdicts(t *testing.T) {
	r := fold(created(Yes, token(0), minute(0)), rotated(token(1), minute(100)))
	says(t, "the former", r, token(0), minute(100), Invalid, ReasonSuperseded, Invalid)
	says(t, "the new one", r, token(1), minute(100), Valid, ReasonLive, Valid)
	says(t, "a token of nobody's", r, token(9), minute(100), Unknown, ReasonUnfamiliar, Invalid)
	says(t, "the zero digest stands for the one in use", r, Digest{}, minute(100), Valid, ReasonLive, Valid)
	if v := verdict(&r, token(0), minute(100)); v.Integration != integration || v.Enterprise != hotel {
		t.Errorf("the former one does not point to its integration: %+v", v)
	}
	grace := Policy{Grace: 1e9 * 60 * 60}
	for at, want := range map[int]Status{99: Valid, 98: Invalid, 100: Valid, 159: Valid, 160: Invalid} {
		if v := r.Verdict(token(0), &grace, minute(at).Add(time.Microsecond)); v.Status != want {
			t.Errorf("grace at minute %d: %v (%v)", at, v.Status, v.Reason)
		}
	}
	rivals := then(r, rotated(token(2), minute(110)))
	for n := 1; n <= 2; n++ {
		says(t, "a rival", rivals, token(n), minute(110), Unknown, ReasonSuspectKey, Valid)
	}
	if k, ok := rivals.CurrentKey(); !ok || k.Digest != token(2) {
		t.Errorf("of two rivals, %v is handed out", k.Digest)
	}
	rejected := then(rivals, probe(&rivals, token(2), Rejected, minute(111)))
	if k, ok := rejected.CurrentKey(); !ok || k.Digest != token(1) {
		t.Errorf("of two rivals, one rejected, %v is handed out", k.Digest)
	}
	for winner, loser := range map[int]int{1: 2, 2: 1} {
		next := then(rivals, probe(&rivals, token(winner), Accepted, minute(111)))
		says(t, "the rival that works", next, token(winner), minute(111), Valid, ReasonLive, Valid)
		says(t, "the other", next, token(loser), minute(111), Invalid, ReasonSuperseded, Invalid)
		// A third one does not bring back the one that lost.
		next = then(next, rotated(token(3), minute(112)))
		says(t, "the one that lost, after a third came", next, token(loser), minute(112), Invalid, ReasonSuperseded, Invalid)
	}
}

// TestSwap: where the new token is rejected and the former works, they swap back,
// whichever answer came first.
func TestSwap(t *testing.T) {
	r := fold(created(Yes, token(0), minute(0)), rotated(token(1), minute(100)))
	rejected := then(r, probe(&r, token(1), Rejected, minute(101)))
	says(t, "the former, not asked about", rejected, token(0), minute(101), Invalid, ReasonSuperseded, Invalid)
	swapped, d := rejected.Apply(probe(&rejected, token(0), Accepted, minute(102)))
	if d.Cause != CauseSwapped || !d.Alarm {
		t.Errorf("%+v", d)
	}
	says(t, "the former", swapped, token(0), minute(102), Valid, ReasonLive, Valid)
	says(t, "the new one", swapped, token(1), minute(102), Invalid, ReasonSuperseded, Invalid)

	if k, ok := swapped.CurrentKey(); !ok || k.Digest != token(0) {
		t.Errorf("swapped, and %v is handed out", k.Digest)
	}

	// The former worked first: that alone proves nothing of the new one.
	former := then(r, own(token(0), Accepted, minute(101), minute(101)))
	says(t, "the new one, after the former worked", former, token(1), minute(101), Valid, ReasonLive, Valid)
	if former.Basis != r.Basis {
		t.Errorf("the former's 200 counts for the new one: %+v", former.Basis)
	}
	unattributed := then(former, probe(&former, token(1), Unattributed, minute(102)))
	if k, _ := unattributed.Key(token(0)); k.Doubt != 0 {
		t.Errorf("a 401 that may be about anything puts the former in doubt: %+v", k)
	}
	rejected = then(former, probe(&former, token(1), Rejected, minute(102)))
	if q, ok := rejected.Question(minute(3)); !ok || !q.Open || q.Token != token(0) {
		t.Errorf("after the rejection: %+v", q)
	}
	late, d := rejected.Apply(own(token(0), Accepted, minute(101).Add(1), minute(103)))
	if d.Outcome != Fenced {
		t.Errorf("a 200 from before the rejection: %+v", d)
	}
	says(t, "the new one", late, token(1), minute(103), Invalid, ReasonRejected, Invalid)
	says(t, "the former, again", then(rejected, probe(&rejected, token(0), Accepted, minute(103))), token(0), minute(103), Valid, ReasonLive, Valid)

	// A 200 that began before the rejection, and came after it: ask again.
	rejected = then(r, probe(&r, token(1), Rejected, minute(102)))
	rejected = then(rejected, own(token(0), Accepted, minute(101), minute(103)))
	says(t, "the former, from before the rejection", rejected, token(0), minute(103), Invalid, ReasonSuperseded, Invalid)
	if q, ok := rejected.Question(minute(3)); !ok || !q.Open || q.Token != token(0) {
		t.Errorf("after a 200 from before the rejection: %+v", q)
	}
}

// TestTooManyKeys fills a record with tokens. The newest always finds room, and the one that
// was proved last always stays; of the others, digests are left, and then nothing.
func TestTooManyKeys(t *testing.T) {
	full := fold(created(Yes, token(0), minute(0)))
	full = then(full, probe(&full, token(0), Accepted, minute(1)))
	for i := 1; i < MaxSealed; i++ {
		var d Decision
		if full, d = full.Apply(rotated(token(i), minute(2))); d.Alarm {
			t.Fatalf("token %d: %+v", i, d)
		}
	}
	for i := MaxSealed; i < 100; i++ {
		next, d := full.Apply(rotated(token(i), minute(2)))
		if d.Outcome != Applied || !d.Alarm || d.Cause != CauseRival {
			t.Fatalf("token %d: %+v", i, d)
		}
		full = next
		kept := 0
		for _, k := range full.Keys {
			if full.Retains(k.Digest, minute(2), 0) {
				kept++
			}
		}
		if !full.Retains(token(0), minute(2), 0) || !full.Retains(token(i), minute(2), 0) || kept != MaxSealed || len(full.Keys) > MaxKeys {
			t.Fatalf("token %d: %d of %d are kept", i, kept, len(full.Keys))
		}
	}
	if _, known := full.Key(token(100 - MaxKeys - 1)); known || len(full.Keys) != MaxKeys {
		t.Errorf("%d digests are left", len(full.Keys))
	}
	works := then(full, probe(&full, token(0), Accepted, minute(3)))
	if k, _ := works.CurrentKey(); k.Digest == token(0) {
		t.Error("a forged token that nobody asked about gave way")
	}
	full = then(full, probe(&full, token(99), Unattributed, minute(3)))
	q, _ := full.Question(minute(3))
	if q.Token != token(0) {
		t.Errorf("after the newest, %v is asked about", q.Token)
	}
	full = then(full, probe(&full, token(0), Accepted, minute(4)))
	says(t, "the true one", full, token(0), minute(4), Valid, ReasonLive, Valid)
	// Where all were proved, the oldest gives way.
	var all Record
	for i := range MaxSealed + 1 {
		all = then(all, rotated(token(i), minute(100*i)))
		all = then(all, probe(&all, token(i), Accepted, minute(100*i+1)))
	}
	if all.Retains(token(0), minute(9999), 0) || !all.Retains(token(1), minute(9999), 0) {
		t.Error("of the proved tokens, another than the oldest gave way")
	}

	// A late Created's token makes room as well.
	var parked Record
	for i := 1; i <= MaxSealed; i++ {
		parked = then(parked, rotated(token(i), minute(1)))
	}
	begun, d := parked.Apply(created(Yes, token(0), minute(2)))
	if d.Outcome != Applied || d.Cause != CauseRotatedBefore || !d.Alarm || begun.State != CreatedEnabled {
		t.Errorf("a late Created: %+v, %v", d, begun.State)
	}
}

func TestImport(t *testing.T) {
	r := fold(imported(Unset, token(0), minute(0)))
	if r.State != Enabled || r.Enterprise.ID != hotel {
		t.Errorf("imported as %v, %v", r.State, r.Enterprise)
	}
	says(t, "imported", r, token(0), minute(0), Valid, ReasonLive, Valid)
	says(t, "imported as disabled", fold(imported(No, token(0), minute(0))), token(0), minute(0), Invalid, ReasonDisabled, Invalid)
	// With the import its history begins.
	says(t, "disabled soon after", then(r, delivery(IntegrationDisabled, minute(30))), token(0), minute(30), Invalid, ReasonDisabled, Invalid)
	says(t, "disabled later", then(r, delivery(IntegrationDisabled, minute(31))), token(0), minute(31), Invalid, ReasonDisabled, Invalid)
	// A toggle that came before, and says otherwise.
	for toggle, isEnabled := range map[Action]Flag{IntegrationEnabled: No, IntegrationDisabled: Yes} {
		early := fold(delivery(toggle, minute(0)), imported(isEnabled, token(0), minute(1)))
		if v := verdict(&early, token(0), minute(1)); v.Status != Unknown || v.Reason != ReasonSuspectEnabled || early.State.Enabled() == (isEnabled == Yes) {
			t.Errorf("%v, then imported with %v: %v (%v), %v", toggle, isEnabled, v.Status, v.Reason, early.State)
		}
	}
	// A token that is known from a rotation already.
	known := fold(rotated(token(0), minute(0)), imported(Yes, token(0), minute(1)))
	says(t, "known, then imported", known, token(0), minute(1), Valid, ReasonLive, Valid)
	// The person who imports a rejected token may know better, or may not: ask.
	rejected := then(r, probe(&r, token(0), Rejected, minute(1)), rotated(token(1), minute(50)), imported(Yes, token(0), minute(51)))
	says(t, "rejected, then imported", rejected, token(0), minute(51), Unknown, ReasonDoubted, Valid)
	twice, d := then(r, delivery(IntegrationDisabled, minute(1))).Apply(imported(Yes, token(0), minute(2)))
	if d.Outcome != Applied {
		t.Errorf("imported twice: %+v", d)
	}
	says(t, "disabled, and imported again", twice, token(0), minute(2), Valid, ReasonLive, Valid)
	other := imported(Yes, token(0), minute(2))
	other.Enterprise.ID = "another"
	if next, d := r.Apply(other); d.Outcome != Conflict || d.Cause != CauseEnterprise || next.Enterprise.ID != hotel {
		t.Errorf("imported for another enterprise: %+v", d)
	}
	deleted := then(r, delivery(IntegrationDeleted, minute(3)))
	if next, d := deleted.Apply(imported(Yes, Digest{}, minute(4))); d.Outcome != Stale || next.State != Deleted || next.Basis != deleted.Basis {
		t.Errorf("imported after its deletion, without a token: %+v, %v", d, next.State)
	}
	reopened := then(deleted, imported(Yes, token(5), minute(4)))
	says(t, "reopened", reopened, token(5), minute(4), Valid, ReasonLive, Valid)
	says(t, "the one from before", reopened, token(0), minute(4), Invalid, ReasonSuperseded, Invalid)
	// That one's 200 proves nothing of the one in use.
	answered := then(reopened, delivery(IntegrationDisabled, minute(90)), own(token(0), Accepted, minute(91), minute(91)))
	says(t, "after the old one worked", answered, token(5), minute(91), Invalid, ReasonDisabled, Invalid)
	if reopened.DeletedAt != 0 || reopened.DeletedUtc != 0 {
		t.Errorf("reopened, and deleted at %v", reopened.DeletedAt)
	}
}
