package events

import (
	"bytes"

	"github.com/go-json-experiment/json/jsontext"

	"github.com/keyrack-dev/keyrack/lifecycle"
)

// Decode reads the body of one webhook. It does not keep body, and may be
// called concurrently. Every error is an *[Error], which unwraps to [ErrSyntax]
// or to [ErrShape]; the event beside it is the zero one.
//
// JSON is taken strictly, the contract leniently: what the specification calls
// required may be null or missing as long as the event still means something,
// and unknown properties are skipped. Only these must be there:
//
//   - Action, a string of at most 64 bytes;
//   - Data.Integration.Id, at most 128 bytes without a control character, as
//     all identifiers;
//   - Data.AccessToken for IntegrationCreated, and Data.ApiKey for
//     IntegrationApiKeyCreated, at most 1024 bytes each. Tokens are opaque: not
//     a byte of one is changed.
//
// An action that is not known is no error, whatever its Data looks like; the
// event keeps its body. A body without an Action but with Events is a General
// Webhook, and no error either.
func Decode(body []byte) (Event, error) {
	r := newReader(body)
	defer r.release()
	d := decoder{reader: r}
	e := d.event()
	if err := d.verdict(); err != nil {
		return Event{}, err
	}
	return e, nil
}

// The longest values, in bytes.
const (
	maxAction     = 64
	maxIdentifier = 128
	maxToken      = 1024
)

// decoder adds the specification to a reader. What it does not like it notes,
// and reads on: only JSON that is whole can have an unexpected shape. Of each
// kind the first fault is kept.
type decoder struct {
	*reader
	base     int64 // offset of the reader's body in the whole one
	miscased *Error
	shape    *Error
}

// verdict returns the fault that weighs most, or nil.
func (d *decoder) verdict() error {
	switch {
	case d.err != nil:
		return d.err
	case d.miscased != nil:
		return d.miscased
	case d.shape != nil:
		return d.shape
	}
	return nil
}

// event reads the whole body. The event means nothing where there is a verdict.
func (d *decoder) event() (e Event) {
	env := d.envelope(&e)
	d.end()
	switch {
	case d.err != nil:
		return e
	case e.Name == "" && env.events:
		d.miscased = nil // a name of another contract
		return Event{General: new(env.general)}
	case e.Name == "":
		d.lacking("/Action", 0)
		return e
	case env.early != nil:
		d.again(env.early, env.data, &e)
	}
	if e.Action == lifecycle.ActionUnknown {
		e.Raw = NewRaw(d.body)
	} else if place := e.lacks(); !env.hasData {
		d.lacking("/Data", 0)
	} else if place != "" {
		d.lacking(place, env.data)
	}
	return e
}

// envelope is what there is beside an event in the outermost object.
type envelope struct {
	hasData bool
	data    int64  // offset of Data
	early   []byte // Data, unread, where it came before Action
	general General
	events  bool // whether there is a member of that name
}

func (d *decoder) envelope(e *Event) (env envelope) {
	if k := d.take(); k != '{' {
		d.misfit(k, "", reasonNotObject)
		return env
	}
	for d.next() {
		switch string(d.name) {
		case "Action":
			d.action(e)
		case "Data":
			env.hasData = true
			if e.Name != "" {
				env.data = d.data(e)
			} else if d.skip(); d.err == nil {
				env.data = d.start()
				env.early = d.body[env.data:d.dec.InputOffset()]
			}
		case "EnterpriseId":
			env.general.EnterpriseID = d.loose()
		case "IntegrationId":
			env.general.IntegrationID = d.loose()
		case "Events":
			env.events, env.general.Events = true, d.generalEvents()
		default:
			d.unknown("", "Action", "Data")
		}
	}
	return env
}

// action reads the name of the action. null is as good as a missing one.
func (d *decoder) action(e *Event) {
	name := d.string("", "Action", maxAction)
	if hasControl(name) {
		d.misshapen("/Action", reasonControl)
		return
	}
	if e.Action = lifecycle.ParseAction(string(name)); e.Action != lifecycle.ActionUnknown {
		e.Name = e.Action.String()
	} else {
		e.Name = string(name)
	}
}

// again reads Data by itself, now that the action is known. Its syntax has been
// checked.
func (d *decoder) again(data []byte, base int64, e *Event) {
	r := newReader(data)
	defer r.release()
	inner := *d
	inner.reader, inner.base = r, base
	inner.data(e)
	d.miscased, d.shape = inner.miscased, inner.shape
}

// unknown skips the value of a member that has none of the names in a place. It
// notes where the member has one of them but for the case, since it would
// otherwise pass for a missing one.
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
	if d.miscased == nil {
		d.miscased = &Error{place, d.base + d.start(), reasonCase, ErrSyntax}
	}
}

// misfit takes the rest of a value whose first token is of the wrong kind, and
// notes it.
func (d *decoder) misfit(k jsontext.Kind, place, reason string) {
	d.rest(k)
	d.misshapen(place, reason)
}

// misshapen notes that the value taken last is not as it should be.
func (d *decoder) misshapen(place, reason string) {
	if d.shape == nil {
		d.shape = &Error{place, d.base + d.start(), reason, ErrShape}
	}
}

// lacking notes that something is missing in the value at an offset.
func (d *decoder) lacking(place string, offset int64) {
	if d.shape == nil {
		d.shape = &Error{place, offset, reasonMissing, ErrShape}
	}
}
