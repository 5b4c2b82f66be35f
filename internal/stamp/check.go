package stamp

import "github.com/keyrack-dev/keyrack/store"

// Record appends a record, or a base, with its stamp. Made is the entry that made the version; a
// base that is no record has none.
func (k Key) Record(b []byte, integration string, version uint64, made store.EntryID, record []byte) []byte {
	if k.IsZero() || !stampable(record) {
		return append(b, record...)
	}
	m := mark{link: made}
	m.code = k.code(&subject{kind: ofRecord, integration: integration, version: version}, &m, record)
	return put(b, record, &m)
}

// OpenRecord returns the record of an integration without its stamp. The error is ErrForged
// or ErrMissing.
func (k Key) OpenRecord(in *store.Stored) ([]byte, error) {
	record, m, ok, err := k.open(&subject{kind: ofRecord, integration: in.Integration, version: in.Version}, in.Record, k.Required)
	if ok && err == nil && m.link != in.Last && !k.IsZero() {
		err = ErrForged // it was made by another entry
	}
	return record, err
}

// OpenBase returns the base of an integration's journal without its stamp. The error is
// ErrForged or ErrMissing.
func (k Key) OpenBase(in *store.Stored) ([]byte, error) {
	if in.BaseVersion == 0 {
		return in.Base, nil // there is none
	}
	base, _, _, err := k.open(&subject{kind: ofRecord, integration: in.Integration, version: in.BaseVersion}, in.Base, k.Required && k.After == 0)
	return base, err
}

// Exported returns a record without its stamp, where nothing is known of the entry that made its
// version. The error is ErrForged or ErrMissing.
func (k Key) Exported(integration string, version uint64, record []byte) ([]byte, error) {
	record, _, _, err := k.open(&subject{kind: ofRecord, integration: integration, version: version}, record, k.Required)
	return record, err
}

// open takes a stamp off and checks it. A missing one is an error if it is required.
func (k Key) open(s *subject, stored []byte, required bool, with ...[]byte) (plain []byte, m mark, ok bool, err error) {
	plain, m, ok = take(stored)
	switch {
	case k.IsZero():
	case !ok && required:
		err = ErrMissing
	case ok && !m.code.is(k.code(s, &m, append(with, plain)...)):
		err = ErrForged
	}
	return plain, m, ok, err
}

func subjectOf(e *store.Entry) *subject {
	return &subject{ofEntry, e.Integration, e.Version, e.ID, uint64(e.At)}
}

// Entry appends an entry's decision with the stamp of the entry. Before is the integration's
// entry before it; zero if there is none, or it is not known.
func (k Key) Entry(b []byte, e *store.Entry, before store.EntryID, parts Parts) []byte {
	if k.IsZero() || !stampable(e.Decision) {
		return append(b, e.Decision...)
	}
	m := mark{link: before, parts: parts}
	m.code = k.code(subjectOf(e), &m, e.Evidence, e.Decision)
	return put(b, e.Decision, &m)
}

// OpenEntry returns an entry's decision without the stamp of the entry. The error is
// ErrForged or ErrMissing.
func (k Key) OpenEntry(e *store.Entry) ([]byte, error) {
	decision, _, _, err := k.openEntry(e)
	return decision, err
}

func (k Key) openEntry(e *store.Entry) (decision []byte, m mark, ok bool, err error) {
	required := k.Required && (e.Position == 0 || e.Position > k.After)
	return k.open(subjectOf(e), e.Decision, required, e.Evidence)
}
