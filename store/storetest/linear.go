package storetest

import (
	"cmp"
	"fmt"
	"slices"
	"sort"

	"github.com/keyrack-dev/keyrack/lifecycle"
	"github.com/keyrack-dev/keyrack/store"
)

// Linearizable returns an error if the calls of a history cannot have happened
// one after the other, each at an instant between its begin and its end.
//
// Versions make the check cheap: they say in which order the commits of an integration
// happened, so there is nothing to search. It remains to find instants for the commits,
// and the earliest possible ones will do. The answer is exact for each integration. For
// digests, which tie integrations together, it checks what must hold whatever the
// instants are: no two owners at one time, and no answer that was false throughout the
// call.
func Linearizable(history []Call) error {
	byIntegration := map[string][]Call{}
	for _, a := range history {
		if a.Kind != Owned && a.Kind != Asked {
			byIntegration[a.Integration] = append(byIntegration[a.Integration], a)
		}
	}
	commits := map[string][]Call{}
	for integration, acts := range byIntegration {
		ordered, err := versionsLinearizable(acts)
		if err != nil {
			return fmt.Errorf("integration %q: %w", integration, err)
		}
		commits[integration] = ordered
	}
	return digestsLinearizable(commits, history)
}

// versionsLinearizable checks the calls of one integration and returns its commits by
// version.
func versionsLinearizable(acts []Call) ([]Call, error) {
	var commits []Call
	for _, a := range acts {
		if a.Kind == Committed {
			commits = append(commits, a)
		}
	}
	slices.SortFunc(commits, func(a, b Call) int { return cmp.Compare(a.Version, b.Version) })
	n := len(commits)
	// Commit v, from 1 to n, happens after lower[v] and before upper[v].
	lower, upper := make([]int64, n+1), make([]int64, n+1)
	for i, c := range commits {
		if c.Version != uint64(i)+1 {
			return nil, fmt.Errorf("%d commits, but one made version %d in the place of version %d", n, c.Version, i+1)
		}
		lower[c.Version], upper[c.Version] = c.Begin, c.End
	}
	for _, a := range acts {
		if a.Kind != Loaded {
			continue
		}
		if a.Version > uint64(n) {
			return nil, fmt.Errorf("version %d was loaded, %d is the last that was committed", a.Version, n)
		}
		var id store.EntryID // zero: no commit
		if v := a.Version; v > 0 {
			id, upper[v] = commits[v-1].ID, min(upper[v], a.End)
		}
		if a.ID != id {
			return nil, fmt.Errorf("version %d was loaded with the record of another commit", a.Version)
		}
		if v := a.Version + 1; v <= uint64(n) {
			lower[v] = max(lower[v], a.Begin)
		}
	}
	// A conflict with expected version v happened before commit v or after commit v+1.
	// If even the earliest instant of commit v+1 lies after the conflict's end, so does
	// every later one, and commit v has to come after the conflict's begin.
	for {
		at, err := earliest(lower, upper)
		if err != nil {
			return nil, err
		}
		forced := false
		for _, a := range acts {
			if a.Kind != Conflicted || a.Version > uint64(n) {
				continue
			}
			v := a.Version
			before := v > 0 && at[v] >= a.Begin
			after := v < uint64(n) && at[v+1] < a.End
			switch {
			case before || after:
			case v == 0:
				return nil, fmt.Errorf("a conflict with version 0 while there was no other")
			default:
				lower[v], forced = a.Begin, true
			}
		}
		if !forced {
			return commits, nil
		}
	}
}

// earliest returns the earliest instants at which the commits can have happened in
// their order, just after a tick each.
func earliest(lower, upper []int64) ([]int64, error) {
	at := slices.Clone(lower)
	for v := 1; v < len(at); v++ {
		at[v] = max(at[v], at[v-1])
		if at[v] >= upper[v] {
			return nil, fmt.Errorf("no instant is left for the commit to version %d: something that was over already had seen later versions, or something later sees earlier ones", v)
		}
	}
	return at, nil
}

// tenure is the time for which an integration owned a digest, from one commit to
// another; the second is nil if it still owns it.
type tenure struct {
	owner string
	from  Call
	to    *Call
}

// hold is the part of a tenure that is certain.
type hold struct {
	owner      string
	begin, end int64
}

// digestsLinearizable checks who owned what, by the commits of each integration.
func digestsLinearizable(commits map[string][]Call, history []Call) error {
	tenures := map[lifecycle.Digest][]tenure{}
	for owner, all := range commits {
		open := map[lifecycle.Digest]int{} // index of the tenure
		for i, c := range all {
			for _, d := range c.Disown {
				if t, ok := open[d]; ok {
					tenures[d][t].to = &all[i]
					delete(open, d)
				}
			}
			for _, d := range c.Claim {
				if _, ok := open[d]; !ok {
					open[d] = len(tenures[d])
					tenures[d] = append(tenures[d], tenure{owner: owner, from: c})
				}
			}
		}
	}
	holds := map[lifecycle.Digest][]hold{}
	for d, all := range tenures {
		for _, t := range all {
			h := hold{owner: t.owner, begin: t.from.End, end: Never}
			if t.to != nil {
				h.end = t.to.Begin
			}
			if h.begin < h.end {
				holds[d] = append(holds[d], h)
			}
		}
		slices.SortFunc(holds[d], func(a, b hold) int { return cmp.Compare(a.begin, b.begin) })
		for i, h := range holds[d] {
			if i > 0 && h.begin < holds[d][i-1].end {
				return fmt.Errorf("%q and %q owned one digest at the same time", holds[d][i-1].owner, h.owner)
			}
		}
		for _, t := range all {
			if other := throughout(holds[d], t.from); other != "" && other != t.owner {
				return fmt.Errorf("%q claimed a digest that %q owned all the while", t.owner, other)
			}
		}
	}
	for _, a := range history {
		if a.Kind != Owned && a.Kind != Asked {
			continue
		}
		if holder := throughout(holds[a.Digest], a); holder != "" && holder != a.Owner {
			return fmt.Errorf("the owner is said to be %q; it was %q all the while", a.Owner, holder)
		}
		possible := func(t tenure) bool {
			return t.owner == a.Owner && t.from.Begin < a.End && (t.to == nil || t.to.End > a.Begin)
		}
		if a.Owner != "" && !slices.ContainsFunc(tenures[a.Digest], possible) {
			return fmt.Errorf("the owner is said to be %q, which it was not at any time of the call", a.Owner)
		}
		if a.Kind == Owned && (a.Owner == "" || a.Owner == a.Integration) {
			return fmt.Errorf("%q was refused a digest that is said to be owned by %q", a.Integration, a.Owner)
		}
	}
	return nil
}

// throughout returns who held the digest for as long as a took, "" for nobody. The
// holds are in order and do not overlap.
func throughout(holds []hold, a Call) string {
	i := sort.Search(len(holds), func(i int) bool { return holds[i].begin > a.Begin }) - 1
	if i >= 0 && holds[i].end >= a.End {
		return holds[i].owner
	}
	return ""
}
