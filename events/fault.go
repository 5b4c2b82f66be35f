package events

import (
	"bytes"

	"github.com/go-json-experiment/json/jsontext"
)

// unknown skips the value of a member that has none of the names in a place. It notes a
// member that has one of them in another case, which would otherwise pass for a missing
// one.
func (d *decoder) unknown(in string, names ...string) {
	for _, name := range names {
		if bytes.EqualFold(d.name, []byte(name)) {
			d.miscase(in + "/" + name)
		}
	}
	d.skip()
}

// miscase notes that the member at hand should be spelled as in the place.
func (d *decoder) miscase(place string) {
	d.note(place)
	if d.miscased == nil && essential(place) {
		d.miscased = &Error{Place: place, Offset: d.base + d.start(), Reason: reasonCase, kind: ErrSyntax}
	}
}

// misfit takes the rest of a value whose first token is of the wrong kind, and notes it.
func (d *decoder) misfit(k jsontext.Kind, place, reason string) {
	d.rest(k)
	d.misshapen(place, reason)
}

// misshapen notes that the value taken last is not as it should be.
func (d *decoder) misshapen(place, reason string) {
	d.note(place)
	if d.shape == nil && essential(place) {
		d.shape = &Error{Place: place, Offset: d.base + d.start(), Reason: reason, kind: ErrShape}
	}
}

// lacking notes that something essential is missing in the value at an offset.
func (d *decoder) lacking(place string, offset int64) {
	d.note(place)
	if d.shape == nil {
		d.shape = &Error{Place: place, Offset: offset, Reason: reasonMissing, kind: ErrShape}
	}
}
