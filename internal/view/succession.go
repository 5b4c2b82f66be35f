package view

import (
	"cmp"
	"slices"
	"time"

	"github.com/keyrack-dev/keyrack/lifecycle"
)

// A hotel that connects anew has a new integration. This file finds which integration takes
// the place of another one.

// mostAtHotel is how many integrations an enterprise may have for it to be looked whether one
// takes the place of another. All of them are looked at, each time.
const mostAtHotel = 64

// Succession is a hotel that came back: one integration takes the place of another one.
// Nobody may write to the records.
type Succession struct{ Is, Was *lifecycle.Record }

// Succession returns the succession that an integration has a part in and that no record
// tells of yet, and whether there is one. What arrives may have been under way for a horizon.
// An orphan takes nobody's place.
func (v *View) Succession(record *lifecycle.Record, horizon time.Duration, orphan func(*lifecycle.Record) bool) (Succession, bool) {
	over := Over(record)
	if !over && record.Succeeds != "" || !v.anyOver(record.Enterprise.ID) {
		return Succession{}, false
	}
	all := v.Enterprise(record.Enterprise.ID)
	taken := map[string]bool{}
	for _, is := range all {
		if is.Succeeds != "" {
			taken[v.Name(is.Succeeds)] = true
		}
	}
	for _, pair := range successions(all, taken, horizon, orphan) {
		if pair.Is.ID == record.ID || pair.Was.ID == record.ID {
			return pair, true
		}
	}
	return Succession{}, false
}

// anyOver reports whether an integration of an enterprise is deleted or canceled, and all of
// them may be looked at.
func (v *View) anyOver(enterprise string) bool {
	if enterprise == "" {
		return false
	}
	v.mu.Lock()
	defer v.mu.Unlock()
	return v.over[enterprise] > 0 && len(v.enterprise[enterprise]) <= mostAtHotel
}

// successions returns which integrations of an enterprise take the place of others, which
// ended before they began, the earliest first. Each takes one place at most: that of the
// integration of the same service that ended last. No place is taken twice.
func successions(all []*lifecycle.Record, taken map[string]bool, horizon time.Duration, orphan func(*lifecycle.Record) bool) (pairs []Succession) {
	all = slices.SortedStableFunc(slices.Values(all), Older)
	for _, is := range all {
		if Over(is) || is.Succeeds != "" || orphan(is) {
			continue
		}
		var best *lifecycle.Record
		var last lifecycle.Instant
		for _, was := range all {
			if taken[was.ID] || was.Service.ID != is.Service.ID {
				continue
			}
			if end := endedBefore(was, is, horizon); end > last {
				best, last = was, end
			}
		}
		if best != nil {
			taken[best.ID] = true
			pairs = append(pairs, Succession{is, best})
		}
	}
	return pairs
}

// endedBefore returns when an integration ended if it did so before another one began, or 0.
// What is told by an arrival and not by Mews's clock may have been so a horizon earlier.
func endedBefore(was, is *lifecycle.Record, horizon time.Duration) lifecycle.Instant {
	start, byMews := began(is)
	if first, _ := began(was); !Over(was) || first >= start {
		return 0
	}
	end := was.DeletedUtc
	if end == 0 {
		end, byMews = max(was.DeletedAt, was.CanceledAt), false
	}
	if !byMews {
		start = lifecycle.At(start.Time().Add(horizon))
	}
	if end > start {
		return 0
	}
	return end
}

// began returns when an integration began: by Mews's clock, or when its first token came.
func began(record *lifecycle.Record) (at lifecycle.Instant, byMews bool) {
	if record.CreatedUtc != 0 {
		return record.CreatedUtc, true
	}
	if len(record.Keys) > 0 {
		return record.Keys[0].Since, false
	}
	return record.Arrived, false
}

// Older compares two integrations by when they began, for sorting.
func Older(a, b *lifecycle.Record) int {
	beganA, _ := began(a)
	beganB, _ := began(b)
	return cmp.Compare(beganA, beganB)
}

// Over reports whether an integration is deleted or canceled.
func Over(r *lifecycle.Record) bool {
	switch r.State {
	case lifecycle.Deleted, lifecycle.CanceledEnabled, lifecycle.CanceledDisabled:
		return true
	}
	return false
}

// overAt returns the enterprise of an integration that is deleted or canceled, or "".
func overAt(r *lifecycle.Record) string {
	if r == nil || !Over(r) {
		return ""
	}
	return r.Enterprise.ID
}

// end counts those that are over: one less of an enterprise, one more of another, unless that
// is "". v.mu is held.
func (v *View) end(was, is string) {
	if was == is {
		return
	}
	if was != "" {
		if v.over[was]--; v.over[was] == 0 {
			delete(v.over, was)
		}
	}
	if is != "" {
		v.over[is]++
	}
}
