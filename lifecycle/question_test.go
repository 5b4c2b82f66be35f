package lifecycle_test

import (
	"testing"
	"time"

	. "github.com/keyrack-dev/keyrack/lifecycle"
)

func TestQuestion(t *testing.T) {
	birth := created(Yes, token(0), minute(0))
	asks := func(what string, r Record, want int, open bool) {
		t.Helper()
		q, ok := r.Question()
		if !ok || q.Token != token(want) || q.Open != open {
			t.Errorf("%s: asks about %v, open %v, %v; want token %d, %v", what, q.Token, q.Open, ok, want, open)
		}
	}
	silent := func(what string, r Record) {
		t.Helper()
		if q, ok := r.Question(); ok {
			t.Errorf("%s: asks about %v", what, q)
		}
	}
	silent("nothing known", Record{})
	silent("no token known", fold(delivery(IntegrationEnabled, minute(0))))
	asks("created", fold(birth), 0, true)
	for _, answer := range []Answer{Accepted, Rejected} {
		r := fold(birth)
		r = then(r, probe(&r, token(0), answer, minute(1)))
		asks("settled by "+answer.String(), r, 0, false)
		if q, _ := r.Question(); q.Settled != minute(1) {
			t.Errorf("settled at %v", q.Settled)
		}
		asks("after a copy", then(r, birth), 0, true)
		asks("after the application's own 401", then(r, own(token(0), Unattributed, minute(2), minute(2))), 0, true)
	}
	r := fold(birth)
	asks("unattributed", then(r, probe(&r, token(0), Unattributed, minute(1))), 0, true)

	rotation := fold(birth, rotated(token(1), minute(1)))
	asks("rotated", rotation, 1, true)
	asks("rotated, and the new one rejected", then(rotation, probe(&rotation, token(1), Rejected, minute(2))), 0, true)
	proved := then(rotation, probe(&rotation, token(1), Accepted, minute(2)))
	asks("rotated, proved, rejected", then(proved, probe(&proved, token(1), Rejected, minute(3))), 1, false)

	rivals := then(rotation, rotated(token(2), minute(2)))
	asks("rivals", rivals, 2, true)
	asks("rivals, one rejected", then(rivals, probe(&rivals, token(2), Rejected, minute(3))), 1, true)

	deleted := then(rotation, delivery(IntegrationDeleted, minute(3)))
	asks("deleted", deleted, 1, true)
	asks("deleted, and works", then(deleted, probe(&deleted, token(1), Accepted, minute(4))), 1, false)
	silent("deleted, and rejected", then(deleted, probe(&deleted, token(1), Rejected, minute(4))))
}

func TestRetains(t *testing.T) {
	birth := created(Yes, token(0), minute(0))
	rotation := fold(birth, rotated(token(1), minute(10)))
	proved := then(rotation, probe(&rotation, token(1), Accepted, minute(11)))
	deleted := then(rotation, delivery(IntegrationDeleted, minute(20)))
	back := then(rotation, probe(&rotation, token(1), Rejected, minute(11)))
	back = then(back, probe(&back, token(0), Accepted, minute(12)))
	confirmed := then(deleted, probe(&deleted, token(1), Rejected, minute(21)))
	for name, c := range map[string]struct {
		r        Record
		token    int
		now      int
		unproven time.Duration
		want     bool
	}{
		"a token of nobody's":             {rotation, 9, 10, 0, false},
		"the current one":                 {rotation, 1, 99999, time.Hour, true},
		"the former":                      {rotation, 0, 99999, 0, true},
		"the former, its successor works": {proved, 0, 11, 0, false},
		"the former, for an hour":         {rotation, 0, 69, time.Hour, true},
		"the former, after an hour":       {rotation, 0, 70, time.Hour, false},
		"swapped back":                    {back, 1, 12, 0, false},
		"deleted":                         {deleted, 1, 99999, 0, true},
		"deleted, long superseded":        {deleted, 0, 20, 0, false},
		"deleted, confirmed":              {confirmed, 1, 21, 0, false},
		"deleted, for an hour":            {deleted, 1, 79, time.Hour, true},
		"deleted, after an hour":          {deleted, 1, 80, time.Hour, false},
	} {
		if got := c.r.Retains(token(c.token), minute(c.now), c.unproven); got != c.want {
			t.Errorf("%s: %v", name, got)
		}
	}
}

func TestCurrent(t *testing.T) {
	birth := created(Yes, token(0), minute(0))
	deleted := fold(birth, delivery(IntegrationDeleted, minute(1)))
	for name, c := range map[string]struct {
		r      Record
		status Status
		reason Reason
	}{
		"unseen":                {fold(delivery(IntegrationEnabled, minute(0))), Unknown, ReasonUnseen},
		"created":               {fold(birth), Valid, ReasonLive},
		"rotated":               {fold(birth, rotated(token(1), minute(1))), Valid, ReasonLive},
		"deleted":               {deleted, Invalid, ReasonDeleted},
		"deleted, and works":    {then(deleted, probe(&deleted, token(0), Accepted, minute(2))), Unknown, ReasonDeletedAccepted},
		"deleted with no token": {fold(delivery(IntegrationDeleted, minute(1))), Invalid, ReasonDeleted},
	} {
		if v := c.r.Current(new(Policy), minute(1)); v.Status != c.status || v.Reason != c.reason || v.Integration != integration {
			t.Errorf("%s: %+v", name, v)
		}
	}
}
