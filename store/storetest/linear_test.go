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
func did(integration string, version uint64, begin, end int64) act {
	return act{kind: committed, integration: integration, version: version, begin: begin, end: end, id: store.EntryID{byte(version)}}
}

func (a act) claims(d byte) act {
	a.claim = append(a.claim, lifecycle.Digest{d})
	return a
}

func (a act) disowns(d byte) act {
	a.disown = append(a.disown, lifecycle.Digest{d})
	return a
}

func saw(integration string, version uint64, begin, end int64) act {
	a := did(integration, version, begin, end)
	a.kind = loaded
	return a
}

func refused(integration string, expected uint64, begin, end int64) act {
	a := did(integration, expected, begin, end)
	a.kind = conflicted
	return a
}

func told(kind kind, integration string, d byte, owner string, begin, end int64) act {
	return act{kind: kind, integration: integration, digest: lifecycle.Digest{d}, owner: owner, begin: begin, end: end}
}

func TestLinearizable(t *testing.T) {
	for _, test := range []struct {
		name    string
		history []act
		want    string // part of the error, "" for none
	}{
		{"nothing", nil, ""},
		{"one after the other", []act{did("a", 1, 1, 2), saw("a", 1, 3, 4), did("a", 2, 5, 6), saw("a", 2, 7, 8)}, ""},
		{"a load that overlaps sees either", []act{did("a", 1, 1, 10), saw("a", 0, 2, 3), saw("a", 1, 4, 5)}, ""},
		{"a conflict with what comes at the same time", []act{did("a", 1, 1, 10), refused("a", 0, 2, 9)}, ""},
		{"a conflict with a version never reached", []act{did("a", 1, 1, 2), refused("a", 7, 3, 4)}, ""},
		{"a conflict that holds a commit back", []act{did("a", 1, 1, 10), refused("a", 1, 3, 4), saw("a", 1, 11, 12)}, ""},
		{"a commit that never returned", []act{did("a", 1, 1, never), saw("a", 0, 2, 3), saw("a", 1, 4, 5)}, ""},
		{"other integrations have other versions", []act{did("a", 1, 1, 2), did("b", 1, 3, 4), saw("b", 0, 1, 2)}, ""},

		{"two commits made one version", []act{did("a", 1, 1, 5), did("a", 1, 2, 6)}, "in the place of"},
		{"a version was left out", []act{did("a", 1, 1, 2), did("a", 3, 3, 4)}, "in the place of"},
		{"a later version was over before an earlier one began", []act{did("a", 2, 1, 2), did("a", 1, 3, 4)}, "no instant"},
		{"a load of what nobody committed", []act{did("a", 1, 1, 2), saw("a", 2, 3, 4)}, "is the last that was committed"},
		{"a load before the commit began", []act{saw("a", 1, 1, 2), did("a", 1, 3, 4)}, "no instant"},
		{"a load of what was replaced", []act{did("a", 1, 1, 2), did("a", 2, 3, 4), saw("a", 1, 5, 6)}, "no instant"},
		{"a load of nothing after the first commit", []act{did("a", 1, 1, 2), saw("a", 0, 3, 4)}, "no instant"},
		{"loads that go back", []act{did("a", 1, 1, 20), saw("a", 1, 2, 3), saw("a", 0, 4, 5)}, "no instant"},
		{"a load of another record", []act{did("a", 1, 1, 2), {kind: loaded, integration: "a", version: 1, begin: 3, end: 4}}, "another commit"},
		{"a conflict with the version that was there", []act{did("a", 1, 1, 2), refused("a", 1, 3, 4), did("a", 2, 5, 6)}, "no instant"},
		{"a conflict with the last version", []act{did("a", 1, 1, 2), refused("a", 1, 3, 4)}, "no instant"},
		{"a conflict where there was nothing", []act{refused("a", 0, 1, 2), did("a", 1, 3, 4)}, "a conflict with version 0"},
		{"a conflict that a load contradicts", []act{did("a", 1, 1, 10), saw("a", 1, 2, 3), refused("a", 1, 4, 5)}, "no instant"},
		{"two conflicts that contradict each other", []act{did("a", 1, 1, 10), refused("a", 1, 5, 6), refused("a", 0, 2, 3)}, "a conflict with version 0"},

		{"a digest changes hands", []act{
			did("a", 1, 1, 2).claims(7), told(asked, "", 7, "a", 3, 4), told(owned, "b", 7, "a", 3, 5),
			did("a", 2, 6, 9).disowns(7), told(asked, "", 7, "", 7, 12), did("b", 1, 8, 11).claims(7), told(asked, "", 7, "b", 13, 14),
		}, ""},
		{"a digest comes back", []act{did("a", 1, 1, 2).claims(7), did("a", 2, 3, 4).disowns(7), did("a", 3, 5, 6).claims(7), told(asked, "", 7, "a", 7, 8)}, ""},
		{"a digest with two owners", []act{did("a", 1, 1, 2).claims(7), did("b", 1, 3, 4).claims(7)}, "at the same time"},
		{"a digest with two owners for a moment", []act{did("a", 1, 1, 2).claims(7), did("b", 1, 3, 8).claims(7), did("b", 2, 4, 7).disowns(7), did("a", 2, 20, 21).disowns(7)}, "all the while"},
		{"a digest given back too late", []act{did("a", 1, 1, 2).claims(7), did("b", 1, 3, 4).claims(7), did("a", 2, 5, 6).disowns(7)}, "at the same time"},
		{"an owner who never claimed", []act{did("a", 1, 1, 2), told(asked, "", 7, "a", 3, 4)}, "was not at any time"},
		{"an owner who claimed later", []act{told(asked, "", 7, "a", 1, 2), did("a", 1, 3, 4).claims(7)}, "was not at any time"},
		{"an owner who was none any more", []act{did("a", 1, 1, 2).claims(7), did("a", 2, 3, 4).disowns(7), told(asked, "", 7, "a", 5, 6)}, "was not at any time"},
		{"nobody, while there was an owner", []act{did("a", 1, 1, 2).claims(7), told(asked, "", 7, "", 3, 4)}, "all the while"},
		{"another than the owner", []act{did("a", 1, 1, 2).claims(7), did("b", 1, 1, 9).claims(7), did("b", 2, 1, 9).disowns(7), told(asked, "", 7, "b", 3, 4)}, "all the while"},
		{"a refusal for an owner who was none", []act{did("a", 1, 1, 2), told(owned, "b", 7, "a", 3, 4)}, "was not at any time"},
		{"a refusal of the owner himself", []act{did("a", 1, 1, 2).claims(7), told(owned, "a", 7, "a", 3, 4)}, "was refused"},
	} {
		t.Run(test.name, func(t *testing.T) {
			err := linearizable(test.history)
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
		if err := linearizable(history); err != nil {
			t.Fatalf("seed %d: a true history was refused: %v\n%+v", seed, err, history)
		}
		tamper(rng, history)
		err, want := linearizable(history), search(history)
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
	t.Logf("%d bad histories, of which %d were accepted, all with digests", bad, missed)
	if bad < 2000 || missed > bad/50 {
		t.Errorf("%d bad histories, of which %d were accepted", bad, missed)
	}
}

// randomHistory makes up the calls in their true order, and then lets each
// begin earlier and end later.
func randomHistory(rng *rand.Rand, withDigests bool) []act {
	var m model
	history := make([]act, 0, 7)
	for len(history) < cap(history) {
		at := int64(len(history)) * 1000
		a := act{begin: at - rng.Int64N(2500), end: at + 1 + rng.Int64N(2500)}
		a.integration = string("ab"[rng.IntN(2)])
		version := m.versions[a.integration]
		d := lifecycle.Digest{7}
		switch rng.IntN(8) {
		case 0, 1, 2:
			a.version, a.id = version+1, store.EntryID{byte(len(history) + 1)}
			if rng.IntN(10) == 0 {
				a.end = never
			}
			if owner := m.owners[d]; withDigests && (owner == "" || owner == a.integration) {
				if rng.IntN(2) == 0 {
					a.claim = []lifecycle.Digest{d}
				} else {
					a.disown = []lifecycle.Digest{d}
				}
			}
		case 3:
			a.kind, a.version = conflicted, uint64(rng.IntN(3))
			if a.version == version {
				continue
			}
		case 4, 5:
			a.kind, a.version = loaded, version
			a.id = m.ids[a.integration]
		default:
			if !withDigests {
				continue
			}
			a.kind, a.digest, a.owner = asked, d, m.owners[d]
			if a.owner != "" && a.owner != a.integration {
				a.kind = owned
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
		ticks = append(ticks, &history[i].begin)
		if history[i].end != never {
			ticks = append(ticks, &history[i].end)
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
func tamper(rng *rand.Rand, history []act) {
	a, b := &history[rng.IntN(len(history))], &history[rng.IntN(len(history))]
	switch {
	case a.kind == loaded && rng.IntN(3) == 0, a.kind == conflicted && rng.IntN(3) == 0:
		a.version = uint64(rng.IntN(4))
	case a.kind == asked && rng.IntN(2) == 0:
		a.owner = []string{"", "a", "b"}[rng.IntN(3)]
	default:
		a.begin, b.begin, a.end, b.end = b.begin, a.begin, b.end, a.end
	}
}

// model is a store that does one thing after the other.
type model struct {
	versions map[string]uint64
	ids      map[string]store.EntryID
	owners   map[lifecycle.Digest]string
}

// apply returns whether the answer is the one that the model gives, too.
func (m *model) apply(a act) bool {
	if m.versions == nil {
		*m = model{map[string]uint64{}, map[string]store.EntryID{}, map[lifecycle.Digest]string{}}
	}
	version := m.versions[a.integration]
	switch a.kind {
	case committed:
		for _, d := range a.claim {
			if owner := m.owners[d]; owner != "" && owner != a.integration {
				return false
			}
		}
		if a.version != version+1 {
			return false
		}
		m.versions[a.integration], m.ids[a.integration] = a.version, a.id
		for _, d := range a.disown {
			if m.owners[d] == a.integration {
				delete(m.owners, d)
			}
		}
		for _, d := range a.claim {
			m.owners[d] = a.integration
		}
		return true
	case conflicted:
		return version != a.version
	case loaded:
		return version == a.version && (version == 0 || m.ids[a.integration] == a.id)
	case owned:
		return m.owners[a.digest] == a.owner && a.owner != "" && a.owner != a.integration
	default:
		return m.owners[a.digest] == a.owner
	}
}

// search looks for an order of the calls that the model agrees with.
func search(history []act) bool {
	var try func(done []act, left []act) bool
	try = func(done, left []act) bool {
		if len(left) == 0 {
			return true
		}
		for i, a := range left {
			if slices.ContainsFunc(left, func(b act) bool { return b.end < a.begin }) {
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
