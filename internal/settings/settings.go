// Package settings keeps what all instances on a store have to agree on, since it decides
// over everybody's data: how long a webhook may be under way, how much of the journal is
// kept, and the policy of verdicts.
//
//	what an instance was given ──► Agree ──► what counts for all
//
// What was said last counts, and what was left out follows the store. It lies in the store,
// sealed, so that nobody without the sealing key changes a verdict with it.
package settings

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/go-json-experiment/json"

	"github.com/keyrack-dev/keyrack/internal/binding"
	"github.com/keyrack-dev/keyrack/lifecycle"
	"github.com/keyrack-dev/keyrack/seal"
	"github.com/keyrack-dev/keyrack/store"
)

// ErrUnread: what lies in the store is damaged, or another version's or somebody else's.
var ErrUnread = errors.New("keyrack: the settings in the store cannot be read")

// Ref is where the store keeps them.
var Ref = store.Ref{Name: "settings"}

// Settings are what counts for all instances. What is zero is the default.
type Settings struct {
	Horizon time.Duration
	// Age and Entries are the retention of the journal.
	Age     time.Duration
	Entries int
	// Policy is without ProveSince, which is kept by itself.
	Policy lifecycle.Policy
	// Asks and Trusts say whether the application asks Mews, and whether it takes
	// deliveries at their word all the same. They are for those who only look.
	Asks, Trusts bool
}

// kept is how they lie in the store. Durations are in nanoseconds.
type kept struct {
	Horizon, Age                            int64 `json:",omitzero"`
	Entries                                 int   `json:",omitzero"`
	MaxAge, CanceledFor, Grace, AssumeAfter int64 `json:",omitzero"`
	Canceled, Reinstated                    uint8 `json:",omitzero"`
	Levels                                  int   `json:",omitzero"`
	Assume, Asks, Trusts                    bool  `json:",omitzero"`
}

func (s *Settings) kept() kept {
	p := &s.Policy
	return kept{
		Horizon: int64(s.Horizon), Age: int64(s.Age), Entries: s.Entries, Asks: s.Asks, Trusts: s.Trusts,
		MaxAge: int64(p.MaxAge), CanceledFor: int64(p.CanceledFor), Grace: int64(p.Grace), AssumeAfter: int64(p.AssumeAfter),
		Canceled: uint8(p.Canceled), Reinstated: uint8(p.Reinstated), Levels: p.Levels, Assume: p.Assume,
	}
}

func (k *kept) settings() Settings {
	return Settings{
		Horizon: time.Duration(k.Horizon), Age: time.Duration(k.Age), Entries: k.Entries, Asks: k.Asks, Trusts: k.Trusts,
		Policy: lifecycle.Policy{
			MaxAge: time.Duration(k.MaxAge), CanceledFor: time.Duration(k.CanceledFor), Grace: time.Duration(k.Grace),
			AssumeAfter: time.Duration(k.AssumeAfter), Canceled: lifecycle.CanceledPolicy(k.Canceled),
			Reinstated: lifecycle.Flag(k.Reinstated), Levels: k.Levels, Assume: k.Assume,
		},
	}
}

// Read returns the settings of a store; zero ones if it has none. The error is ErrUnread or
// the store's.
func Read(ctx context.Context, s store.Store, sealer seal.Sealer) (Settings, error) {
	all, _, err := read(ctx, s, sealer)
	return all, err
}

func read(ctx context.Context, s store.Store, sealer seal.Sealer) (Settings, []byte, error) {
	value, err := s.Sealed(ctx, Ref)
	if errors.Is(err, store.ErrNotFound) {
		return Settings{}, nil, nil
	}
	if err != nil {
		return Settings{}, nil, fmt.Errorf("keyrack: reading the store: %w", err)
	}
	plain, err := binding.Open(sealer, Ref, value)
	if err != nil || binding.Former(value) { // no former version kept settings
		return Settings{}, value, ErrUnread
	}
	var k kept
	if json.Unmarshal(plain, &k, json.RejectUnknownMembers(false)) != nil {
		return Settings{}, value, ErrUnread
	}
	return k.settings(), value, nil
}

// attempts bounds how often Agree begins again because another instance was faster.
const attempts = 16

// Agree has the store keep what an instance was given, and returns what counts from then
// on and what counted before. A part that is zero (the horizon, the retention or the policy)
// follows the store, unless all is true. Settings that cannot be read are replaced by what
// was given, with the error ErrUnread; otherwise an error is the store's or the sealer's.
func Agree(ctx context.Context, s store.Store, sealer seal.Sealer, given Settings, all bool) (now, before Settings, err error) {
	given.Policy.ProveSince = 0
	for range attempts {
		before, value, unread := read(ctx, s, sealer)
		if unread != nil && !errors.Is(unread, ErrUnread) {
			return now, before, unread
		}
		now := before
		if all || given.Horizon != 0 {
			now.Horizon = given.Horizon
		}
		if all || given.Age != 0 || given.Entries != 0 {
			now.Age, now.Entries = given.Age, given.Entries
		}
		if all || given.Policy != (lifecycle.Policy{}) {
			now.Policy = given.Policy
		}
		now.Asks, now.Trusts = given.Asks, given.Trusts
		if now == before && unread == nil {
			return now, before, nil
		}
		k := now.kept()
		plain, err := json.Marshal(k)
		if err != nil {
			return now, before, fmt.Errorf("keyrack: keeping the settings: %w", err)
		}
		fresh, err := binding.Seal(sealer, Ref, plain)
		if err != nil {
			return now, before, fmt.Errorf("keyrack: sealing: %w", err)
		}
		if err := s.Reseal(ctx, Ref, value, fresh); err != nil {
			return now, before, fmt.Errorf("keyrack: keeping the settings: %w", err)
		}
		has, err := s.Sealed(ctx, Ref)
		if err != nil {
			return now, before, fmt.Errorf("keyrack: reading the store: %w", err)
		}
		if bytes.Equal(has, fresh) {
			return now, before, unread
		}
	}
	return now, before, fmt.Errorf("keyrack: keeping the settings: %w", store.ErrConflict)
}

// Differences returns which settings differ, by name and with both values, for a log. Choices
// are in the words of the command's flags.
func Differences(before, now Settings) (all []any) {
	was, is := before.kept(), now.kept()
	add := func(name string, differs bool, was, is any) {
		if differs {
			all = append(all, name, fmt.Sprintf("%v, was %v", is, was))
		}
	}
	duration := func(name string, was, is int64) { add(name, was != is, time.Duration(was), time.Duration(is)) }
	duration("horizon", was.Horizon, is.Horizon)
	duration("retention age", was.Age, is.Age)
	add("retention entries", was.Entries != is.Entries, was.Entries, is.Entries)
	duration("max age", was.MaxAge, is.MaxAge)
	duration("canceled for", was.CanceledFor, is.CanceledFor)
	duration("grace", was.Grace, is.Grace)
	duration("assume after", was.AssumeAfter, is.AssumeAfter)
	word := func(name string, was, is uint8, words ...string) {
		add(name, was != is, words[min(int(was), len(words)-1)], words[min(int(is), len(words)-1)])
	}
	word("canceled", was.Canceled, is.Canceled, "invalid", "usable", "asks", "unknown to this version")
	word("reinstated", was.Reinstated, is.Reinstated, "asks", "keeps", "sets", "unknown to this version")
	add("levels", was.Levels != is.Levels, was.Levels, is.Levels)
	add("assume", was.Assume != is.Assume, was.Assume, is.Assume)
	return all
}

// The defaults where Mews is asked, and the least age: the time between two probes of
// one integration.
const (
	DefaultMaxAge = 24 * time.Hour
	defaultLevels = 2 // a probe costs less than a mistake
	LeastMaxAge   = 10 * time.Second
)

// InForce returns the policy that verdicts go by, where asks says whether Mews is asked, and
// trusts whether deliveries are taken at their word all the same. The error is the store's.
func (s *Settings) InForce(ctx context.Context, one store.Store, now lifecycle.Instant, asks, trusts, guest bool) (p lifecycle.Policy, err error) {
	p = s.Policy
	if asks {
		p.MaxAge = max(cmp.Or(p.MaxAge, DefaultMaxAge), LeastMaxAge)
		p.Levels = cmp.Or(p.Levels, defaultLevels)
	}
	if asks && !trusts {
		if p.ProveSince, err = ProveSince(ctx, one, now, guest); err != nil {
			return p, fmt.Errorf("keyrack: reading the store: %w", err)
		}
	}
	return p, nil
}

// ProofRef is where the store has since when tokens need proof, in clear.
var ProofRef = store.Ref{Name: "proofs since"}

// ProveSince returns since when tokens need proof in a store: since a Rack with a prober
// first asked for it. What was there before keeps its verdict while it is asked. If nobody
// has asked yet, it is now; a guest sets nothing, and gets 0.
func ProveSince(ctx context.Context, s store.Store, now lifecycle.Instant, guest bool) (since lifecycle.Instant, err error) {
	kept, err := s.Sealed(ctx, ProofRef)
	if errors.Is(err, store.ErrNotFound) {
		if guest {
			return 0, nil
		}
		if kept, err = now.MarshalText(); err == nil {
			err = s.Reseal(ctx, ProofRef, nil, kept)
		}
		if err == nil { // another instance may have been faster
			kept, err = s.Sealed(ctx, ProofRef)
		}
	}
	if err == nil {
		err = since.UnmarshalText(kept)
	}
	return since, err
}
