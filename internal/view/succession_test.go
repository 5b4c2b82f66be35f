package view_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/keyrack-dev/keyrack/internal/view"
	"github.com/keyrack-dev/keyrack/lifecycle"
)

const horizon = 30 * time.Minute

func minute(n int) lifecycle.Instant {
	return lifecycle.At(time.Date(2026, 3, 1, 0, n, 0, 0, time.UTC))
}

// at returns an integration of hotel H that began and ended at minutes by Mews's clock; it
// lives if the end is 0.
func at(id string, began, ended int) lifecycle.Record {
	r := lifecycle.Record{
		ID: id, Version: 1, Created: true, CreatedUtc: minute(began), Enterprise: lifecycle.Named{ID: "H"},
		State: lifecycle.CreatedEnabled,
	}
	if ended != 0 {
		r.State, r.DeletedUtc, r.DeletedAt = lifecycle.Deleted, minute(ended), minute(ended+1)
	}
	return r
}

// canceled returns one whose cancellation arrived at a minute.
func canceled(id string, began, heard int) lifecycle.Record {
	r := at(id, began, 0)
	r.State, r.CanceledAt = lifecycle.CanceledEnabled, minute(heard)
	return r
}

func with(r lifecycle.Record, change func(*lifecycle.Record)) lifecycle.Record {
	change(&r)
	return r
}

// What takes the place of what is the same from either side, and the same whatever came first.
func TestSuccession(t *testing.T) {
	crowd := []lifecycle.Record{at("a", 1, 10), at("b", 20, 0)}
	for i := len(crowd); i <= 64; i++ {
		crowd = append(crowd, at(fmt.Sprint("guest ", i), 1, 0))
	}
	for name, c := range map[string]struct {
		all  []lifecycle.Record
		want map[string]string
	}{
		"nothing ended":            {[]lifecycle.Record{at("a", 1, 0), at("b", 20, 0)}, nil},
		"it ended before":          {[]lifecycle.Record{at("a", 1, 10), at("b", 20, 0)}, map[string]string{"b": "a"}},
		"it ended after":           {[]lifecycle.Record{at("a", 1, 21), at("b", 20, 0)}, nil},
		"the last that ended":      {[]lifecycle.Record{at("a", 1, 10), at("c", 2, 12), at("b", 20, 0)}, map[string]string{"b": "c"}},
		"two came back":            {[]lifecycle.Record{at("a", 1, 10), at("b", 20, 0), at("c", 21, 0), at("d", 2, 12)}, map[string]string{"b": "d", "c": "a"}},
		"one ended, two came":      {[]lifecycle.Record{at("a", 1, 10), at("b", 20, 0), at("c", 21, 0)}, map[string]string{"b": "a"}},
		"canceled":                 {[]lifecycle.Record{canceled("a", 1, 10), at("b", 20, 0)}, map[string]string{"b": "a"}},
		"heard of within horizon":  {[]lifecycle.Record{canceled("a", 1, 50), at("b", 20, 0)}, map[string]string{"b": "a"}},
		"heard of beyond horizon":  {[]lifecycle.Record{canceled("a", 1, 51), at("b", 20, 0)}, nil},
		"another service":          {[]lifecycle.Record{at("a", 1, 10), with(at("b", 20, 0), func(r *lifecycle.Record) { r.Service.ID = "s" })}, nil},
		"another enterprise":       {[]lifecycle.Record{at("a", 1, 10), with(at("b", 20, 0), func(r *lifecycle.Record) { r.Enterprise.ID = "I" })}, nil},
		"an orphan":                {[]lifecycle.Record{at("a", 1, 10), with(at("b", 20, 0), func(r *lifecycle.Record) { r.Created = false })}, nil},
		"one that has a place":     {[]lifecycle.Record{at("a", 1, 10), with(at("b", 20, 0), func(r *lifecycle.Record) { r.Succeeds = "z" })}, nil},
		"a place that is taken":    {[]lifecycle.Record{at("a", 1, 10), with(at("b", 20, 0), func(r *lifecycle.Record) { r.Succeeds = "a" }), at("c", 21, 0)}, nil},
		"taken under another name": {[]lifecycle.Record{{ID: "n", Version: 2, Alias: "a"}, at("a", 1, 10), with(at("b", 20, 0), func(r *lifecycle.Record) { r.Succeeds = "n" }), at("c", 21, 0)}, nil},
		"what took it ended too": {
			[]lifecycle.Record{at("a", 1, 10), with(at("b", 20, 30), func(r *lifecycle.Record) { r.Succeeds = "a" }), at("c", 40, 0)}, map[string]string{"c": "b"},
		},
		"as many as are looked at":   {crowd[:64], map[string]string{"b": "a"}},
		"more than are looked at":    {crowd, nil},
		"nobody knows whose it is":   {[]lifecycle.Record{with(at("a", 1, 10), func(r *lifecycle.Record) { r.Enterprise.ID = "" }), with(at("b", 20, 0), func(r *lifecycle.Record) { r.Enterprise.ID = "" })}, nil},
		"at the very same instant":   {[]lifecycle.Record{at("a", 1, 20), at("b", 20, 0)}, map[string]string{"b": "a"}},
		"it began and ended at once": {[]lifecycle.Record{at("a", 20, 20), at("b", 20, 0)}, nil},
	} {
		t.Run(name, func(t *testing.T) {
			for _, backwards := range []bool{false, true} {
				v := view.New()
				for i := range c.all {
					if backwards {
						i = len(c.all) - 1 - i
					}
					v.Publish(c.all[i], [16]byte{}, false)
				}
				parts := map[string]string{}
				for is, was := range c.want {
					parts[is], parts[was] = is+" "+was, is+" "+was
				}
				for _, r := range c.all {
					pair, ok := v.Succession(&r, horizon, func(r *lifecycle.Record) bool { return !r.Created })
					got := ""
					if ok {
						got = pair.Is.ID + " " + pair.Was.ID
					}
					if got != parts[r.ID] {
						t.Errorf("backwards %v: %s has a part in %q, want %q", backwards, r.ID, got, parts[r.ID])
					}
				}
			}
		})
	}
	v := view.New()
	a, b := at("a", 1, 10), at("b", 20, 0)
	v.Publish(a, [16]byte{}, false)
	v.Publish(b, [16]byte{}, false)
	v.Publish(with(a, func(r *lifecycle.Record) { r.Version, r.State = 2, lifecycle.CreatedEnabled }), [16]byte{}, false)
	if pair, ok := v.Succession(&b, horizon, func(*lifecycle.Record) bool { return false }); ok {
		t.Errorf("%s took the place of %s, which lives again", pair.Is.ID, pair.Was.ID)
	}
	v.Publish(with(a, func(r *lifecycle.Record) { r.Version = 3 }), [16]byte{}, false)
	v.Drop("a")
	if _, ok := v.Succession(&b, horizon, func(*lifecycle.Record) bool { return false }); ok {
		t.Error("b takes the place of one that is set aside")
	}
}
