package events

import (
	"slices"

	"github.com/go-json-experiment/json/jsontext"
)

// mend returns a copy of a body that is not strict JSON, in which the values that an event
// can do without and that are not strict JSON themselves are replaced: a Requestor, a
// Service, an Enterprise or a Name with a duplicate name or broken UTF-8 inside. In their
// place stands a number, which none of them can be, filled up with blanks, so every offset
// stays as it was. mend returns nil if there is nothing to replace.
func mend(body []byte) []byte {
	mark := markOf(body)
	r := newReader(body[mark:], lenient...)
	defer r.release()
	m := mender{reader: r, mark: mark, body: body}
	m.object(func(name string) {
		if name == "Data" {
			m.object(m.property)
		} else {
			m.property(name)
		}
	})
	return m.mended
}

type mender struct {
	*reader
	mark         int
	body, mended []byte
}

// property looks at a member that may be a property of an event.
func (m *mender) property(name string) {
	switch name {
	case "Requestor", "Service", "Enterprise":
		m.whole(func() { m.object(m.name) })
	case "Integration":
		m.object(m.name)
	default:
		m.skip()
	}
}

// name looks at a member of one of the four.
func (m *mender) name(name string) {
	if name == "Name" {
		m.whole(m.skip)
	} else {
		m.skip()
	}
}

// object calls member with the name of each member of an object, whose value it takes.
// Any other value is skipped.
func (m *mender) object(member func(name string)) {
	if k := m.take(); k != '{' {
		m.rest(k)
		return
	}
	for m.next() {
		member(string(m.reader.name))
	}
}

// whole takes a value, and replaces what is not strict JSON. What take has replaced inside
// is not replaced again.
func (m *mender) whole(take func()) {
	before := m.dec.InputOffset()
	take()
	if m.err != nil {
		return
	}
	m.from = before
	from, to := int(m.start())+m.mark, int(m.dec.InputOffset())+m.mark
	now := m.body
	if m.mended != nil {
		now = m.mended
	}
	if jsontext.Value(now[from:to]).IsValid() {
		return
	}
	if m.mended == nil {
		m.mended = slices.Clone(m.body)
	}
	for i := from; i < to; i++ {
		m.mended[i] = ' '
	}
	m.mended[from] = '0'
}

// lenient are the options of a reader that does not stop at what mend replaces.
var lenient = []jsontext.Options{jsontext.AllowDuplicateNames(true), jsontext.AllowInvalidUTF8(true)}
