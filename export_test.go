package keyrack

import (
	"crypto/sha256"
	"encoding/binary"

	"github.com/keyrack-dev/keyrack/internal/index"
	"github.com/keyrack-dev/keyrack/internal/view"
	"github.com/keyrack-dev/keyrack/lifecycle"
	"github.com/keyrack-dev/keyrack/store"
)

// What tests outside the package need of its inside.

// ParseEntry reads an entry of a store's journal.
var ParseEntry = changeOf

// NoteAnswers notes at once what the background would note within a second.
func (r *Rack) NoteAnswers() { r.answers.Flush() }

// FillView puts records into the view, as if they had been read from a store.
func (r *Rack) FillView(records func(yield func(Record) bool)) {
	for record := range records {
		r.view.Publish(record, store.EntryID{}, true)
	}
}

// Digest is the digest under which the view has a token.
func (r *Rack) Digest(token string) lifecycle.Digest { return r.digester.Sum(token) }

// LookUp is what Check does before it asks the record: the digest, and the index.
func (r *Rack) LookUp(token string) bool {
	d := r.digester.Sum(token)
	return r.view.Owner(d) != nil
}

// FillIndex fills an index of n tokens, all of one integration, and returns it.
func FillIndex(n int) any {
	t, slot := new(index.Table[lifecycle.Digest, view.Slot]), new(view.Slot)
	for i := range n {
		d := lifecycle.Digest(sha256.Sum256(binary.BigEndian.AppendUint64(nil, uint64(i))))
		t.Put(binary.LittleEndian.Uint32(d[:]), d, slot)
	}
	return t
}

// MayNameRequestor and PresentedIn are quick where packages are thorough.
var (
	MayNameRequestor = mayNameRequestor
	PresentedIn      = presentedIn
)

// Len returns the number of integrations, the deleted ones included.
func (r *Rack) Len() int { return r.view.Len() }

// Advice is what support staff are told of a reason.
func Advice(r lifecycle.Reason) string { return advice[r] }
