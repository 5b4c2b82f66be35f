package storetest

import (
	"errors"
	"fmt"
	"iter"
	"slices"
	"strings"

	"github.com/keyrack-dev/keyrack/lifecycle"
	"github.com/keyrack-dev/keyrack/store"
)

func (p *probe) load(integration string) store.Stored {
	p.Helper()
	stored, err := p.s.Load(p.Context(), integration)
	if err != nil {
		p.Fatalf("Load: %v", err)
	}
	return stored
}

// list returns what an iterator yields, or fails.
func list[T any](p *probe, what string, seq iter.Seq2[T, error]) []T {
	p.Helper()
	all, err := collect(seq)
	if err != nil {
		p.Fatalf("%s: %v", what, err)
	}
	return all
}

// collect returns what an iterator yields, and its error.
func collect[T any](seq iter.Seq2[T, error]) (all []T, err error) {
	for v, e := range seq {
		switch {
		case err != nil:
			return all, fmt.Errorf("the iterator went on after its error: %w", errWentOn)
		case e != nil:
			err = e
		default:
			all = append(all, v)
		}
	}
	return all, err
}

var errWentOn = errors.New("an error is the last that an iterator yields")

func (p *probe) journal(after store.Position) []store.Entry {
	p.Helper()
	return list(p, "Journal", p.s.Journal(p.Context(), after))
}

// exactly returns the entries if there are n of them, and fails otherwise.
func (p *probe) exactly(n int, entries []store.Entry) []store.Entry {
	p.Helper()
	if len(entries) != n {
		p.Fatalf("%d entries, want %d", len(entries), n)
	}
	return entries
}

// left returns the journal as far back as it reaches.
func (p *probe) left() []store.Entry {
	p.Helper()
	first, _ := p.bounds()
	return p.journal(first)
}

func (p *probe) bounds() (first, last store.Position) {
	p.Helper()
	first, last, err := p.s.Bounds(p.Context())
	if err != nil {
		p.Fatalf("Bounds: %v", err)
	}
	return first, last
}

// position returns where in the journal an entry is.
func (p *probe) position(id store.EntryID) store.Position {
	p.Helper()
	for _, e := range p.left() {
		if e.ID == id {
			return e.Position
		}
	}
	p.Fatalf("the journal has no entry %v", id)
	return 0
}

func (p *probe) history(integration string) []store.Entry {
	p.Helper()
	return list(p, "History", p.s.History(p.Context(), integration, store.EntryID{}))
}

func (p *probe) scan(after string) []store.Stored {
	p.Helper()
	return list(p, "Scan", p.s.Scan(p.Context(), after))
}

func (p *probe) refs() []store.Ref {
	p.Helper()
	return list(p, "ScanSealed", p.s.ScanSealed(p.Context()))
}

// sealed returns a sealed value, nil for none.
func (p *probe) sealed(ref store.Ref) []byte {
	p.Helper()
	value, err := p.s.Sealed(p.Context(), ref)
	if err != nil && !errors.Is(err, store.ErrNotFound) {
		p.Fatalf("Sealed: %v", err)
	}
	return value
}

// owner returns who owns a digest, "" for nobody.
func (p *probe) owner(d lifecycle.Digest) string {
	p.Helper()
	owner, err := p.s.Owner(p.Context(), d)
	if err != nil && !errors.Is(err, store.ErrNotFound) {
		p.Fatalf("Owner: %v", err)
	}
	return owner
}

// everything returns all that a reader can see of a store, as lines of text.
func (p *probe) everything() string {
	p.Helper()
	var lines []string
	first, last := p.bounds()
	lines = append(lines, fmt.Sprintf("journal from %d to %d", first, last))
	for _, e := range p.journal(first) {
		lines = append(lines, fmt.Sprintf("position %d: %s", e.Position, text(e)))
	}
	lines = append(lines, "nameless: "+text(p.history("")))
	for _, stored := range p.scan("") {
		lines = append(lines, text(stored), text(p.history(stored.Integration)))
		p.same("Scan and Load", stored, p.load(stored.Integration))
	}
	for _, d := range p.digests {
		if owner := p.owner(d); owner != "" {
			lines = append(lines, fmt.Sprintf("digest %v: owner %q", d, owner))
		}
	}
	var values []string
	for _, ref := range p.refs() {
		values = append(values, fmt.Sprintf("sealed %v: %s", ref, text(p.sealed(ref))))
	}
	slices.Sort(values)
	return strings.Join(append(lines, values...), "\n")
}
