package storetest

import (
	"cmp"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/keyrack-dev/keyrack/lifecycle"
	"github.com/keyrack-dev/keyrack/store"
)

// What a test history is put together from. An act's id is its version.
func did(integration string, version uint64, begin, end int64) Call {
	return Call{Kind: Committed, Integration: integration, Version: version, Begin: begin, End: end, ID: store.EntryID{byte(version)}}
}

func (a Call) claims(d byte) Call {
	a.Claim = append(a.Claim, lifecycle.Digest{d})
	return a
}

func (a Call) disowns(d byte) Call {
	a.Disown = append(a.Disown, lifecycle.Digest{d})
	return a
}

func saw(integration string, version uint64, begin, end int64) Call {
	a := did(integration, version, begin, end)
	a.Kind = Loaded
	return a
}

func refused(integration string, expected uint64, begin, end int64) Call {
	a := did(integration, expected, begin, end)
	a.Kind = Conflicted
	return a
}

func told(kind Kind, integration string, d byte, owner string, begin, end int64) Call {
	return Call{Kind: kind, Integration: integration, Digest: lifecycle.Digest{d}, Owner: owner, Begin: begin, End: end}
}

func TestLinearizable(t *testing.T) {
	for _, test := range []struct {
		name    string
		history []Call
		want    string // part of the error, "" for none
	}{
		{"nothing", nil, ""},
		{"one after the other", []Call{did("a", 1, 1, 2), saw("a", 1, 3, 4), did("a", 2, 5, 6), saw("a", 2, 7, 8)}, ""},
		{"a load that overlaps sees either", []Call{did("a", 1, 1, 10), saw("a", 0, 2, 3), saw("a", 1, 4, 5)}, ""},
		{"a conflict with what comes at the same time", []Call{did("a", 1, 1, 10), refused("a", 0, 2, 9)}, ""},
		{"a conflict with a version never reached", []Call{did("a", 1, 1, 2), refused("a", 7, 3, 4)}, ""},
		{"a conflict that holds a commit back", []Call{did("a", 1, 1, 10), refused("a", 1, 3, 4), saw("a", 1, 11, 12)}, ""},
		{"a commit that never returned", []Call{did("a", 1, 1, Never), saw("a", 0, 2, 3), saw("a", 1, 4, 5)}, ""},
		{"other integrations have other versions", []Call{did("a", 1, 1, 2), did("b", 1, 3, 4), saw("b", 0, 1, 2)}, ""},

		{"two commits made one version", []Call{did("a", 1, 1, 5), did("a", 1, 2, 6)}, "in the place of"},
		{"a version was left out", []Call{did("a", 1, 1, 2), did("a", 3, 3, 4)}, "in the place of"},
		{"a later version was over before an earlier one began", []Call{did("a", 2, 1, 2), did("a", 1, 3, 4)}, "no instant"},
		{"a load of what nobody committed", []Call{did("a", 1, 1, 2), saw("a", 2, 3, 4)}, "is the last that was committed"},
		{"a load before the commit began", []Call{saw("a", 1, 1, 2), did("a", 1, 3, 4)}, "no instant"},
		{"a load of what was replaced", []Call{did("a", 1, 1, 2), did("a", 2, 3, 4), saw("a", 1, 5, 6)}, "no instant"},
		{"a load of nothing after the first commit", []Call{did("a", 1, 1, 2), saw("a", 0, 3, 4)}, "no instant"},
		{"loads that go back", []Call{did("a", 1, 1, 20), saw("a", 1, 2, 3), saw("a", 0, 4, 5)}, "no instant"},
		{"a load of another record", []Call{did("a", 1, 1, 2), {Kind: Loaded, Integration: "a", Version: 1, Begin: 3, End: 4}}, "another commit"},
		{"a load of a record where there is nothing", []Call{{Kind: Loaded, Integration: "a", Begin: 1, End: 2, ID: store.EntryID{1}}}, "another commit"},
		{"a conflict with the version that was there", []Call{did("a", 1, 1, 2), refused("a", 1, 3, 4), did("a", 2, 5, 6)}, "no instant"},
		{"a conflict with the last version", []Call{did("a", 1, 1, 2), refused("a", 1, 3, 4)}, "no instant"},
		{"a conflict where there was nothing", []Call{refused("a", 0, 1, 2), did("a", 1, 3, 4)}, "a conflict with version 0"},
		{"a conflict that a load contradicts", []Call{did("a", 1, 1, 10), saw("a", 1, 2, 3), refused("a", 1, 4, 5)}, "no instant"},
		{"two conflicts that contradict each other", []Call{did("a", 1, 1, 10), refused("a", 1, 5, 6), refused("a", 0, 2, 3)}, "a conflict with version 0"},

		{"a digest changes hands", []Call{
			did("a", 1, 1, 2).claims(7), told(Asked, "", 7, "a", 3, 4), told(Owned, "b", 7, "a", 3, 5),
			did("a", 2, 6, 9).disowns(7), told(Asked, "", 7, "", 7, 12), did("b", 1, 8, 11).claims(7), told(Asked, "", 7, "b", 13, 14),
		}, ""},
		{"a digest comes back", []Call{did("a", 1, 1, 2).claims(7), did("a", 2, 3, 4).disowns(7), did("a", 3, 5, 6).claims(7), told(Asked, "", 7, "a", 7, 8)}, ""},
		{"a digest with two owners", []Call{did("a", 1, 1, 2).claims(7), did("b", 1, 3, 4).claims(7)}, "at the same time"},
		{"a digest with two owners for a moment", []Call{did("a", 1, 1, 2).claims(7), did("b", 1, 3, 8).claims(7), did("b", 2, 4, 7).disowns(7), did("a", 2, 20, 21).disowns(7)}, "all the while"},
		{"a digest given back too late", []Call{did("a", 1, 1, 2).claims(7), did("b", 1, 3, 4).claims(7), did("a", 2, 5, 6).disowns(7)}, "at the same time"},
		{"an owner who never claimed", []Call{did("a", 1, 1, 2), told(Asked, "", 7, "a", 3, 4)}, "was not at any time"},
		{"an owner who claimed later", []Call{told(Asked, "", 7, "a", 1, 2), did("a", 1, 3, 4).claims(7)}, "was not at any time"},
		{"an owner who was none any more", []Call{did("a", 1, 1, 2).claims(7), did("a", 2, 3, 4).disowns(7), told(Asked, "", 7, "a", 5, 6)}, "was not at any time"},
		{"nobody, while there was an owner", []Call{did("a", 1, 1, 2).claims(7), told(Asked, "", 7, "", 3, 4)}, "all the while"},
		{"another than the owner", []Call{did("a", 1, 1, 2).claims(7), did("b", 1, 1, 9).claims(7), did("b", 2, 1, 9).disowns(7), told(Asked, "", 7, "b", 3, 4)}, "all the while"},
		{"a refusal for an owner who was none", []Call{did("a", 1, 1, 2), told(Owned, "b", 7, "a", 3, 4)}, "was not at any time"},
		{"a refusal of the owner itself", []Call{did("a", 1, 1, 2).claims(7), told(Owned, "a", 7, "a", 3, 4)}, "was refused"},
	} {
		t.Run(test.name, func(t *testing.T) {
			err := Linearizable(test.history)
			if (err == nil) != (test.want == "") || err != nil && !strings.Contains(err.Error(), test.want) {
				t.Errorf("got error %v, want %q", err, test.want)
			}
			if (err == nil) != search(test.history) {
				t.Errorf("got error %v; a search among all orders differs", err)
			}
		})
	}
}

// TestLinearizableAgainstSearch compares the checker with a search among all
// orders, on random histories: true ones, and true ones that were tampered with.
func TestLinearizableAgainstSearch(t *testing.T) {
	var bad, missed int
	for seed := range uint64(8000) {
		rng := rand.New(rand.NewPCG(seed, 1))
		withDigests := seed%2 == 0
		history := randomHistory(rng, withDigests)
		if err := Linearizable(history); err != nil {
			t.Fatalf("seed %d: a true history was refused: %v\n%+v", seed, err, history)
		}
		tamper(rng, history)
		err, want := Linearizable(history), search(history)
		if want && err != nil {
			t.Fatalf("seed %d: a history that has an order was refused: %v\n%+v", seed, err, history)
		}
		if !want {
			bad++
			if err == nil {
				missed++
				// Of versions alone, nothing may be missed.
				if !withDigests {
					t.Fatalf("seed %d: a history that has no order was accepted\n%+v", seed, history)
				}
			}
		}
	}
	t.Logf("%d bad histories, %d of them accepted, all with digests", bad, missed)
	if bad < 2000 || missed > bad/50 {
		t.Errorf("%d bad histories, %d of them accepted", bad, missed)
	}
}

// randomHistory makes up the calls in their true order, and then lets each
// begin earlier and end later.
func randomHistory(rng *rand.Rand, withDigests bool) []Call {
	var m model
	history := make([]Call, 0, 7)
	for len(history) < cap(history) {
		at := int64(len(history)) * 1000
		a := Call{Kind: Committed, Begin: at - rng.Int64N(2500), End: at + 1 + rng.Int64N(2500)}
		a.Integration = string("ab"[rng.IntN(2)])
		version := m.versions[a.Integration]
		d := lifecycle.Digest{7}
		switch rng.IntN(8) {
		case 0, 1, 2:
			a.Version, a.ID = version+1, store.EntryID{byte(len(history) + 1)}
			if rng.IntN(10) == 0 {
				a.End = Never
			}
			if owner := m.owners[d]; withDigests && (owner == "" || owner == a.Integration) {
				if rng.IntN(2) == 0 {
					a.Claim = []lifecycle.Digest{d}
				} else {
					a.Disown = []lifecycle.Digest{d}
				}
			}
		case 3:
			a.Kind, a.Version = Conflicted, uint64(rng.IntN(3))
			if a.Version == version {
				continue
			}
		case 4, 5:
			a.Kind, a.Version = Loaded, version
			a.ID = m.ids[a.Integration]
		default:
			if !withDigests {
				continue
			}
			a.Kind, a.Digest, a.Owner = Asked, d, m.owners[d]
			if a.Owner != "" && a.Owner != a.Integration {
				a.Kind = Owned
			}
		}
		if !m.apply(a) {
			panic("the model refuses what it said itself")
		}
		history = append(history, a)
	}
	// No two ticks alike.
	var ticks []*int64
	for i := range history {
		ticks = append(ticks, &history[i].Begin)
		if history[i].End != Never {
			ticks = append(ticks, &history[i].End)
		}
	}
	slices.SortStableFunc(ticks, func(a, b *int64) int { return cmp.Compare(*a, *b) })
	for i, tick := range ticks {
		*tick = int64(i)
	}
	rng.Shuffle(len(history), func(i, j int) { history[i], history[j] = history[j], history[i] })
	return history
}

// tamper lets two calls change places in time, or changes an answer.
func tamper(rng *rand.Rand, history []Call) {
	a, b := &history[rng.IntN(len(history))], &history[rng.IntN(len(history))]
	switch {
	case a.Kind == Loaded && rng.IntN(3) == 0, a.Kind == Conflicted && rng.IntN(3) == 0:
		a.Version = uint64(rng.IntN(4))
	case a.Kind == Asked && rng.IntN(2) == 0:
		a.Owner = []string{"", "a", "b"}[rng.IntN(3)]
	default:
		a.Begin, b.Begin, a.End, b.End = b.Begin, a.Begin, b.End, a.End
	}
}

// model is a store that does one thing after the other.
type model struct {
	versions map[string]uint64
	ids      map[string]store.EntryID
	owners   map[lifecycle.Digest]string
}

// apply returns whether the answer is the one that the model gives, too.
func (m *model) apply(a Call) bool {
	if m.versions == nil {
		*m = model{map[string]uint64{}, map[string]store.EntryID{}, map[lifecycle.Digest]string{}}
	}
	version := m.versions[a.Integration]
	switch a.Kind {
	case Committed:
		for _, d := range a.Claim {
			if owner := m.owners[d]; owner != "" && owner != a.Integration {
				return false
			}
		}
		if a.Version != version+1 {
			return false
		}
		m.versions[a.Integration], m.ids[a.Integration] = a.Version, a.ID
		for _, d := range a.Disown {
			if m.owners[d] == a.Integration {
				delete(m.owners, d)
			}
		}
		for _, d := range a.Claim {
			m.owners[d] = a.Integration
		}
		return true
	case Conflicted:
		return version != a.Version
	case Loaded:
		return version == a.Version && m.ids[a.Integration] == a.ID
	case Owned:
		return m.owners[a.Digest] == a.Owner && a.Owner != "" && a.Owner != a.Integration
	default:
		return m.owners[a.Digest] == a.Owner
	}
}

// search looks for an order of the calls that the model agrees with.
func search(history []Call) bool {
	var try func(done []Call, left []Call) bool
	try = func(done, left []Call) bool {
		if len(left) == 0 {
			return true
		}
		for i, a := range left {
			if slices.ContainsFunc(left, func(b Call) bool { return b.End < a.Begin }) {
				continue // it is b's turn
			}
			var m model
			for _, d := range done {
				m.apply(d)
			}
			if m.apply(a) && try(append(slices.Clip(done), a), slices.Delete(slices.Clone(left), i, i+1)) {
				return true
			}
		}
		return false
	}
	return try(nil, history)
}
