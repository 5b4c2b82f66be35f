package storetest

import (
	"crypto/sha256"
	"fmt"
	"slices"
	"strings"

	"github.com/keyrack-dev/keyrack/store"
)

// same checks that two values read the same.
func (p *probe) same(what string, got, want any) {
	p.Helper()
	g, w := text(got), text(want)
	if g == w {
		return
	}
	if !strings.Contains(g+w, "\n") {
		p.Errorf("%s:\n got %s\nwant %s", what, g, w)
		return
	}
	// If there are many lines, those that the two do not share are enough.
	gs, ws := strings.Split(g, "\n"), strings.Split(w, "\n")
	var b strings.Builder
	for _, line := range gs {
		if !slices.Contains(ws, line) {
			b.WriteString("\n got " + line)
		}
	}
	for _, line := range ws {
		if !slices.Contains(gs, line) {
			b.WriteString("\nwant " + line)
		}
	}
	if b.Len() == 0 {
		b.WriteString("\nthe same lines in another order, or not as often:\n got " + g + "\nwant " + w)
	}
	p.Errorf("%s:%s", what, b.String())
}

// text returns a value as one line of text, or several values as several lines, with
// everything that a store must keep. The position of an entry is left out, because a
// store may assign it late. Nil and empty slices read the same.
func text(v any) string {
	switch v := v.(type) {
	case string:
		return v
	case []byte:
		if len(v) > 100 {
			return fmt.Sprintf("%d bytes with sum %x", len(v), sha256.Sum256(v))
		}
		return fmt.Sprintf("%q", v)
	case store.Entry:
		return fmt.Sprintf("entry %v of %q, version %d, at %d, evidence %s, decision %s, answered %d after %d ns",
			v.ID, v.Integration, v.Version, int64(v.At), text(v.Evidence), text(v.Decision), v.Response.Status, v.Response.Took)
	case store.Committed:
		return fmt.Sprintf("version %d, repeated %t, %s", v.Version, v.Repeated, text(v.Entry))
	case store.Stored:
		return fmt.Sprintf("%q, version %d by %v, record %s, base %s of version %d",
			v.Integration, v.Version, v.Last, text(v.Record), text(v.Base), v.BaseVersion)
	case []store.Entry:
		return texts(v)
	case []store.Stored:
		return texts(v)
	default:
		return fmt.Sprintf("%v", v)
	}
}

func texts[T any](list []T) string {
	lines := make([]string, len(list))
	for i, v := range list {
		lines[i] = text(v)
	}
	return fmt.Sprintf("%d: %s", len(list), strings.Join(lines, "\n"))
}

// entry returns what the journal must say about a commit.
func entry(c store.Commit) store.Entry {
	e := c.Entry
	e.Version = 0
	if e.Integration != "" {
		e.Version = c.Expect + 1
	}
	return e
}

func entries(commits ...store.Commit) []store.Entry {
	all := make([]store.Entry, len(commits))
	for i, c := range commits {
		all[i] = entry(c)
	}
	return all
}

// stored returns the integration after a commit, if nothing was trimmed since.
func stored(c store.Commit) store.Stored {
	return store.Stored{Integration: c.Entry.Integration, Version: c.Expect + 1, Last: c.Entry.ID, Record: c.Record}
}

// token returns the address of the first token that a commit brought.
func token(c store.Commit) store.Ref {
	return store.Ref{Integration: c.Entry.Integration, Digest: c.Claim[0].Digest}
}

// body returns the address of the body that a commit brought.
func body(c store.Commit) store.Ref { return store.Ref{Entry: c.Entry.ID} }
