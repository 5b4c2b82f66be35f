package storetest

import (
	"bytes"
	"context"
	"errors"
	"iter"
	"regexp"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/keyrack-dev/keyrack/store"
)

// leftovers are sealed values that should not be there.
type leftovers struct {
	mu     sync.Mutex
	values map[store.Ref][]byte
}

// leftovers plants sealed values besides the true ones.
func (s *planted) leftovers() *leftovers {
	l := &leftovers{values: map[store.Ref][]byte{}}
	s.sealed = func(ctx context.Context, ref store.Ref) ([]byte, error) {
		value, err := s.sound.Sealed(ctx, ref)
		l.mu.Lock()
		defer l.mu.Unlock()
		if left, ok := l.values[ref]; ok && errors.Is(err, store.ErrNotFound) {
			return bytes.Clone(left), nil
		}
		return value, err
	}
	return l
}

// keep lets the values outlast what is about to happen.
func (l *leftovers) keep(ctx context.Context, s *planted, refs ...store.Ref) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, ref := range refs {
		if value, err := s.sound.Sealed(ctx, ref); err == nil {
			l.values[ref] = value
		}
	}
}

// bodies returns the addresses of an integration's bodies, tokens those of its tokens.
func (s *planted) bodies(ctx context.Context, integration string) (refs []store.Ref) {
	for e := range s.sound.History(ctx, integration, store.EntryID{}) {
		refs = append(refs, store.Ref{Entry: e.ID})
	}
	return refs
}

func (s *planted) tokens(ctx context.Context, integration string) (refs []store.Ref) {
	for ref := range s.sound.ScanSealed(ctx) {
		if ref.Integration == integration && integration != "" {
			refs = append(refs, ref)
		}
	}
	return refs
}

// sealedFaults are those of sealed values.
var sealedFaults = []fault{
	{"bodies lose their last byte", "Sealed/returns bodies and tokens as they were committed", func(s *planted) {
		s.sealed = func(ctx context.Context, ref store.Ref) ([]byte, error) {
			value, err := s.sound.Sealed(ctx, ref)
			if err == nil && !ref.Entry.IsZero() {
				value = value[:len(value)-1]
			}
			return value, err
		}
	}},
	{"an empty value is a value", "Commit/takes an empty slice for none", func(s *planted) {
		s.sealed = func(ctx context.Context, ref store.Ref) ([]byte, error) {
			value, err := s.sound.Sealed(ctx, ref)
			if _, there := receipt(ctx, s.sound, ref.Entry); there == nil && errors.Is(err, store.ErrNotFound) {
				return nil, nil
			}
			return value, err
		}
	}},
	{"a token is found by its digest alone", "Sealed/of what is not there is ErrNotFound", func(s *planted) {
		s.sealed = func(ctx context.Context, ref store.Ref) ([]byte, error) {
			if owner, err := s.sound.Owner(ctx, ref.Digest); err == nil {
				ref.Integration = owner
			}
			return s.sound.Sealed(ctx, ref)
		}
	}},
	{"Names takes a prefix for a pattern", "Names/yields those that begin with a prefix, in byte order", renaming(func(prefix string, all []string) []string {
		return slices.DeleteFunc(all, func(name string) bool {
			return !regexp.MustCompile("^" + strings.ReplaceAll(regexp.QuoteMeta(prefix), "_", ".")).MatchString(name)
		})
	})},
	{"Names knows no capitals", "Names/yields those that begin with a prefix, in byte order", renaming(func(prefix string, all []string) []string {
		return slices.DeleteFunc(all, func(name string) bool { return !strings.HasPrefix(strings.ToLower(name), strings.ToLower(prefix)) })
	})},
	{"Names leaves out the one that is the prefix", "Names/yields those that begin with a prefix, in byte order", renaming(func(prefix string, all []string) []string {
		return slices.DeleteFunc(all, func(name string) bool { return !strings.HasPrefix(name, prefix) || name == prefix })
	})},
	{"Names ends after a page", "Names/yields those that begin with a prefix, in byte order", renaming(func(prefix string, all []string) []string {
		all = slices.DeleteFunc(all, func(name string) bool { return !strings.HasPrefix(name, prefix) })
		return all[:min(len(all), 256)]
	})},
	{"ScanSealed passes over nameless bodies", "ScanSealed/yields the address of every sealed value once", func(s *planted) {
		s.scanSealed = func(ctx context.Context) iter.Seq2[store.Ref, error] {
			return yielding(func() ([]store.Ref, error) {
				all, err := collect(s.sound.ScanSealed(ctx))
				nameless := s.bodies(ctx, "")
				return slices.DeleteFunc(all, func(ref store.Ref) bool { return slices.Contains(nameless, ref) }), err
			})
		}
	}},
	{"Reseal does nothing", "Reseal/replaces the value that it knows", func(s *planted) {
		s.reseal = func(ctx context.Context, ref store.Ref, old, new []byte) error {
			if len(old) > 0 {
				return ctx.Err()
			}
			return s.sound.Reseal(ctx, ref, old, new)
		}
	}},
	{"Reseal does not compare", "Reseal/leaves a value that is another by now", func(s *planted) {
		s.reseal = func(ctx context.Context, ref store.Ref, old, new []byte) error {
			if value, err := s.sound.Sealed(ctx, ref); err == nil {
				old = value
			}
			return s.sound.Reseal(ctx, ref, old, new)
		}
	}},
	{"Reseal brings back what was erased", "Reseal/adds nothing but a value with a name", func(s *planted) {
		erased := s.leftovers()
		s.reseal = func(ctx context.Context, ref store.Ref, old, new []byte) error {
			if _, err := s.sound.Sealed(ctx, ref); errors.Is(err, store.ErrNotFound) {
				erased.mu.Lock()
				erased.values[ref] = new
				erased.mu.Unlock()
			}
			return s.sound.Reseal(ctx, ref, old, new)
		}
		s.scanSealed = func(ctx context.Context) iter.Seq2[store.Ref, error] {
			return yielding(func() ([]store.Ref, error) {
				all, err := collect(s.sound.ScanSealed(ctx))
				erased.mu.Lock()
				defer erased.mu.Unlock()
				for ref := range erased.values {
					if !slices.Contains(all, ref) {
						all = append(all, ref)
					}
				}
				return all, err
			})
		}
	}},
	{"Reseal with nothing erases", "Reseal/with a nil new is ErrInvalid and erases nothing", func(s *planted) {
		s.reseal = func(ctx context.Context, ref store.Ref, old, new []byte) error {
			if len(new) == 0 {
				return s.sound.Shred(ctx, ref)
			}
			return s.sound.Reseal(ctx, ref, old, new)
		}
	}},
	{"Reseal compares before it replaces", "Reseal/by many at once adds a name once, and replaces it in turn", func(s *planted) {
		s.reseal = func(ctx context.Context, ref store.Ref, old, new []byte) error {
			value, err := s.sound.Sealed(ctx, ref)
			if err == nil && len(old) == 0 {
				return nil
			}
			time.Sleep(50 * time.Microsecond)
			if bytes.Equal(value, old) && ref.Name != "" && len(new) > 0 {
				s.sound.Shred(ctx, ref)
				old = nil
			}
			return s.sound.Reseal(ctx, ref, old, new)
		}
	}},
	{"Shred frees the digest", "Shred/erases the values, and leaves digests and entries", func(s *planted) {
		owners := s.owners()
		s.shred = func(ctx context.Context, refs ...store.Ref) error {
			for _, ref := range refs {
				owners.Store(ref.Digest, "")
			}
			return s.sound.Shred(ctx, refs...)
		}
	}},
	{"Shred erases the first value only", "Shred/erases the values, and leaves digests and entries", func(s *planted) {
		s.shred = func(ctx context.Context, refs ...store.Ref) error {
			return s.sound.Shred(ctx, refs[:min(1, len(refs))]...)
		}
	}},
	{"Shred stops at what is not there", "Shred/passes over what is not there", func(s *planted) {
		s.shred = func(ctx context.Context, refs ...store.Ref) error {
			for _, ref := range refs {
				if _, err := s.sound.Sealed(ctx, ref); err != nil {
					return err
				}
				s.sound.Shred(ctx, ref)
			}
			return s.sound.Shred(ctx)
		}
	}},
}

// renaming plants a change of what Names yields, of all names.
func renaming(f func(prefix string, all []string) []string) func(*planted) {
	return func(s *planted) {
		s.names = func(ctx context.Context, prefix string) iter.Seq2[string, error] {
			return yielding(func() ([]string, error) {
				all, err := collect(s.sound.Names(ctx, ""))
				return f(prefix, all), err
			})
		}
	}
}
