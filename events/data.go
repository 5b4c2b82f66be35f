package events

import (
	"bytes"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/keyrack-dev/keyrack/lifecycle"
)

// data reads what the action's contract names, and returns the offset of Data in the
// reader's body. It notes no fault of an unknown action.
func (d *decoder) data(e *Event) (start int64) {
	if e.Action == lifecycle.ActionUnknown {
		aside := *d // where faults are forgotten
		d = &aside
	}
	has := contractOf(e.Action)
	entered := d.object("/Data")
	start = d.start()
	if !entered {
		return start
	}
	for d.next() {
		if p := d.property(has); p != numProperties {
			d.read(p, e)
		} else {
			d.skip()
		}
	}
	if e.Action == lifecycle.ActionUnknown && e.Integration.ID == "" {
		e.Integration = lifecycle.Named{}
	}
	return start
}

// read reads the value of a property.
func (d *decoder) read(p property, e *Event) {
	switch p {
	case enterprise:
		e.Enterprise = d.named("/Data/Enterprise")
	case service:
		e.Service = d.named("/Data/Service")
	case requestor:
		e.Requestor = d.requestor()
	case accessToken:
		e.AccessToken = d.token("AccessToken")
	case createdUtc:
		e.CreatedUtc = d.time("CreatedUtc")
	case isEnabled:
		e.IsEnabled = d.flag("IsEnabled")
	case deletedUtc:
		e.DeletedUtc = d.time("DeletedUtc")
	case integration:
		e.Integration = d.named("/Data/Integration")
	case apiKey:
		e.ApiKey = d.token("ApiKey")
	}
}

// property returns which of a contract's properties the member at hand is. It notes a
// wrong case, except of Service: that one is optional by the specification.
func (d *decoder) property(has properties) property {
	for p := range numProperties {
		if has.has(p) && string(d.name) == propertyNames[p] {
			return p
		}
	}
	for p := range numProperties {
		if has.has(p) && p != service && bytes.EqualFold(d.name, []byte(propertyNames[p])) {
			d.miscase("/Data/" + propertyNames[p])
		}
	}
	return numProperties
}

// named reads an identifier and a name. What cannot be an identifier is a fault, and left
// out.
func (d *decoder) named(in string) (n lifecycle.Named) {
	if !d.object(in) {
		return n
	}
	for d.next() {
		switch string(d.name) {
		case "Id":
			n.ID = d.identifier(in)
		case "Name":
			n.Name = string(d.string(in, "Name", 0))
		default:
			d.unknown(in, "Id", "Name")
		}
	}
	return n
}

// identifier reads an identifier, in its canonical spelling. The white space around a GUID
// may be control characters.
func (d *decoder) identifier(in string) string {
	id := lifecycle.CanonicalID(string(d.string(in, "Id", maxIdentifier)))
	if hasControl([]byte(id)) {
		d.misshapen(in+"/Id", reasonControl)
		return ""
	}
	return id
}

// requestor reads a person's name and email address.
func (d *decoder) requestor() Requestor {
	const in = "/Data/Requestor"
	var name, email string
	if d.object(in) {
		for d.next() {
			switch string(d.name) {
			case "Name":
				name = string(d.string(in, "Name", 0))
			case "Email":
				email = string(d.string(in, "Email", 0))
			default:
				d.unknown(in, "Name", "Email")
			}
		}
	}
	return NewRequestor(name, email)
}

func (d *decoder) token(name string) lifecycle.Token {
	return lifecycle.NewToken(string(d.string("/Data", name, maxToken)))
}

// flag reads true or false, also as a string, or as 1 and 0. null is neither.
func (d *decoder) flag(name string) lifecycle.Flag {
	k := d.take()
	switch k {
	case 't':
		return lifecycle.Yes
	case 'f':
		return lifecycle.No
	case 'n':
		return lifecycle.Unset
	case '"', '0':
		switch text := string(d.scalar(k)); {
		case k == '"' && text == "true", k == '0' && text == "1":
			return lifecycle.Yes
		case k == '"' && text == "false", k == '0' && text == "0":
			return lifecycle.No
		}
	}
	d.misfit(k, "/Data/"+name, reasonNotFlag)
	return lifecycle.Unset
}

// time reads a point in time, in UTC; null is the zero time.
func (d *decoder) time(name string) (t time.Time) {
	b := d.string("/Data", name, 0)
	if b == nil {
		return t
	}
	t, ok := parseTime(b)
	if !ok {
		d.misshapen("/Data/"+name, reasonNotTime)
	}
	return t
}

// object enters an object, or takes whatever else there is and returns false;
// null is no fault.
func (d *decoder) object(place string) bool {
	switch k := d.take(); k {
	case '{':
		return true
	case 'n':
	default:
		d.misfit(k, place, reasonNotObject)
	}
	return false
}

// string reads a string of at most limit bytes, where that is not 0. It returns
// nil for null and for a fault. The place comes as the object and the member's
// name: only a fault joins them.
func (d *decoder) string(in, name string, limit int) []byte {
	switch k := d.take(); k {
	case '"':
		text := d.text()
		if limit == 0 || len(text) <= limit {
			return text
		}
		d.misshapen(in+"/"+name, reasonTooLong)
	case 'n':
	default:
		d.misfit(k, in+"/"+name, reasonNotText)
	}
	return nil
}

// hasControl reports whether there is a control character of Unicode's.
func hasControl(b []byte) bool {
	for i, c := range b {
		if c < ' ' || c == 0x7f {
			return true
		} else if c >= utf8.RuneSelf {
			return bytes.ContainsFunc(b[i:], unicode.IsControl)
		}
	}
	return false
}
