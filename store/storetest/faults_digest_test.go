package storetest

import (
	"context"
	"errors"
	"fmt"
	"sync"

	"github.com/keyrack-dev/keyrack/lifecycle"
	"github.com/keyrack-dev/keyrack/store"
)

// owners plants owners that take precedence over the true ones, "" for nobody.
func (s *planted) owners() *sync.Map {
	var owners sync.Map
	s.owner = func(ctx context.Context, d lifecycle.Digest) (string, error) {
		switch owner, ok := owners.Load(d); {
		case !ok:
			return s.sound.Owner(ctx, d)
		case owner == "":
			return "", store.ErrNotFound
		default:
			return owner.(string), nil
		}
	}
	return &owners
}

// digestFaults are those of Claim, Disown and Owner.
var digestFaults = []fault{
	{"only the first digest is claimed", "Owner/is the integration whose commit claimed the digest", editing(func(s *planted, c *store.Commit) {
		c.Claim = c.Claim[:min(1, len(c.Claim))]
	})},
	{"Owner finds nobody, without an error", "Owner/of a digest that nobody claimed is ErrNotFound", func(s *planted) {
		s.owner = func(ctx context.Context, d lifecycle.Digest) (string, error) {
			owner, err := s.sound.Owner(ctx, d)
			if errors.Is(err, store.ErrNotFound) {
				err = nil
			}
			return owner, err
		}
	}},
	{"a digest is stolen", "Claim/of a digest that another integration owns is ErrOwned and changes nothing", func(s *planted) {
		owners := s.owners()
		s.commit = func(ctx context.Context, c store.Commit) (store.Committed, error) {
			claim := c.Claim
			r, err := s.sound.Commit(ctx, c)
			if errors.Is(err, store.ErrOwned) {
				c.Claim = nil
				if r, err = s.sound.Commit(ctx, c); err == nil {
					for _, claimed := range claim {
						owners.Store(claimed.Digest, c.Entry.Integration)
					}
				}
			}
			return r, err
		}
	}},
	{"ErrOwned comes bare", "Claim/that is refused names the digest and its owner", func(s *planted) {
		s.commit = func(ctx context.Context, c store.Commit) (store.Committed, error) {
			r, err := s.sound.Commit(ctx, c)
			if errors.Is(err, store.ErrOwned) {
				err = store.ErrOwned
			}
			return r, err
		}
	}},
	{"ErrOwned names the wrong digest", "Claim/that is refused names the digest and its owner", func(s *planted) {
		s.commit = func(ctx context.Context, c store.Commit) (store.Committed, error) {
			r, err := s.sound.Commit(ctx, c)
			if owned, ok := errors.AsType[*store.OwnedError](err); ok {
				err = fmt.Errorf("commit: %w", &store.OwnedError{Digest: c.Claim[0].Digest, Owner: owned.Owner})
			}
			return r, err
		}
	}},
	{"a claim without a token erases the token", "Claim/of an own digest leaves its token, or replaces it where it brings one", following(func(ctx context.Context, s *planted, c store.Commit, err error) {
		for _, claim := range c.Claim {
			if err == nil && claim.Sealed == nil {
				s.sound.Shred(ctx, store.Ref{Integration: c.Entry.Integration, Digest: claim.Digest})
			}
		}
	})},
	{"Disown frees nothing", "Disown/frees the digest and erases its token", editing(func(s *planted, c *store.Commit) {
		c.Disown = nil
	})},
	{"Disown frees what others own", "Disown/of what the integration does not own is passed over", func(s *planted) {
		owners := s.owners()
		s.commit = func(ctx context.Context, c store.Commit) (store.Committed, error) {
			r, err := s.sound.Commit(ctx, c)
			for _, d := range c.Disown {
				owners.Store(d, "")
			}
			return r, err
		}
	}},
}
