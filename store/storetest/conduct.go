package storetest

import (
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/keyrack-dev/keyrack/lifecycle"
	"github.com/keyrack-dev/keyrack/store"
)

// conductPromises are those about all methods.
var conductPromises = []promise{
	{"Context/that has ended is what every method answers with", func(p *probe) {
		canceled, cancel := context.WithCancel(p.Context())
		cancel()
		expired, cancel := context.WithTimeout(p.Context(), -time.Hour)
		defer cancel()
		p.grow("a", 2)
		lease := p.acquire("name", "holder", time.Hour)
		for _, ctx := range []context.Context{canceled, expired} {
			for method, err := range p.callAll(ctx, p.sealedEvidence("a", 2), lease) {
				p.is(err, ctx.Err(), method)
			}
			for method, err := range p.callAll(ctx, p.sealedEvidence("new", 0), store.Lease{Name: "new", Holder: "holder"}) {
				p.is(err, ctx.Err(), method+" about what is not there")
			}
		}
	}},
	{"Errors/hold no values", func(p *probe) {
		mine := p.sealedEvidence("mine-4f1c", 1)
		theirs := p.grow("theirs-8d2e", 2)
		p.trim("theirs-8d2e", 1, []byte("base-61b0"))
		lease := p.acquire("name-77aa", "holder-03fe", time.Hour)
		stolen := store.Lease{Name: lease.Name, Holder: "thief-5b5b", Fence: lease.Fence + 1}
		secrets := []string{
			"mine-4f1c", "theirs-8d2e", "base-61b0", "name-77aa", "holder-03fe", "thief-5b5b",
			string(mine.Record), string(mine.Entry.Evidence), string(mine.Entry.Decision),
			string(mine.Body), hex.EncodeToString(mine.Body), string(mine.Claim[0].Sealed), hex.EncodeToString(mine.Claim[0].Sealed),
			mine.Entry.ID.String(), hex.EncodeToString(mine.Entry.ID[:]), string(mine.Entry.ID[:]),
			theirs[0].Entry.ID.String(), hex.EncodeToString(theirs[0].Entry.ID[:]),
		}
		for _, d := range p.digests {
			secrets = append(secrets, d.String(), hex.EncodeToString(d[:]), string(d[:]))
		}
		silent := func(what string, err error) {
			for _, message := range messages(err) {
				for _, secret := range secrets {
					if strings.Contains(strings.ToLower(message), strings.ToLower(secret)) {
						p.Errorf("%s: the error holds a value: %q", what, message)
					}
				}
			}
		}
		ctx := p.Context()
		ended, cancel := context.WithCancelCause(ctx)
		cancel(errors.New("mine-4f1c"))
		claim, twice, dated := mine, mine, mine
		claim.Expect, claim.Claim = 0, []store.Claim{{Digest: theirs[0].Claim[0].Digest}}
		twice.Expect, twice.Disown = 0, []lifecycle.Digest{mine.Claim[0].Digest}
		dated.Entry.Integration = "theirs-8d2e"
		for what, c := range map[string]store.Commit{"ErrConflict": mine, "ErrOwned": claim, "ErrInvalid": twice, "of an old version": dated} {
			_, err := p.s.Commit(ctx, c)
			silent("Commit, "+what, err)
			if err == nil {
				p.Errorf("Commit, %s: no error", what)
			}
		}
		for method, err := range p.callAll(ctx, mine, stolen) {
			silent(method, err)
		}
		for method, err := range p.callAll(ended, mine, stolen) {
			silent(method+" with a context that has ended", err)
		}
		_, err := collect(p.s.Journal(ctx, 0))
		silent("Journal, ErrTrimmed", err)
		silent("Trim beyond the version", p.s.Trim(ctx, "theirs-8d2e", 9, []byte("base-61b0")))
		silent("Reseal with nothing", p.s.Reseal(ctx, body(theirs[1]), theirs[1].Body, nil))
		_, err = p.s.Acquire(ctx, "name-77aa", "", time.Hour)
		silent("Acquire without a holder", err)
		_, err = p.s.Acquire(ctx, "name-77aa", "thief-5b5b", time.Hour)
		silent("Acquire of what is held", err)
	}},
	{"Bytes/that a store was given may be changed afterwards", func(p *probe) {
		c := p.sealedEvidence("a", 0)
		want := stored(c)
		want.Record = slices.Clone(c.Record)
		e := entry(c)
		e.Evidence, e.Decision = slices.Clone(c.Entry.Evidence), slices.Clone(c.Entry.Decision)
		itsBody, itsToken := slices.Clone(c.Body), slices.Clone(c.Claim[0].Sealed)
		d := c.Claim[0].Digest
		r := p.commit(c)
		scribble(c.Record, c.Entry.Evidence, c.Entry.Decision, c.Body, c.Claim[0].Sealed)
		c.Claim[0] = store.Claim{Digest: p.digest()}
		p.same("receipt", r.Entry, e)
		p.same("integration", p.load("a"), want)
		p.same("history", p.history("a"), []store.Entry{e})
		p.same("body", p.sealed(body(c)), itsBody)
		p.same("token", p.sealed(store.Ref{Integration: "a", Digest: d}), itsToken)

		resealed, base, named := secret("resealed"), []byte("base"), secret("named")
		itsResealed, itsNamed := slices.Clone(resealed), slices.Clone(named)
		p.is(p.s.Reseal(p.Context(), store.Ref{Integration: "a", Digest: d}, itsToken, resealed), nil, "Reseal")
		p.named("name", named)
		p.trim("a", 1, base)
		scribble(resealed, base, named)
		p.same("base", p.load("a").Base, []byte("base"))
		p.same("token", p.sealed(store.Ref{Integration: "a", Digest: d}), itsResealed)
		p.same("named value", p.sealed(store.Ref{Name: "name"}), itsNamed)
	}},
	{"Bytes/that a store is given may share an array, and are left as they are", func(p *probe) {
		c := p.sealedEvidence("a", 0)
		sealed := c.Claim[0].Sealed
		array := slices.Concat(c.Entry.Evidence, c.Entry.Decision, c.Record, c.Body, sealed)
		want, rest := slices.Clone(array), array
		// Without spare capacity, so that a store may append to each.
		piece := func(of []byte) []byte {
			cut := rest[:len(of):len(of)]
			rest = rest[len(of):]
			return cut
		}
		first := c
		first.Entry.Evidence, first.Entry.Decision = piece(c.Entry.Evidence), piece(c.Entry.Decision)
		first.Record, first.Body = piece(c.Record), piece(c.Body)
		first.Claim = []store.Claim{{Digest: c.Claim[0].Digest, Sealed: piece(sealed)}}
		p.same("receipt", p.commit(first), store.Committed{Version: 1, Entry: entry(c)})
		p.same("what was given", array, want)
		p.same("integration", p.load("a"), stored(c))
		p.same("history", p.history("a"), entries(c))
		p.same("body", p.sealed(body(c)), c.Body)
		p.same("token", p.sealed(token(c)), sealed)
	}},
	{"Bytes/that a store returned may be changed afterwards", func(p *probe) {
		all := p.grow("a", 3)
		p.trim("a", 1, all[0].Record)
		p.named("name", secret("named"))
		want := p.everything()
		// Twice, because a store may keep something ready for the second time.
		for range 2 {
			for range 2 {
				r := p.commit(all[2])
				scribble(r.Entry.Evidence, r.Entry.Decision)
			}
			for _, s := range append(p.scan(""), p.load("a")) {
				scribble(s.Record, s.Base)
			}
			for _, e := range append(p.left(), p.history("a")...) {
				scribble(e.Evidence)
				// Nor do two of them share the memory behind their ends.
				scribble(append(e.Evidence, 0))
				p.same("decision", e.Decision, decision(all, e.ID))
				scribble(e.Decision)
			}
			for _, ref := range p.refs() {
				scribble(p.sealed(ref))
			}
			p.same("everything", p.everything(), want)
		}
	}},
}

// callAll calls every method with arguments from c and l, and returns their errors.
func (p *probe) callAll(ctx context.Context, c store.Commit, l store.Lease) map[string]error {
	errs := map[string]error{}
	s, id := p.s, c.Entry.Integration
	_, errs["Commit"] = s.Commit(ctx, c)
	_, errs["Load"] = s.Load(ctx, id)
	_, errs["Incarnation"] = s.Incarnation(ctx)
	errs["Renew"] = s.Renew(ctx)
	_, errs["Scan"] = collect(s.Scan(ctx, ""))
	_, errs["Owner"] = s.Owner(ctx, c.Claim[0].Digest)
	_, errs["Journal"] = collect(s.Journal(ctx, 0))
	_, _, errs["Bounds"] = s.Bounds(ctx)
	_, errs["History"] = collect(s.History(ctx, id, store.EntryID{}))
	errs["Annotate"] = s.Annotate(ctx, store.Annotation{ID: c.Entry.ID})
	_, errs["Sealed"] = s.Sealed(ctx, body(c))
	_, errs["Names"] = collect(s.Names(ctx, ""))
	_, errs["ScanSealed"] = collect(s.ScanSealed(ctx))
	errs["Reseal"] = s.Reseal(ctx, body(c), c.Body, c.Record)
	errs["Shred"] = s.Shred(ctx, body(c), token(c))
	errs["Trim"] = s.Trim(ctx, id, c.Expect, c.Record)
	_, errs["Acquire"] = s.Acquire(ctx, l.Name, l.Holder, time.Hour)
	errs["Advance"] = s.Advance(ctx, l, 1)
	_, errs["Cursor"] = s.Cursor(ctx, l.Name)
	errs["Release"] = s.Release(ctx, l)
	return errs
}

// messages returns the texts of an error and of all errors that it wraps.
func messages(err error) []string {
	if err == nil {
		return nil
	}
	all := []string{err.Error(), fmt.Sprintf("%+v", err)}
	switch err := err.(type) {
	case interface{ Unwrap() error }:
		all = append(all, messages(err.Unwrap())...)
	case interface{ Unwrap() []error }:
		for _, e := range err.Unwrap() {
			all = append(all, messages(e)...)
		}
	}
	return all
}

func scribble(slices ...[]byte) {
	for _, b := range slices {
		for i := range b {
			b[i] = '#'
		}
	}
}

func decision(all []store.Commit, id store.EntryID) []byte {
	for _, c := range all {
		if c.Entry.ID == id {
			return c.Entry.Decision
		}
	}
	return nil
}
