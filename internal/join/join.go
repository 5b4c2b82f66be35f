package join

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/keyrack-dev/keyrack/internal/binding"
	"github.com/keyrack-dev/keyrack/internal/entry"
	"github.com/keyrack-dev/keyrack/lifecycle"
	"github.com/keyrack-dev/keyrack/seal"
	"github.com/keyrack-dev/keyrack/store"
)

// Options say on what a joining works.
type Options struct {
	Store  store.Store
	Sealer seal.Sealer
	Digest binding.Digest
	// Verdict returns the verdict on a record's current token.
	Verdict func(*lifecycle.Record) lifecycle.Verdict
	Now     func() time.Time
}

var (
	// ErrUnopened: the sealer does not open a token. Nothing was joined, lest it be lost.
	ErrUnopened = errors.New("keyrack: a token does not open")
	// ErrUnread: a record cannot be read. Nothing was joined.
	ErrUnread = errors.New("keyrack: a record cannot be read")
)

// Joined is what became of a joining.
type Joined struct {
	// Record is what the spellings came to; zero if there was nothing to join.
	Record lifecycle.Record
	// Causes are why evidence under one spelling contradicts that under another.
	Causes []string
}

// attempts bounds how often a joining begins again because another instance was faster.
const attempts = 16

// Join joins what a store holds under other spellings of an id into the record under its
// canonical spelling. It does nothing if that has been done. The error is ErrUnopened,
// ErrUnread, or the store's.
func Join(ctx context.Context, o Options, id string, spellings ...string) (Joined, error) {
	j := joiner{Options: o, store: o.Store, sealer: o.Sealer, id: id, spellings: spellings}
	for range attempts {
		joined, err := j.try(ctx)
		if !errors.Is(err, store.ErrConflict) {
			return joined, err
		}
	}
	return Joined{}, fmt.Errorf("keyrack: %d other commits in a row: %w", attempts, store.ErrConflict)
}

type joiner struct {
	Options
	store     store.Store
	sealer    seal.Sealer
	id        string
	spellings []string
}

// try goes through all steps once. store.ErrConflict means that it should begin again.
func (j *joiner) try(ctx context.Context) (Joined, error) {
	stash, err := j.readStash(ctx)
	if err != nil {
		return Joined{}, err
	}
	more, err := j.fill(ctx, &stash)
	if err != nil || stash.empty() {
		return Joined{}, err
	}
	for _, one := range stash.Spans {
		if err := j.leave(ctx, one); err != nil {
			return Joined{}, err
		}
	}
	joined, err := j.commit(ctx, &stash)
	if err != nil {
		return Joined{}, err
	}
	if err := j.writeStash(ctx, &stash, stashContent{}); err != nil {
		return Joined{}, err
	}
	if more {
		return Joined{}, store.ErrConflict // what came to a spelling that had been left
	}
	return joined, nil
}

// load returns the record under a spelling, and the store's view of it.
func (j *joiner) load(ctx context.Context, spelling string) (lifecycle.Record, store.Stored, error) {
	stored, err := j.store.Load(ctx, spelling)
	if errors.Is(err, store.ErrNotFound) {
		return lifecycle.Record{ID: spelling}, stored, nil
	}
	if err != nil {
		return lifecycle.Record{}, stored, err
	}
	record, err := lifecycle.ParseRecord(stored.Record)
	if err != nil {
		err = fmt.Errorf("%w: %w", ErrUnread, err)
	}
	return record, stored, err
}

// isEmpty reports whether a record says nothing, as one that was joined or forgotten.
func isEmpty(r *lifecycle.Record) bool {
	return r.Arrived == 0 && r.Basis == (lifecycle.Basis{}) && len(r.Keys) == 0 && r.State == lifecycle.Unseen
}

// fill writes into the stash what there is to join, unless it is there. A span that has
// grown since, and was not left, is taken anew. It reports whether there is more to join
// once the stash is done.
func (j *joiner) fill(ctx context.Context, s *stash) (more bool, err error) {
	next, fresh := s.stashContent, false
	next.Spans = slices.Clone(next.Spans)
	begun := !s.empty()
	for _, spelling := range j.spellings {
		record, _, err := j.load(ctx, spelling)
		if err != nil {
			return false, err
		}
		if isEmpty(&record) {
			continue
		}
		left, err := j.lastLeft(ctx, spelling)
		if err != nil {
			return false, err
		}
		at := slices.IndexFunc(next.Spans, func(one span) bool { return one.Spelling == spelling })
		switch {
		case at < 0 && begun, at >= 0 && left > next.Spans[at].Through:
			more = true
			continue
		case at < 0:
			next.Spans = append(next.Spans, span{spelling, left, record.Version})
		case next.Spans[at].Through == record.Version:
			continue
		default:
			next.Spans[at].Through = record.Version
		}
		fresh = true
		if next.Tokens, err = j.addTokens(ctx, next.Tokens, &record); err != nil {
			return false, err
		}
	}
	if !fresh {
		return more, nil
	}
	next.Entry = store.NewEntryID(j.Now())
	return more, j.writeStash(ctx, s, next)
}

// addTokens adds the tokens of a record, in clear.
func (j *joiner) addTokens(ctx context.Context, tokens []stashed, r *lifecycle.Record) ([]stashed, error) {
	for _, k := range r.Keys {
		ref := store.Ref{Integration: r.ID, Digest: k.Digest}
		sealed, err := j.store.Sealed(ctx, ref)
		if errors.Is(err, store.ErrNotFound) {
			continue // erased, or never kept
		}
		if err != nil {
			return nil, err
		}
		token, err := binding.OpenToken(j.sealer, j.Digest, ref, sealed)
		if err != nil {
			return nil, fmt.Errorf("%w: %w", ErrUnopened, err)
		}
		tokens = append(tokens, stashed{k.Digest, token})
	}
	return tokens, nil
}

// lastLeft returns the version with which a spelling was left the last time; 0 if never.
func (j *joiner) lastLeft(ctx context.Context, spelling string) (version uint64, err error) {
	for e, err := range j.store.History(ctx, spelling, store.EntryID{}) {
		if err != nil {
			return 0, err
		}
		if evidence, err := lifecycle.ParseEvidence(e.Evidence); err == nil && evidence.Kind == lifecycle.KindJoin {
			version = e.Version
		}
	}
	return version, nil
}

// leave empties the record under a spelling, which gives its digests up, unless that has
// been done.
func (j *joiner) leave(ctx context.Context, one span) error {
	record, _, err := j.load(ctx, one.Spelling)
	if err != nil {
		return err
	}
	if record.Version != one.Through {
		left, err := j.lastLeft(ctx, one.Spelling)
		if err == nil && left <= one.Through {
			err = store.ErrConflict
		}
		return err
	}
	now := j.Now()
	c := j.commitOf(&record, lifecycle.Evidence{
		Kind: lifecycle.KindJoin, At: lifecycle.At(now), Integration: lifecycle.Named{ID: record.ID}, Owner: j.id,
	}, store.NewEntryID(now))
	for _, k := range record.Keys {
		c.Disown = append(c.Disown, k.Digest)
	}
	_, err = j.store.Commit(ctx, c)
	return err
}

// commit folds everything, and commits the result under the canonical spelling.
func (j *joiner) commit(ctx context.Context, s *stash) (Joined, error) {
	record, stored, err := j.load(ctx, j.id)
	if err != nil {
		return Joined{}, err
	}
	own, err := j.part(ctx, stored, span{Through: stored.Version})
	if err != nil {
		return Joined{}, err
	}
	parts := []part{own}
	for _, one := range s.Spans {
		_, stored, err := j.load(ctx, one.Spelling)
		if err != nil {
			return Joined{}, err
		}
		p, err := j.part(ctx, stored, one)
		if err != nil {
			return Joined{}, err
		}
		parts = append(parts, p)
	}
	next, causes := fold(j.id, parts)
	for {
		joined, err := j.put(ctx, s, &record, next)
		var owned *store.OwnedError
		if !errors.As(err, &owned) || !holds(&next, owned.Digest) {
			return Joined{joined, causes}, err
		}
		// Another integration has it meanwhile.
		next.Keys = slices.DeleteFunc(slices.Clone(next.Keys), func(k lifecycle.Key) bool { return k.Digest == owned.Digest })
	}
}

// put commits a record in the place of another, with the tokens of the stash.
func (j *joiner) put(ctx context.Context, s *stash, base *lifecycle.Record, next lifecycle.Record) (lifecycle.Record, error) {
	c := j.commitOf(base, lifecycle.Evidence{
		Kind: lifecycle.KindJoin, At: lifecycle.At(j.Now()), Integration: lifecycle.Named{ID: j.id},
		Record: string(lifecycle.AppendRecord(nil, next)),
	}, s.Entry)
	for _, k := range next.Keys {
		claim := store.Claim{Digest: k.Digest}
		if token := s.token(k.Digest); token != nil {
			if j.Digest(string(token)) != k.Digest {
				return next, fmt.Errorf("%w: %w", ErrUnopened, binding.ErrMoved)
			}
			sealed, err := binding.Seal(j.sealer, store.Ref{Integration: j.id, Digest: k.Digest}, token)
			if err != nil {
				return next, fmt.Errorf("keyrack: sealing: %w", err)
			}
			claim.Sealed = sealed
		}
		if claim.Sealed != nil || !holds(base, k.Digest) {
			c.Claim = append(c.Claim, claim)
		}
	}
	for _, k := range base.Keys {
		if !holds(&next, k.Digest) {
			c.Disown = append(c.Disown, k.Digest)
		}
	}
	committed, err := j.store.Commit(ctx, c)
	next.Version = committed.Version
	return next, err
}

// commitOf returns the commit of evidence about a record.
func (j *joiner) commitOf(r *lifecycle.Record, e lifecycle.Evidence, id store.EntryID) store.Commit {
	next, d := r.Apply(e)
	was := j.Verdict(r)
	judgement := entry.Judgement{Decision: d, Was: was.Status, Is: was.Status, Reason: was.Reason, Labels: next.Labels}
	if e.Record != "" { // else nothing changes but the spelling
		is := j.Verdict(&next)
		judgement.Is, judgement.Reason, judgement.NewToken = is.Status, is.Reason, current(r) != current(&next)
	}
	return store.Commit{
		Entry: store.Entry{
			ID: id, Integration: r.ID, Version: next.Version, At: e.At,
			Evidence: lifecycle.AppendEvidence(nil, e),
			Decision: judgement.Append(nil),
		},
		Expect: r.Version,
		Record: lifecycle.AppendRecord(nil, next),
	}
}

// part reads a span of what is under a spelling.
func (j *joiner) part(ctx context.Context, stored store.Stored, one span) (p part, err error) {
	after := one.After
	if stored.BaseVersion > after {
		if p.base, err = lifecycle.ParseRecord(stored.Base); err != nil {
			err = fmt.Errorf("%w: %w", ErrUnread, err)
			return p, err
		}
		after = stored.BaseVersion
	}
	for e, err := range j.store.History(ctx, stored.Integration, store.EntryID{}) {
		if err != nil {
			return p, err
		}
		if e.Version <= after || e.Version > one.Through {
			continue
		}
		evidence, err := lifecycle.ParseEvidence(e.Evidence)
		if err != nil {
			return p, err
		}
		if evidence.Kind == lifecycle.KindJoin && evidence.Record != "" { // an earlier joining
			if p.base, err = lifecycle.ParseRecord([]byte(evidence.Record)); err != nil {
				return p, err
			}
			p.base.Version, p.evidence = e.Version, nil
			continue
		}
		p.evidence = append(p.evidence, evidence)
	}
	return p, nil
}

// current returns the digest of a record's current token; zero for none.
func current(r *lifecycle.Record) lifecycle.Digest {
	k, _ := r.CurrentKey()
	return k.Digest
}

func holds(r *lifecycle.Record, d lifecycle.Digest) bool {
	_, ok := r.Key(d)
	return ok
}
