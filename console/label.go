package console

import (
	"maps"
	"slices"
	"strings"

	"github.com/keyrack-dev/keyrack/lifecycle"
)

func isComma(c rune) bool { return c == ',' }

// labelsIn returns what the form of ActLabel shows: labels, one a line, as the visitor left
// them, or else as the integration has them; and as it had them when the form was made, so
// that one which somebody else sets meanwhile is not taken for removed.
func labelsIn(r *request, has lifecycle.Labels) (lines, had string) {
	had = string(has)
	if r.PostForm.Has("labels") {
		var kept []string
		for line := range strings.Lines(r.PostFormValue("labels")) {
			kept = append(kept, plain(line, longestLabel))
		}
		return strings.Join(kept[:min(len(kept), maxLines)], "\n"), plain(r.PostFormValue("had"), 16*longestLabel)
	}
	return strings.ReplaceAll(had, ",", "\n"), had
}

// What a form shows again: an integration has at most 16 labels of at most 127 bytes.
const (
	maxLines     = 17
	longestLabel = 128
)

// readLabels reads labels as a visitor wrote them, as against those that there were, and
// returns what is wrong with them.
func (t *ticket) readLabels(text, had string) (wrong string) {
	was := maps.Collect(lifecycle.Labels(had).All())
	removed, set := maps.Clone(was), map[string]string{}
	for _, pair := range strings.FieldsFunc(text, func(c rune) bool { return c == ',' || c == '\n' || c == '\r' }) {
		if pair = strings.TrimSpace(pair); pair == "" {
			continue
		}
		key, value, ok := strings.Cut(pair, "=")
		key, value = strings.TrimSpace(key), strings.TrimSpace(value)
		if !ok {
			return "Write each label as key=value, one a line."
		}
		if _, twice := set[key]; twice {
			return "Give each key once."
		}
		set[key] = value
		delete(removed, key)
	}
	maps.DeleteFunc(set, func(key, value string) bool { is, there := was[key]; return there && is == value })
	labels, err := lifecycle.NewLabels(set)
	if err != nil {
		return capital(err.Error()) + "."
	}
	t.Labels, t.Unlabel = labels, strings.Join(slices.Sorted(maps.Keys(removed)), ",")
	if len(set)+len(removed) == 0 {
		return "Nothing is changed: write a new label, change a value, or take a line away."
	}
	return ""
}
