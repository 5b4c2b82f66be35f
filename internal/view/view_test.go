package view_test

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/keyrack-dev/keyrack/internal/view"
	"github.com/keyrack-dev/keyrack/lifecycle"
)

// model is a view as maps, which searches everything.
type model struct {
	records    map[string]lifecycle.Record
	owners     map[lifecycle.Digest]string // where the latest record put them
	enterprise map[string][]string
	labelled   map[string][]string
}

func (m *model) publish(next lifecycle.Record) {
	before, known := m.records[next.ID]
	if known && before.Version >= next.Version {
		return
	}
	m.lose(next.ID, before, next)
	for _, k := range next.Keys {
		if _, had := before.Key(k.Digest); !had {
			m.owners[k.Digest] = next.ID
		}
	}
	m.move(next.ID, before.Enterprise.ID, next.Enterprise.ID)
	m.relabel(next.ID, before.Labels, next.Labels)
	m.records[next.ID] = next
}

func (m *model) drop(id string) {
	before := m.records[id]
	m.lose(id, before, lifecycle.Record{})
	m.move(id, before.Enterprise.ID, "")
	m.relabel(id, before.Labels, "")
	delete(m.records, id)
}

func (m *model) lose(id string, before, next lifecycle.Record) {
	for _, k := range before.Keys {
		if _, keeps := next.Key(k.Digest); !keeps && m.owners[k.Digest] == id {
			delete(m.owners, k.Digest)
		}
	}
}

func (m *model) relabel(id string, was, is lifecycle.Labels) {
	before, after := strings.Split(string(was), ","), strings.Split(string(is), ",")
	for _, pair := range before {
		if !slices.Contains(after, pair) {
			m.labelled[pair] = slices.DeleteFunc(m.labelled[pair], func(other string) bool { return other == id })
		}
	}
	for _, pair := range after {
		if !slices.Contains(before, pair) {
			m.labelled[pair] = append(m.labelled[pair], id)
		}
	}
}

func (m *model) move(id, from, to string) {
	if from == to {
		return
	}
	m.enterprise[from] = slices.DeleteFunc(m.enterprise[from], func(other string) bool { return other == id })
	m.enterprise[to] = append(m.enterprise[to], id)
}

var (
	ids         = []string{"a", "b", "c", "d"}
	enterprises = []string{"", "H", "I"}
	labels      = []lifecycle.Labels{"", "a=1", "a=2", "a=1,b="}
)

func digestOf(n int) lifecycle.Digest { return lifecycle.Digest{byte(n), 1} }

// TestViewIsItsModel: whatever comes, in whatever order, is found under each of its
// names, and what is gone is not.
func TestViewIsItsModel(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		v, m := view.New(), model{map[string]lifecycle.Record{}, map[lifecycle.Digest]string{}, map[string][]string{}, map[string][]string{}}
		publish := func(t *rapid.T) {
			record := lifecycle.Record{
				ID:         rapid.SampledFrom(ids).Draw(t, "id"),
				Version:    rapid.Uint64Range(1, 8).Draw(t, "version"),
				Arrived:    1,
				Enterprise: lifecycle.Named{ID: rapid.SampledFrom(enterprises).Draw(t, "enterprise")},
				Labels:     rapid.SampledFrom(labels).Draw(t, "labels"),
			}
			for _, n := range rapid.SliceOfNDistinct(rapid.IntRange(0, 5), 0, 3, rapid.ID).Draw(t, "tokens") {
				record.Keys = append(record.Keys, lifecycle.Key{Digest: digestOf(n), Status: lifecycle.Current})
			}
			v.Publish(record, [16]byte{}, false)
			m.publish(record)
		}
		drop := func(t *rapid.T) {
			id := rapid.SampledFrom(ids).Draw(t, "id")
			v.Drop(id)
			m.drop(id)
		}
		t.Repeat(map[string]func(*rapid.T){"publish": publish, "publish again": publish, "drop": drop, "": func(t *rapid.T) {
			if v.Len() != len(m.records) {
				t.Errorf("%d integrations, want %d", v.Len(), len(m.records))
			}
			all := map[string]lifecycle.Record{}
			for record := range v.All {
				all[record.ID] = *record
			}
			if diff := cmp.Diff(m.records, all, whole); diff != "" {
				t.Errorf("All (-want +got):\n%s", diff)
			}
			for _, id := range ids {
				want, known := m.records[id]
				if record := v.Record(id); (record != nil) != known || known && !cmp.Equal(*record, want, whole) {
					t.Errorf("record of %s: %v, want %v", id, record, want)
				}
			}
			for n := range 6 {
				owner := ""
				if record := v.Owner(digestOf(n)); record != nil {
					owner = record.ID
				}
				if want := m.owners[digestOf(n)]; owner != want {
					t.Errorf("token %d belongs to %q, want %q", n, owner, want)
				}
			}
			for _, pair := range []string{"a=1", "a=2", "b="} {
				key, value, _ := strings.Cut(pair, "=")
				var got []string
				for _, record := range v.ByLabel(key, value) {
					got = append(got, record.ID)
				}
				if !slices.Equal(got, m.labelled[pair]) {
					t.Errorf("%s has %v, want %v", pair, got, m.labelled[pair])
				}
			}
			for _, id := range enterprises[1:] {
				var got []string
				for _, record := range v.Enterprise(id) {
					got = append(got, record.ID)
				}
				if !slices.Equal(got, m.enterprise[id]) {
					t.Errorf("%s has %v, want %v", id, got, m.enterprise[id])
				}
			}
		}})
	})
}

// TestTokenInMemory: a sealed token is kept for as long as it is the current one, and
// dropped only by those who have seen it.
func TestTokenInMemory(t *testing.T) {
	v := view.New()
	record := func(version uint64, current int) lifecycle.Record {
		return lifecycle.Record{ID: "a", Version: version, Keys: []lifecycle.Key{{Digest: digestOf(current), Status: lifecycle.Current}}}
	}
	v.Publish(record(1, 1), [16]byte{}, false)
	slot, first := v.Slot("a"), &view.Sealed{Digest: digestOf(1), Token: []byte("sealed")}
	slot.KeepToken(first)
	v.Publish(record(2, 1), [16]byte{}, false)
	if v.Slot("a") != slot || slot.Token() != first {
		t.Error("another record, and the token is gone")
	}
	again := &view.Sealed{Digest: digestOf(1), Token: []byte("sealed anew")}
	slot.KeepToken(again)
	if slot.DropToken(first); slot.Token() != again {
		t.Error("a token was dropped for another one")
	}
	if slot.DropToken(again); slot.Token() != nil {
		t.Error("a token was not dropped")
	}
	slot.KeepToken(again)
	if v.Publish(record(3, 2), [16]byte{}, false); slot.Token() != nil {
		t.Error("a token that is no longer the current one is kept")
	}
}

// TestLookUpsAllocateNothing: they are what every call of the application waits for.
func TestLookUpsAllocateNothing(t *testing.T) {
	v := view.New()
	for i := range 1000 {
		v.Publish(lifecycle.Record{ID: fmt.Sprint(i), Version: 1, Keys: []lifecycle.Key{{Digest: lifecycle.Digest{byte(i), byte(i >> 8), 1}}}}, [16]byte{}, false)
	}
	found := 0
	if n := testing.AllocsPerRun(100, func() {
		if v.Record("7") != nil && v.Owner(lifecycle.Digest{7, 0, 1}) != nil && v.Owner(lifecycle.Digest{7, 0, 2}) == nil {
			found++
		}
	}); n != 0 || found == 0 {
		t.Errorf("%v allocations; found %d times", n, found)
	}
}

// TestReadersBesideWriters: who looks up while records come and go sees whole records,
// and never an older one after a newer one.
func TestReadersBesideWriters(t *testing.T) {
	v := view.New()
	done := make(chan struct{})
	go func() {
		defer close(done)
		for version := range uint64(2000) {
			for _, id := range ids {
				v.Publish(lifecycle.Record{ID: id, Version: version + 1, Keys: []lifecycle.Key{{Digest: digestOf(int(version % 7)), Since: lifecycle.Instant(version + 1)}}}, [16]byte{}, false)
			}
		}
	}()
	newest := map[string]uint64{}
	for reading := true; reading; {
		select {
		case <-done:
			reading = false
		default:
		}
		for _, id := range ids {
			record := v.Record(id)
			if record == nil {
				continue
			}
			if record.Version < newest[id] || record.Keys[0].Since != lifecycle.Instant(record.Version) {
				t.Errorf("version %d of %s after %d, with the key of %d", record.Version, id, newest[id], record.Keys[0].Since)
				reading = false
			}
			newest[id] = record.Version
		}
	}
	<-done
	for id := range maps.Keys(newest) {
		if v.Record(id).Version != 2000 {
			t.Errorf("%s ends at version %d", id, v.Record(id).Version)
		}
	}
}
