package lifecycle

import (
	"errors"
	"iter"
	"maps"
	"slices"
	"strings"
)

// Labels are what an application notes about an integration: pairs of a key and a value, in
// order of the keys, as "env=prod,tenant=4711". The zero value has none. Keys and values
// have the grammar of Kubernetes and at most 63 bytes each, so neither holds a comma or an
// equals sign. They are shown wherever the integration is, and never hold a secret.
type Labels string

const (
	// maxLabels is how many labels an integration may have.
	maxLabels = 16
	// maxLabel is the most bytes of a key, its prefix included, and of a value.
	maxLabel = 63
)

var errLabels = errors.New("at most 16 labels; keys and values of at most 63 bytes, letters, digits, '-', '_' and '.', with a letter or a digit at both ends; a value may be empty, and a key may begin with a domain and a slash")

// NewLabels returns the labels of a map. The error says what labels may be.
func NewLabels(pairs map[string]string) (Labels, error) {
	if len(pairs) > maxLabels {
		return "", errLabels
	}
	for key, value := range pairs {
		if !isLabelKey(key) || value != "" && !isLabel(value) {
			return "", errLabels
		}
	}
	return labelsOf(pairs), nil
}

// labelsOf writes pairs whose grammar is known to be right.
func labelsOf(pairs map[string]string) Labels {
	var b strings.Builder
	for i, key := range slices.Sorted(maps.Keys(pairs)) {
		if i > 0 {
			b.WriteByte(',')
		}
		b.WriteString(key + "=" + pairs[key])
	}
	return Labels(b.String())
}

// isLabelKey reports whether a text is a name, or a domain, a slash and a name.
func isLabelKey(key string) bool {
	if len(key) > maxLabel {
		return false
	}
	prefix, name, prefixed := strings.Cut(key, "/")
	if !prefixed {
		return isLabel(key)
	}
	for part := range strings.SplitSeq(prefix, ".") {
		if !isLabel(part) || part != strings.ToLower(part) || strings.Contains(part, "_") {
			return false
		}
	}
	return isLabel(name)
}

// isLabel reports whether a text is a name or a value that is not empty.
func isLabel(s string) bool {
	if s == "" || len(s) > maxLabel || !alphanumeric(s[0]) || !alphanumeric(s[len(s)-1]) {
		return false
	}
	for i := range len(s) {
		if c := s[i]; !alphanumeric(c) && c != '-' && c != '_' && c != '.' {
			return false
		}
	}
	return true
}

func alphanumeric(c byte) bool {
	return '0' <= c && c <= '9' || 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z'
}

// All yields the pairs in order of the keys.
func (l Labels) All() iter.Seq2[string, string] {
	return func(yield func(string, string) bool) {
		for rest := string(l); rest != ""; {
			var pair string
			pair, rest, _ = strings.Cut(rest, ",")
			if key, value, _ := strings.Cut(pair, "="); !yield(key, value) {
				return
			}
		}
	}
}

// Get returns the value of a key, and whether there is one.
func (l Labels) Get(key string) (value string, ok bool) {
	for k, v := range l.All() {
		if k == key {
			return v, true
		}
	}
	return "", false
}

// label takes in the labels that evidence sets and the ones that it removes. What would be
// more than 16 is refused as a whole.
func (r *Record) label(e *Evidence, d *Decision) {
	next := maps.Collect(r.Labels.All())
	for key := range strings.SplitSeq(e.Unlabel, ",") {
		delete(next, key)
	}
	maps.Insert(next, e.Labels.All())
	labels := labelsOf(next)
	switch {
	case len(next) > maxLabels:
		d.Outcome, d.Cause = Conflict, causeTooManyLabels
	case labels == r.Labels:
		d.Outcome = Duplicate
	default:
		d.Outcome = Applied
		r.Labels = labels
	}
}

// addLabels takes in the labels that an import brings along.
func (r *Record) addLabels(e *Evidence, d *Decision) {
	if e.Labels == "" || d.Outcome != Applied && d.Outcome != Duplicate {
		return
	}
	var labels Decision
	if r.label(e, &labels); labels.Outcome == Conflict {
		d.Cause, d.Alarm = firstOf(d.Cause, labels.Cause), true
	}
}

// gain takes over labels from elsewhere, except for keys that the record has, and up to 16.
func (r *Record) gain(more Labels, d *Decision) {
	labels := maps.Collect(r.Labels.All())
	for key, value := range more.All() {
		if _, there := labels[key]; !there && len(labels) == maxLabels {
			d.Cause, d.Alarm = causeTooManyLabels, true
		} else if !there {
			labels[key] = value
		}
	}
	r.Labels = labelsOf(labels)
}

// succeed takes in that the integration took the place of another one.
func (r *Record) succeed(e *Evidence, d *Decision) {
	switch {
	case r.State == Deleted:
		d.Outcome = Stale
	case r.Succeeds != "" || e.Succeeds == "" || e.Succeeds == r.ID:
		d.Outcome = Duplicate
	default:
		d.Outcome = Applied
		r.Succeeds = e.Succeeds
		r.gain(e.Labels, d)
	}
}
