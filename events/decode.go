package events

import "github.com/keyrack-dev/keyrack/lifecycle"

// Decode reads the body of one webhook. It does not keep body, and may be called
// concurrently. Every error is an *[Error], which unwraps to [ErrSyntax] or to
// [ErrShape]; the event beside it is the zero one.
//
// JSON is taken strictly, the contract leniently. An event cannot do without
//
//   - Action, a string of at most 64 bytes;
//   - Data.Integration.Id, at most 128 bytes without a control character, as all
//     identifiers;
//   - Data.AccessToken for IntegrationCreated, and Data.ApiKey for
//     IntegrationApiKeyCreated, at most 1024 bytes each. Tokens are opaque: not a byte
//     of one is changed.
//
// Every other property may be null or missing. One of an unexpected type, form or range
// counts as missing too, and the event says which in Unread. So does one in the wrong
// case, and a Requestor, Service, Enterprise or Name with a duplicate name or broken
// UTF-8 inside. Unknown properties are skipped. A property beside Data is taken from
// there if Data does not have it: Mews documented that form in 2019.
//
// Identifiers come out in the one spelling of [lifecycle.CanonicalID]. A byte order mark
// before the body is skipped.
//
// An action that is not known is no error, whatever its Data looks like; the event keeps
// its body. A body without an Action but with Events is a General Webhook, and no error
// either.
func Decode(body []byte) (Event, error) {
	e, err := decode(body, body)
	if err != nil && err.mendable() {
		if mended := mend(body); mended != nil {
			e, err = decode(mended, body)
		}
	}
	if err != nil {
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

// decode reads a body. whole is the body as it came.
func decode(body, whole []byte) (Event, *Error) {
	mark := markOf(body)
	r := newReader(body[mark:])
	defer r.release()
	d := decoder{reader: r, base: int64(mark), whole: whole}
	e := d.event()
	err := d.verdict()
	if err == nil {
		return e, nil
	}
	if err.kind == ErrShape {
		e := e // on the heap for a fault alone
		if e.Integration.ID == "" && e.Token().IsZero() {
			e.AccessToken = strayToken(d.body)
		}
		e.Unread = unreadNames(d.unread)
		err.partial = &e
	}
	return Event{}, err
}

// markOf returns the length of the byte order mark that a body begins with, or 0.
func markOf(body []byte) int {
	if len(body) >= 3 && string(body[:3]) == "\ufeff" {
		return 3
	}
	return 0
}

// decoder adds the specification to a reader. It notes a fault and reads on, because only
// JSON that is complete can have an unexpected shape. It keeps the first fault of each
// kind.
type decoder struct {
	*reader
	base     int64  // offset of the reader's body in the whole one
	whole    []byte // body as it came
	miscased *Error
	shape    *Error   // of something essential
	unread   []string // places of what could not be read
}

// verdict returns the fault that weighs most, or nil.
func (d *decoder) verdict() *Error {
	switch {
	case d.err != nil:
		d.err.Offset += d.base
		return d.err
	case d.miscased != nil:
		return d.miscased
	}
	return d.shape
}

// event reads the whole body. If there is a verdict, the event is incomplete.
func (d *decoder) event() (e Event) {
	env := d.envelope(&e)
	d.end()
	switch {
	case d.err != nil:
		return e
	case e.Name == "" && env.events:
		d.miscased, d.shape = nil, nil // names of another contract
		return Event{General: new(env.general), AccessToken: strayToken(d.body)}
	case e.Name == "":
		d.lacking("/Action", 0)
		return e
	case env.early != nil:
		d.again(env.early, env.data, func(inner *decoder) { inner.data(&e) })
	}
	for _, one := range env.beside {
		d.takeBeside(one, &e)
	}
	e.Unread = unreadNames(d.unread)
	if e.Action == lifecycle.ActionUnknown {
		e.Raw = NewRaw(d.whole)
		return e
	}
	switch place := e.lacks(); {
	case place == "":
		d.shape = nil // the properties beside Data made up for it
	case !env.hasData:
		d.lacking("/Data", 0)
	default:
		d.lacking(place, env.data)
	}
	return e
}

// envelope is what there is beside an event in the outermost object.
type envelope struct {
	hasData bool
	data    int64  // offset of Data
	early   []byte // Data, unread, where it came before Action
	beside  []beside
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
				env.data = d.base + d.data(e)
			} else if value := d.value(); value != nil {
				env.data, env.early = d.base+d.start(), value
			}
		case "EnterpriseId":
			env.general.EnterpriseID = lifecycle.CanonicalID(d.loose())
		case "IntegrationId":
			env.general.IntegrationID = lifecycle.CanonicalID(d.loose())
		case "Events":
			env.events, env.general.Events = true, d.generalEvents()
		default:
			if p := propertyOf(d.name); p != numProperties {
				value := d.value()
				env.beside = append(env.beside, beside{p, d.base + d.start(), value})
			} else {
				d.unknown("", "Action", "Data")
			}
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
	for _, a := range actions {
		if a.String() == string(name) {
			e.Action, e.Name = a, a.String()
			return
		}
	}
	e.Name = string(name)
}

// actions are those that Keyrack knows. Their names do not allocate.
var actions = lifecycle.Actions()

// again reads a part of the body that was passed over, now that the action is known. Its
// syntax has been checked.
func (d *decoder) again(part []byte, offset int64, read func(*decoder)) {
	r := newReader(part)
	defer r.release()
	inner := *d
	inner.reader, inner.base = r, offset
	read(&inner)
	d.miscased, d.shape, d.unread = inner.miscased, inner.shape, inner.unread
}
