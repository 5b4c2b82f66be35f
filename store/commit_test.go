package store_test

import (
	"bytes"
	"errors"
	"slices"
	"testing"
	"time"

	"github.com/keyrack-dev/keyrack/lifecycle"
	"github.com/keyrack-dev/keyrack/store"
)

func TestEntryID(t *testing.T) {
	at := time.Date(2026, 3, 1, 12, 0, 0, 123456789, time.UTC)
	var ids []store.EntryID
	for i := range 1000 {
		now := at.Add(time.Duration(i) * time.Millisecond)
		id := store.NewEntryID(now)
		ids = append(ids, id)
		if id.IsZero() || id[6]>>4 != 7 || id[8]>>6 != 2 {
			t.Fatalf("%v is no UUID of version 7", id)
		}
		milli := int64(id[0])<<40 | int64(id[1])<<32 | int64(id[2])<<24 | int64(id[3])<<16 | int64(id[4])<<8 | int64(id[5])
		if milli != now.UnixMilli() {
			t.Errorf("%v says %d ms, want %d", id, milli, now.UnixMilli())
		}
		var back store.EntryID
		text, err := id.MarshalText()
		if err != nil || string(text) != id.String() {
			t.Errorf("MarshalText: %q, error %v; String: %q", text, err, id.String())
		}
		if err := back.UnmarshalText(text); err != nil || back != id {
			t.Errorf("UnmarshalText(%q): %v, error %v", text, back, err)
		}
	}
	if !slices.IsSortedFunc(ids, func(a, b store.EntryID) int { return bytes.Compare(a[:], b[:]) }) {
		t.Error("later ids are not greater")
	}
	if a, b := store.NewEntryID(at), store.NewEntryID(at); a == b {
		t.Error("two ids are the same")
	}
}

// FuzzEntryID: what is read is what was written, and what is refused changes
// nothing and is not quoted.
func FuzzEntryID(f *testing.F) {
	for _, text := range []string{
		"", "01a20a4c-51a3-77ec-97d9-cabafb3aa876", "01A20A4C-51A3-77EC-97D9-CABAFB3AA876",
		"01a20a4c51a377ec97d9cabafb3aa876", "01a20a4c-51a3-77ec-97d9-cabafb3aa87", "01a20a4c-51a3-77ec-97d9-cabafb3aa87g",
		"01a20a4c-51a3-77ec-97d9--abafb3aa876", "{1a20a4c-51a3-77ec-97d9-cabafb3aa87}",
	} {
		f.Add([]byte(text))
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		before := store.EntryID{1, 2, 3}
		id := before
		if err := id.UnmarshalText(text); err != nil {
			if id != before {
				t.Errorf("an id that is half filled: %v", id)
			}
			if silent := new(store.EntryID).UnmarshalText(nil); err.Error() != silent.Error() {
				t.Errorf("the error depends on its input: %v", err)
			}
			return
		}
		if got := id.String(); got != string(bytes.ToLower(text)) {
			t.Errorf("%q is read as %q", text, got)
		}
	})
}

func TestCommitCheck(t *testing.T) {
	one, two := lifecycle.Digest{1}, lifecycle.Digest{2}
	id := store.NewEntryID(time.Now())
	nameless := store.Entry{ID: id}
	entry := store.Entry{ID: id, Integration: "a"}
	for _, test := range []struct {
		name   string
		commit store.Commit
		valid  bool
	}{
		{"an entry alone", store.Commit{Entry: nameless}, true},
		{"an entry with a body", store.Commit{Entry: nameless, Body: []byte("sealed")}, true},
		{"an entry with empty slices", store.Commit{Entry: nameless, Record: []byte{}, Claim: []store.Claim{}, Disown: []lifecycle.Digest{}}, true},
		{"a record", store.Commit{Entry: entry, Expect: 7, Record: []byte("record")}, true},
		{"digests", store.Commit{Entry: entry, Claim: []store.Claim{{Digest: one}}, Disown: []lifecycle.Digest{two}}, true},
		{"everything erased", store.Commit{Entry: entry, EraseBodies: true, Forget: true}, true},

		{"no id", store.Commit{Entry: store.Entry{Integration: "a"}}, false},
		{"no integration but a version", store.Commit{Entry: nameless, Expect: 1}, false},
		{"no integration but a record", store.Commit{Entry: nameless, Record: []byte("record")}, false},
		{"no integration but a claim", store.Commit{Entry: nameless, Claim: []store.Claim{{Digest: one}}}, false},
		{"no integration but a digest less", store.Commit{Entry: nameless, Disown: []lifecycle.Digest{one}}, false},
		{"no integration but bodies", store.Commit{Entry: nameless, EraseBodies: true}, false},
		{"no integration but to forget", store.Commit{Entry: nameless, Forget: true}, false},
		{"a zero claim", store.Commit{Entry: entry, Claim: []store.Claim{{Sealed: []byte("sealed")}}}, false},
		{"a zero digest", store.Commit{Entry: entry, Disown: []lifecycle.Digest{{}}}, false},
		{"a digest claimed twice", store.Commit{Entry: entry, Claim: []store.Claim{{Digest: one}, {Digest: two}, {Digest: one}}}, false},
		{"a digest disowned twice", store.Commit{Entry: entry, Disown: []lifecycle.Digest{one, two, one}}, false},
		{"a digest claimed and disowned", store.Commit{Entry: entry, Claim: []store.Claim{{Digest: one}}, Disown: []lifecycle.Digest{two, one}}, false},
	} {
		t.Run(test.name, func(t *testing.T) {
			err := test.commit.Check()
			if (err == nil) != test.valid || err != nil && !errors.Is(err, store.ErrInvalid) {
				t.Errorf("got error %v", err)
			}
		})
	}
}

func TestOwnedError(t *testing.T) {
	var err error = &store.OwnedError{Digest: lifecycle.Digest{1}, Owner: "somebody"}
	if !errors.Is(err, store.ErrOwned) {
		t.Error("it does not unwrap to ErrOwned")
	}
	if bytes.Contains([]byte(err.Error()), []byte("somebody")) || bytes.Contains([]byte(err.Error()), []byte("0100")) {
		t.Errorf("it tells values: %v", err)
	}
}

// TestRefKind: what a Ref is the address of, and that any other combination is that of nothing.
func TestRefKind(t *testing.T) {
	digest, entry := lifecycle.Digest{1}, store.EntryID{1}
	for ref, want := range map[store.Ref]store.RefKind{
		{Name: "n"}:                        store.RefNamed,
		{Integration: "i", Digest: digest}: store.RefToken,
		{Entry: entry}:                     store.RefBody,

		{}:                 store.RefNothing,
		{Integration: "i"}: store.RefNothing,
		{Digest: digest}:   store.RefNothing,
		{Name: "n", Integration: "i", Digest: digest}:    store.RefNothing,
		{Name: "n", Entry: entry}:                        store.RefNothing,
		{Integration: "i", Entry: entry}:                 store.RefNothing,
		{Integration: "i", Digest: digest, Entry: entry}: store.RefNothing,
	} {
		if got := ref.Kind(); got != want {
			t.Errorf("%+v: %v, want %v", ref, got, want)
		}
	}
}
