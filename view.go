package keyrack

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/maphash"
	"slices"
	"sync"
	"sync/atomic"

	"github.com/keyrack-dev/keyrack/internal/index"
	"github.com/keyrack-dev/keyrack/lifecycle"
)

// view is what the store has, in memory: what every question is answered from.
// Readers take no lock.
type view struct {
	byID     index.Table[string, hook]
	byDigest index.Table[lifecycle.Digest, hook]
	seed     maphash.Seed

	mu         sync.Mutex
	enterprise map[string][]string // integrations of an enterprise, in order of arrival
}

// hook is where the keys of one integration hang. Records are replaced, never
// changed.
type hook struct {
	record atomic.Pointer[Record]
	// token is the sealed value of the token that was handed out last.
	token atomic.Pointer[sealedToken]
}

type sealedToken struct {
	digest lifecycle.Digest
	sealed []byte
}

func (v *view) hash(id string) uint32 { return uint32(maphash.String(v.seed, id) >> 32) }

// digestHash is a part of the digest, which is evenly spread as it is.
func digestHash(d *lifecycle.Digest) uint32 { return binary.LittleEndian.Uint32(d[:]) }

// hook returns the hook of an integration, or nil.
func (v *view) hook(id string) *hook { return v.byID.Get(v.hash(id), id) }

// record returns the record of an integration, or nil.
func (v *view) record(id string) *Record {
	if h := v.hook(id); h != nil {
		return h.record.Load()
	}
	return nil
}

// owner returns the record of the integration that a digest belongs to, or nil.
func (v *view) owner(d lifecycle.Digest) *Record {
	if h := v.byDigest.Get(digestHash(&d), d); h != nil {
		return h.record.Load()
	}
	return nil
}

// publish takes up a record, unless a newer one is there already.
func (v *view) publish(next Record) {
	v.mu.Lock()
	defer v.mu.Unlock()
	h := v.hook(next.ID)
	var before *Record
	if h == nil {
		h = new(hook)
	} else if before = h.record.Load(); before.Version >= next.Version {
		return
	}
	h.record.Store(&next)
	if held := h.token.Load(); held != nil && held.digest != currentOf(&next) {
		h.token.Store(nil) // nobody is handed it any more
	}
	if before == nil {
		v.byID.Put(v.hash(next.ID), next.ID, h)
	}
	for i := range next.Keys {
		if d := next.Keys[i].Digest; before == nil || !holds(before, d) {
			v.byDigest.Put(digestHash(&d), d, h)
		}
	}
	if before != nil {
		for i := range before.Keys {
			// Another integration may have taken it up, and been heard of first.
			if d := before.Keys[i].Digest; !holds(&next, d) && v.byDigest.Get(digestHash(&d), d) == h {
				v.byDigest.Delete(digestHash(&d), d)
			}
		}
	}
	was := ""
	if before != nil {
		was = before.Enterprise.ID
	}
	if is := next.Enterprise.ID; is != was {
		v.move(next.ID, was, is)
	}
}

// drop forgets an integration.
func (v *view) drop(id string) {
	v.mu.Lock()
	defer v.mu.Unlock()
	h := v.hook(id)
	if h == nil {
		return
	}
	record := h.record.Load()
	for i := range record.Keys {
		if d := record.Keys[i].Digest; v.byDigest.Get(digestHash(&d), d) == h {
			v.byDigest.Delete(digestHash(&d), d)
		}
	}
	v.byID.Delete(v.hash(id), id)
	v.move(id, record.Enterprise.ID, "")
}

// move puts an integration under its enterprise. v.mu is held.
func (v *view) move(id, from, to string) {
	if v.enterprise == nil {
		v.enterprise = make(map[string][]string)
	}
	if from != "" { // forgotten
		v.enterprise[from] = slices.DeleteFunc(v.enterprise[from], func(other string) bool { return other == id })
		if len(v.enterprise[from]) == 0 {
			delete(v.enterprise, from)
		}
	}
	if to != "" {
		v.enterprise[to] = append(v.enterprise[to], id)
	}
}

func holds(r *Record, d lifecycle.Digest) bool {
	_, ok := r.Key(d)
	return ok
}

// load reads all integrations of the store into the view.
func (r *Rack) load(ctx context.Context) error {
	unreadable := 0
	for stored, err := range r.store.Scan(ctx, "") {
		if err != nil {
			return fmt.Errorf("keyrack: reading the store: %w", err)
		}
		record, err := lifecycle.ParseRecord(stored.Record)
		if errors.Is(err, lifecycle.ErrNewer) {
			unreadable++
			r.view.drop(stored.Integration)
			continue
		}
		if err != nil {
			return fmt.Errorf("keyrack: reading the store: %w", err)
		}
		r.publish(record)
	}
	if unreadable > 0 {
		r.log.WarnContext(ctx, "a newer version of keyrack wrote some records; their tokens are Unknown here", "records", unreadable)
	}
	return nil
}
