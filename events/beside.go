package events

import (
	"slices"
	"strings"

	"github.com/keyrack-dev/keyrack/lifecycle"
)

// beside is a property that was found beside Data instead of in it.
type beside struct {
	property property
	offset   int64 // of the value
	value    []byte
}

// takeBeside reads a property that stands beside Data, if the action has it and Data does
// not.
func (d *decoder) takeBeside(one beside, e *Event) {
	p := one.property
	if !contractOf(e.Action).has(p) || e.has(p) || one.value == nil || d.noted("/Data/"+propertyNames[p]) {
		return
	}
	if e.Action == lifecycle.ActionUnknown {
		aside := *d // where faults are forgotten
		d = &aside
	}
	d.again(one.value, one.offset, func(inner *decoder) { inner.read(p, e) })
}

// noted reports whether a property, or something in it, could not be read.
func (d *decoder) noted(place string) bool {
	return slices.ContainsFunc(d.unread, func(one string) bool {
		return one == place || strings.HasPrefix(one, place+"/")
	})
}

// note notes that what is in a place could not be read. Of the whole body, the place "",
// nothing was read.
func (d *decoder) note(place string) {
	if place != "" && !slices.Contains(d.unread, place) {
		d.unread = append(d.unread, place)
	}
}

// unreadNames names the properties in places, such as "IsEnabled Enterprise.Id".
func unreadNames(places []string) string {
	if len(places) == 0 {
		return ""
	}
	names := make([]string, len(places))
	for i, place := range places {
		name := strings.TrimPrefix(strings.TrimPrefix(place, "/Data/"), "/")
		names[i] = strings.ReplaceAll(name, "/", ".")
	}
	return strings.Join(names, " ")
}
