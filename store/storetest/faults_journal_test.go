package storetest

import (
	"context"
	"iter"
	"slices"
	"strings"
	"time"

	"github.com/keyrack-dev/keyrack/store"
)

// rejournal plants a change of what Journal yields.
func rejournal(f func(s *planted, all []store.Entry) []store.Entry) func(*planted) {
	return func(s *planted) {
		s.journal = func(ctx context.Context, after store.Position) iter.Seq2[store.Entry, error] {
			return yielding(func() ([]store.Entry, error) {
				all, err := collect(s.sound.Journal(ctx, after))
				return f(s, all), err
			})
		}
	}
}

// rehistory plants a change of what History yields.
func rehistory(f func(ctx context.Context, s *planted, all []store.Entry) []store.Entry) func(*planted) {
	return func(s *planted) {
		s.history = func(ctx context.Context, integration string, after store.EntryID) iter.Seq2[store.Entry, error] {
			return yielding(func() ([]store.Entry, error) {
				all, err := collect(s.sound.History(ctx, integration, after))
				return f(ctx, s, all), err
			})
		}
	}
}

// journalFaults are those of Journal, Bounds, History and Annotate.
var journalFaults = []fault{
	{"the journal loses entries", "Journal/yields every entry once, in order of positions above 0", rejournal(func(s *planted, all []store.Entry) []store.Entry {
		return slices.DeleteFunc(all, func(e store.Entry) bool { return e.Position%4 == 3 })
	})},
	{"the journal comes newest first", "Journal/yields every entry once, in order of positions above 0", rejournal(func(s *planted, all []store.Entry) []store.Entry {
		slices.Reverse(all)
		return all
	})},
	{"the journal forgets whose entries are", "Journal/yields every entry once, in order of positions above 0", rejournal(func(s *planted, all []store.Entry) []store.Entry {
		for i := range all {
			all[i].Integration = ""
		}
		return all
	})},
	{"positions go by the entry ids", "Journal/has the entries of one integration in order of their versions", rejournal(func(s *planted, all []store.Entry) []store.Entry {
		at := positions(all)
		slices.SortFunc(all, func(a, b store.Entry) int { return slices.Compare(a.ID[8:], b.ID[8:]) })
		for i := range all {
			all[i].Position = at[i]
		}
		return all
	})},
	{"the journal begins with the position itself", "Journal/goes on from every position without gap or repetition", func(s *planted) {
		s.journal = func(ctx context.Context, after store.Position) iter.Seq2[store.Entry, error] {
			return s.sound.Journal(ctx, max(after, 1)-1)
		}
	}},
	{"the journal lags", "Journal/has an entry as soon as its commit has returned", rejournal(func(s *planted, all []store.Entry) []store.Entry {
		return slices.DeleteFunc(all, func(e store.Entry) bool { return time.Since(e.At.Time()) < time.Second })
	})},
	{"a position beyond the end is the beginning", "Journal/after its end is empty", func(s *planted) {
		s.journal = func(ctx context.Context, after store.Position) iter.Seq2[store.Entry, error] {
			if first, last, _ := s.sound.Bounds(ctx); after > last {
				after = first
			}
			return s.sound.Journal(ctx, after)
		}
	}},
	{"the journal goes on as long as there is more", "Journal/ends with what was there when it began", func(s *planted) {
		s.journal = func(ctx context.Context, after store.Position) iter.Seq2[store.Entry, error] {
			return func(yield func(store.Entry, error) bool) {
				for found := true; found; {
					found = false
					for e, err := range s.sound.Journal(ctx, after) {
						if !yield(e, err) || err != nil {
							return
						}
						after, found = e.Position, true
					}
				}
			}
		}
	}},
	{"Bounds gives the next position", "Bounds/are where the journal can be followed from, and its newest entry", func(s *planted) {
		s.bounds = func(ctx context.Context) (store.Position, store.Position, error) {
			first, last, err := s.sound.Bounds(ctx)
			return first, last + 1, err
		}
	}},
	{"Bounds begins at the first entry", "Bounds/are where the journal can be followed from, and its newest entry", func(s *planted) {
		s.bounds = func(ctx context.Context) (store.Position, store.Position, error) {
			first, last, err := s.sound.Bounds(ctx)
			return min(first+1, last), last, err
		}
	}},
	{"Bounds are those of the entries that are left", "Bounds/stay true when entries are trimmed", func(s *planted) {
		s.bounds = func(ctx context.Context) (store.Position, store.Position, error) {
			first, last, err := s.sound.Bounds(ctx)
			if left, _ := collect(s.sound.Journal(ctx, first)); err == nil && len(left) == 0 {
				return 0, 0, nil
			}
			return first, last, err
		}
	}},

	{"History shows the nameless entries too", "History/yields the entries of one integration, oldest first", rehistory(func(ctx context.Context, s *planted, all []store.Entry) []store.Entry {
		if len(all) > 0 && all[0].Integration != "" {
			nameless, _ := collect(s.sound.History(ctx, "", store.EntryID{}))
			all = append(all, nameless...)
		}
		return all
	})},
	{"History comes newest first", "History/yields the entries of one integration, oldest first", rehistory(func(ctx context.Context, s *planted, all []store.Entry) []store.Entry {
		slices.Reverse(all)
		return all
	})},
	{"History ends after a page", "History/yields the entries of one integration, oldest first", rehistory(func(ctx context.Context, s *planted, all []store.Entry) []store.Entry {
		return all[:min(len(all), 128)]
	})},
	{"History of what is not there is that of another", "History/of an integration that is not there is empty", func(s *planted) {
		s.history = func(ctx context.Context, integration string, after store.EntryID) iter.Seq2[store.Entry, error] {
			return s.sound.History(ctx, strings.ToLower(integration), after)
		}
	}},
	{"History begins with the entry after which it was to begin", "History/goes on after any of its entries", func(s *planted) {
		s.history = func(ctx context.Context, integration string, after store.EntryID) iter.Seq2[store.Entry, error] {
			return yielding(func() ([]store.Entry, error) {
				all, err := collect(s.sound.History(ctx, integration, store.EntryID{}))
				return all[max(0, slices.IndexFunc(all, func(e store.Entry) bool { return e.ID == after })):], err
			})
		}
	}},
	{"History after what is gone is empty", "History/goes on after any of its entries", func(s *planted) {
		s.history = func(ctx context.Context, integration string, after store.EntryID) iter.Seq2[store.Entry, error] {
			return yielding(func() ([]store.Entry, error) {
				all, err := collect(s.sound.History(ctx, integration, store.EntryID{}))
				at := slices.IndexFunc(all, func(e store.Entry) bool { return e.ID == after })
				if at < 0 && !after.IsZero() {
					return nil, err
				}
				return all[at+1:], err
			})
		}
	}},
	{"History ends a page after where it began", "History/goes on after any of its entries", func(s *planted) {
		s.history = func(ctx context.Context, integration string, after store.EntryID) iter.Seq2[store.Entry, error] {
			return yielding(func() ([]store.Entry, error) {
				all, err := collect(s.sound.History(ctx, integration, after))
				if !after.IsZero() {
					all = all[:min(len(all), 256)]
				}
				return all, err
			})
		}
	}},
	{"History goes by the entry's place, whosever it is", "History/goes on after any of its entries", func(s *planted) {
		s.history = func(ctx context.Context, integration string, after store.EntryID) iter.Seq2[store.Entry, error] {
			return yielding(func() ([]store.Entry, error) {
				first, _, _ := s.sound.Bounds(ctx)
				journal, _ := collect(s.sound.Journal(ctx, first))
				at := slices.IndexFunc(journal, func(e store.Entry) bool { return e.ID == after })
				all, err := collect(s.sound.History(ctx, integration, store.EntryID{}))
				if at >= 0 {
					all = slices.DeleteFunc(all, func(e store.Entry) bool { return e.Position <= journal[at].Position })
				}
				return all, err
			})
		}
	}},
	{"History numbers by itself", "History/gives the journal's positions, or none yet", rehistory(func(ctx context.Context, s *planted, all []store.Entry) []store.Entry {
		for i := range all {
			all[i].Position = store.Position(i) + 1
		}
		return all
	})},
	{"an answer is noted at the entry before", "Annotate/notes how the deliveries of these entries were answered, and nothing else", func(s *planted) {
		s.annotate = func(ctx context.Context, annotations ...store.Annotation) error {
			all, _ := collect(s.sound.History(ctx, "a", store.EntryID{}))
			for i, a := range annotations {
				for j := 1; j < len(all); j++ {
					if all[j].ID == a.ID {
						annotations[i].ID = all[j-1].ID
					}
				}
			}
			return s.sound.Annotate(ctx, annotations...)
		}
	}},
	{"only the first note counts", "Annotate/notes how the deliveries of these entries were answered, and nothing else", func(s *planted) {
		s.annotate = func(ctx context.Context, annotations ...store.Annotation) error {
			return s.sound.Annotate(ctx, slices.DeleteFunc(annotations, func(a store.Annotation) bool {
				r, err := receipt(ctx, s.sound, a.ID)
				return err == nil && r.Entry.Response != store.Response{}
			})...)
		}
	}},
	{"an entry that is gone stops Annotate", "Annotate/passes over entries that are not there", func(s *planted) {
		s.annotate = func(ctx context.Context, annotations ...store.Annotation) error {
			for _, a := range annotations {
				if _, err := receipt(ctx, s.sound, a.ID); err != nil {
					return nil
				}
				s.sound.Annotate(ctx, a)
			}
			return s.sound.Annotate(ctx)
		}
	}},
}
