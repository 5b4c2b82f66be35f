// Package view keeps the newest record of every integration in memory, so that a
// question is answered without I/O.
//
// Records come in from two sides: what this instance has committed, and what it reads
// in the journal of other instances. They may come twice and in any order, because the
// view keeps a record only if its version is newer. What goes out is a pointer to a
// record that nobody changes any more: a new record takes its place.
//
//	id ─────┐
//	        ├──► slot ──► record, and the sealed token that was returned last
//	digest ─┘
//
// An integration has one slot from its first record until it is dropped. Two tables
// lead to it, by the integration's id and by the digest of each token that it holds.
// Readers take no lock and allocate nothing, except for those that want a page of the ids in
// their order, which a third table has; writers take one lock for all, which they
// hold for as long as it takes to change the tables.
//
// A record that leaves the process's own code is handed out as a [Copy].
package view

import (
	"encoding/binary"
	"hash/maphash"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/keyrack-dev/keyrack/internal/index"
	"github.com/keyrack-dev/keyrack/lifecycle"
)

// View holds records. Make one with New. All methods are safe for concurrent use.
type View struct {
	byID     index.Table[string, Slot]
	byDigest index.Table[lifecycle.Digest, Slot]
	ordered  index.Sorted[string, Slot]
	seed     maphash.Seed
	began    time.Time
	gone     atomic.Int64 // integrations that nothing is left of
	unseen   atomic.Int64 // those that IntegrationCreated has not come for

	mu         sync.Mutex
	enterprise map[string][]string // integrations of an enterprise, in order of arrival
	over       map[string]int      // how many of an enterprise are deleted or canceled
	labelled   map[string][]string // those with a label, by "key=value", in order of arrival
}

// New returns an empty view.
func New() *View {
	return &View{seed: maphash.MakeSeed(), began: time.Now(), enterprise: make(map[string][]string), over: make(map[string]int), labelled: make(map[string][]string)}
}

// hash returns a number that is the same for the same id, and evenly spread over ids.
func (v *View) hash(id string) uint32 { return uint32(maphash.String(v.seed, id) >> 32) }

// digestHash is a part of the digest, which is evenly spread as it is.
func digestHash(d *lifecycle.Digest) uint32 { return binary.LittleEndian.Uint32(d[:]) }

// Slot returns an integration's slot, or nil. One whose integration was forgotten is not
// shown: all that is left of it is a version, so that no older record takes its place. The id
// of a nameless integration leads to the one that it turned out to be.
func (v *View) Slot(id string) *Slot {
	s := v.slot(id)
	if s != nil && s.Record().Alias != "" {
		s = v.slot(s.Record().Alias)
	}
	if s != nil && !forgotten(s.Record()) {
		return s
	}
	return nil
}

// Version returns the version of what is known under an id, even if that is nothing more.
func (v *View) Version(id string) uint64 {
	if s := v.slot(id); s != nil {
		return s.Record().Version
	}
	return 0
}

// Name returns the id of the integration that a nameless one turned out to be, and any other
// id as it is.
func (v *View) Name(id string) string {
	if s := v.slot(id); s != nil && s.Record().Alias != "" {
		return s.Record().Alias
	}
	return id
}

// Unseen returns how many integrations IntegrationCreated has not come for.
func (v *View) Unseen() int { return int(v.unseen.Load()) }

func (v *View) slot(id string) *Slot { return v.byID.Get(v.hash(id), id) }

// forgotten reports whether a record says nothing, which is so after everything about its
// integration was erased.
func forgotten(r *lifecycle.Record) bool {
	return r.State == lifecycle.Unseen && r.Arrived == 0 && r.Basis == (lifecycle.Basis{}) && len(r.Keys) == 0 && len(r.Parked) == 0
}

// Record returns an integration's record, or nil. Nobody may write to it.
func (v *View) Record(id string) *lifecycle.Record {
	if s := v.Slot(id); s != nil {
		return s.Record()
	}
	return nil
}

// Owner returns the record of the integration that a digest belongs to, or nil.
// Nobody may write to it.
func (v *View) Owner(d lifecycle.Digest) *lifecycle.Record {
	if s := v.byDigest.Get(digestHash(&d), d); s != nil {
		return s.Record()
	}
	return nil
}

// Len returns the number of integrations.
func (v *View) Len() int { return v.byID.Len() - int(v.gone.Load()) }

// All calls yield with every record, in no given order, until it returns false.
// Records that come meanwhile may be left out. Nobody may write to them.
func (v *View) All(yield func(*lifecycle.Record) bool) {
	v.byID.All(func(s *Slot) bool {
		record := s.Record()
		return forgotten(record) || yield(record)
	})
}

// Every is All with those that were forgotten.
func (v *View) Every(yield func(*lifecycle.Record) bool) {
	v.byID.All(func(s *Slot) bool { return yield(s.Record()) })
}

// Held returns what is known under an id, though it was forgotten or goes by another name, and the id of the entry
// that made its version; false if there is none.
func (v *View) Held(id string) (record *lifecycle.Record, made [16]byte, ok bool) {
	s := v.slot(id)
	if s == nil {
		return nil, made, false
	}
	record, made = s.Version()
	return record, made, true
}

// After calls yield with every record whose id comes after one, in byte order of the ids,
// until it returns false. Records that come meanwhile may be left out. Nobody may write to
// them.
func (v *View) After(id string, yield func(*lifecycle.Record) bool) {
	v.ordered.After(id, func(s *Slot) bool {
		record := s.Record()
		return forgotten(record) || yield(record)
	})
}

// Enterprise returns the records of an enterprise's integrations, in the order in
// which their enterprise became known. Nobody may write to them.
func (v *View) Enterprise(id string) []*lifecycle.Record { return v.records(v.enterprise, id) }

// ByLabel returns the records of the integrations that have a label, in the order in which
// they got it. Nobody may write to them.
func (v *View) ByLabel(key, value string) []*lifecycle.Record {
	return v.records(v.labelled, key+"="+value)
}

func (v *View) records(by map[string][]string, key string) []*lifecycle.Record {
	v.mu.Lock()
	ids := slices.Clone(by[key])
	v.mu.Unlock()
	records := make([]*lifecycle.Record, 0, len(ids))
	for _, id := range ids {
		if record := v.Record(id); record != nil {
			records = append(records, record)
		}
	}
	return records
}

// Publish takes up a record, unless the view has it already, or a newer one, and reports
// whether it did. Made is the id of the entry that made the record's version; zero if that
// is not known. Foreign says that it rests on what another process may have taken in, and not
// only on what the view has and this process added. The caller must not write to what the
// record refers to afterwards.
func (v *View) Publish(next lifecycle.Record, made [16]byte, foreign bool) bool {
	v.mu.Lock()
	defer v.mu.Unlock()
	if s := v.slot(next.ID); s != nil && s.Record().Version >= next.Version {
		return false
	}
	v.put(next, made, foreign)
	return true
}

// Replace takes up a record whatever the view has: it is of another history.
func (v *View) Replace(next lifecycle.Record, made [16]byte) {
	v.mu.Lock()
	defer v.mu.Unlock()
	v.put(next, made, true)
}

// put puts a record in its place. v.mu is held.
func (v *View) put(next lifecycle.Record, made [16]byte, foreign bool) {
	s := v.slot(next.ID)
	var before *lifecycle.Record
	ground, known := &lifecycle.Record{}, time.Duration(0)
	if s == nil {
		s = new(Slot)
	} else {
		h := s.holds.Load()
		before, ground, known = &h.record, &h.record, h.known
	}
	if foreign && !sameGround(ground, &next) {
		known = max(1, time.Since(v.began))
	}
	s.holds.Store(&holding{next, made, known})
	v.count(before, &next)
	if held := s.token.Load(); held != nil && held.Digest != currentOf(&next) {
		s.token.Store(nil) // nobody is given it any more
	}
	if before == nil {
		v.byID.Put(v.hash(next.ID), next.ID, s)
		v.ordered.Put(next.ID, s)
	}
	for i := range next.Keys {
		if d := next.Keys[i].Digest; before == nil || !holds(before, d) {
			v.byDigest.Put(digestHash(&d), d, s)
		}
	}
	was := ""
	if before != nil {
		was = before.Enterprise.ID
		for i := range before.Keys {
			if d := before.Keys[i].Digest; !holds(&next, d) {
				v.disown(d, s)
			}
		}
	}
	if is := next.Enterprise.ID; is != was {
		move(v.enterprise, next.ID, was, is)
	}
	v.end(overAt(before), overAt(&next))
	labels := lifecycle.Labels("")
	if before != nil {
		labels = before.Labels
	}
	v.relabel(next.ID, labels, next.Labels)
}

// Drop forgets an integration.
func (v *View) Drop(id string) {
	v.mu.Lock()
	defer v.mu.Unlock()
	s := v.slot(id)
	if s == nil {
		return
	}
	record := s.Record()
	v.count(record, nil)
	for i := range record.Keys {
		v.disown(record.Keys[i].Digest, s)
	}
	v.byID.Delete(v.hash(id), id)
	v.ordered.Delete(id)
	move(v.enterprise, id, record.Enterprise.ID, "")
	v.end(overAt(record), "")
	v.relabel(id, record.Labels, "")
}

// count keeps the numbers of those that were forgotten, and that are unseen. v.mu is held.
func (v *View) count(before, after *lifecycle.Record) {
	v.add(before, -1)
	v.add(after, 1)
}

func (v *View) add(r *lifecycle.Record, n int64) {
	switch {
	case r == nil:
	case forgotten(r):
		v.gone.Add(n)
	case r.State == lifecycle.Unseen:
		v.unseen.Add(n)
	}
}

// disown takes a digest from a slot. Another integration may have taken it up, and
// been heard of first; then it stays with that one. v.mu is held.
func (v *View) disown(d lifecycle.Digest, s *Slot) {
	if v.byDigest.Get(digestHash(&d), d) == s {
		v.byDigest.Delete(digestHash(&d), d)
	}
}

// relabel puts an integration under its labels. v.mu is held.
func (v *View) relabel(id string, was, is lifecycle.Labels) {
	if was == is {
		return
	}
	for key, value := range was.All() {
		if now, ok := is.Get(key); !ok || now != value {
			move(v.labelled, id, key+"="+value, "")
		}
	}
	for key, value := range is.All() {
		if before, ok := was.Get(key); !ok || before != value {
			move(v.labelled, id, "", key+"="+value)
		}
	}
}

// move moves an integration from one key of an index to another; "" is none.
func move(by map[string][]string, id, from, to string) {
	if from != "" {
		by[from] = slices.DeleteFunc(by[from], func(other string) bool { return other == id })
		if len(by[from]) == 0 {
			delete(by, from)
		}
	}
	if to != "" {
		by[to] = append(by[to], id)
	}
}

func holds(r *lifecycle.Record, d lifecycle.Digest) bool {
	_, ok := r.Key(d)
	return ok
}

// currentOf returns the digest of a record's current token; zero for none.
func currentOf(r *lifecycle.Record) lifecycle.Digest {
	k, _ := r.CurrentKey()
	return k.Digest
}
