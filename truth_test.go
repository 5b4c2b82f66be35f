package keyrack_test

import (
	"container/heap"
	"fmt"
	"net/http"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/keyrack-dev/keyrack"
	"github.com/keyrack-dev/keyrack/lifecycle"
)

// reading is one way to understand what Mews's documents leave open.
type reading struct {
	CancelClears   bool // canceling clears the enabled flag, without a word
	ToggleCanceled bool // the flag can be changed, and is told, while canceled
	Reinstate      int  // reinstating restores the flag, sets it, or leaves it
}

// truth is one integration as Mews has it.
type truth struct {
	name                           string
	created, on, canceled, deleted bool
	formerly                       bool // the flag before the cancellation
	tokens                         []string
	changed                        time.Time
}

func (h *truth) valid() bool { return h.created && h.on && !h.canceled && !h.deleted }

// happen lets one legal thing happen, and returns what Mews sends about it.
func (h *truth) happen(t *rapid.T, r reading) []byte {
	say := func(a lifecycle.Action) []byte { return webhook(a, h.name, nil) }
	token := func() string {
		h.tokens = append(h.tokens, fmt.Sprintf("%s%d", h.name, len(h.tokens)))
		return h.tokens[len(h.tokens)-1]
	}
	h.changed = time.Now()
	if !h.created {
		h.created, h.on = true, rapid.Bool().Draw(t, "on")
		return creation(h.name, token(), lifecycle.FlagOf(h.on))
	}
	choices := []string{"rotate", "cancel", "toggle", "toggle", "toggle", "cancel"}
	if h.deleted {
		return nil
	}
	if rapid.IntRange(0, 19).Draw(t, "end") == 0 {
		h.deleted = true
		return deletion(h.name, birthday.Add(day))
	}
	switch rapid.SampledFrom(choices).Draw(t, "happens") {
	case "rotate":
		return rotation(h.name, token())
	case "cancel":
		if h.canceled = !h.canceled; h.canceled {
			h.formerly = h.on
			h.on = h.on && !r.CancelClears
			return say(lifecycle.IntegrationCanceled)
		}
		switch r.Reinstate {
		case 0:
			h.on = h.formerly
		case 1:
			h.on = true
		}
		return say(lifecycle.IntegrationReinstated)
	default:
		if h.canceled && !r.ToggleCanceled {
			return nil
		}
		if h.on = !h.on; h.on {
			return say(lifecycle.IntegrationEnabled)
		}
		return say(lifecycle.IntegrationDisabled)
	}
}

// parcel is a delivery under way.
type parcel struct {
	at       time.Time
	body     []byte
	attempts int
}

type mail []parcel

func (m mail) Len() int { return len(m) }

func (m mail) Less(i, j int) bool { return m[i].at.Before(m[j].at) }

func (m mail) Swap(i, j int) { m[i], m[j] = m[j], m[i] }

func (m *mail) Push(x any) { *m = append(*m, x.(parcel)) }

func (m *mail) Pop() any {
	last := (*m)[len(*m)-1]
	*m = (*m)[:len(*m)-1]
	return last
}

// Without loss and with a horizon above the longest delay, once everything that
// was sent has arrived, an answer other than Unknown is the truth, under each
// reading of what Mews leaves open; though the store fails, both instances get
// their share, everything comes twice and in any order, and the application
// reports what it sees.
func TestTruth(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) { rapid.SyncTest(t, tellTheTruth) })
}

func tellTheTruth(t *rapid.T) {
	const horizon, late = 3 * minute, minute
	s := newCluster(t, keyrack.Options{Horizon: horizon})
	defer s.close()
	r := reading{
		CancelClears:   rapid.Bool().Draw(t, "canceling clears"),
		ToggleCanceled: rapid.Bool().Draw(t, "toggles while canceled"),
		Reinstate:      rapid.IntRange(0, 2).Draw(t, "reinstating restores, sets, leaves"),
	}
	hotels := []*truth{{name: "A"}, {name: "B"}}
	var under mail
	compare := func() {
		s.catchUp()
		for _, h := range hotels {
			s.compare(h, r)
		}
	}
	arrive := func(until time.Time) {
		for len(under) > 0 && !under[0].at.After(until) {
			p := heap.Pop(&under).(parcel)
			time.Sleep(time.Until(p.at))
			i := rapid.IntRange(0, 1).Draw(t, "instance")
			s.store.fail()
			if p.attempts < 2 {
				s.store.fail(someFaults().Draw(t, "faults")...)
			}
			if s.deliver(i, p.body) != http.StatusNoContent {
				p.at, p.attempts = time.Now().Add(20*time.Second), p.attempts+1
				heap.Push(&under, p)
			}
		}
		s.store.fail()
		time.Sleep(time.Until(until))
	}
	for range rapid.IntRange(1, 15).Draw(t, "events") {
		h := rapid.SampledFrom(hotels).Draw(t, "hotel")
		if body := h.happen(t, r); body != nil {
			for range rapid.SampledFrom([]int{1, 1, 1, 2, 3}).Draw(t, "copies") {
				delay := time.Duration(rapid.IntRange(0, int(late/time.Second)).Draw(t, "delay")) * time.Second
				heap.Push(&under, parcel{at: time.Now().Add(delay), body: body})
			}
		}
		arrive(time.Now().Add(rapid.SampledFrom([]time.Duration{
			time.Second, 10 * time.Second, 10 * time.Second, 30 * time.Second, late + minute, 2 * horizon,
		}).Draw(t, "pause")))
		if len(h.tokens) > 0 && rapid.IntRange(0, 9).Draw(t, "own call") == 0 {
			status, token := http.StatusUnauthorized, rapid.SampledFrom(h.tokens).Draw(t, "token")
			if h.valid() && token == h.tokens[len(h.tokens)-1] {
				status = http.StatusOK
			}
			// A Rack that does not know the token, or failed to store this, just goes on.
			_, _ = s.racks[0].Report(s.ctx, answered(token, status, 0))
		}
		if len(under) == 0 {
			compare()
		}
	}
	for len(under) > 0 {
		arrive(under[0].at.Add(time.Second))
	}
	compare()
	// A 200 that began after the last change settles it.
	time.Sleep(keyrack.ReportSlack + time.Second)
	for _, h := range hotels {
		if !h.valid() {
			continue
		}
		token := tokenText(h.tokens[len(h.tokens)-1])
		if _, err := s.racks[0].Report(s.ctx, keyrack.Report{Token: keyrack.NewToken(token), Status: http.StatusOK}); err != nil {
			t.Errorf("Report: %v", err)
		} else if v := s.racks[0].Check(token); v.Status != lifecycle.Valid {
			t.Errorf("%s works, and is %s", h.name, verdictText(v))
		}
	}
	audit(t, s.mem, s.racks[:]...)
}

// compare holds what both Racks say of an integration to the truth.
func (s *cluster) compare(h *truth, r reading) {
	s.t.Helper()
	for i, token := range h.tokens {
		want := lifecycle.Invalid
		if h.valid() && i == len(h.tokens)-1 {
			want = lifecycle.Valid
		}
		for _, rack := range s.racks {
			if v := rack.Check(tokenText(token)); v.Status != lifecycle.Unknown && v.Status != want {
				record, _ := rack.Record(integrationID(h.name))
				s.t.Errorf("%s: token %d of %d is %v, the answer is %s; %+v\n%+v\n%s", h.name, i+1, len(h.tokens), want,
					verdictText(v), r, h, lifecycle.AppendRecord(nil, record))
			}
		}
	}
}
