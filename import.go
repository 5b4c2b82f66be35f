package keyrack

import (
	"context"
	"fmt"
	"maps"
	"strings"
	"time"

	"github.com/keyrack-dev/keyrack/internal/typed"
	"github.com/keyrack-dev/keyrack/lifecycle"
	"github.com/keyrack-dev/keyrack/store"
)

// Import is an integration as a person knows it: one that existed before Keyrack
// did, whose token came by e-mail, or that is to be reopened after its deletion.
type Import struct {
	// Integration is required. Enterprise and Service may be left out.
	Integration lifecycle.Named
	Enterprise  lifecycle.Named
	Service     lifecycle.Named
	// Token becomes the current token.
	Token Token
	// Labels are added to those that the integration has. A key that it has gets the new
	// value. More than 16 in all are ErrInvalid.
	Labels map[string]string
	// Disabled says that the hotel has disabled the integration.
	Disabled   bool
	CreatedUtc time.Time // may be left out
}

// Import takes in an integration by hand. It is the only thing that reopens a
// deleted one, and never binds one to another enterprise: that, and a token that
// belongs to another integration, is a Conflict in the receipt. An error is
// ErrInvalid, or the store's as for Deliver.
func (r *Rack) Import(ctx context.Context, i Import) (Receipt, error) {
	if err := i.read(); err != nil {
		return Receipt{}, err
	}
	if err := r.roomFor(i.Integration.ID, i.Labels); err != nil {
		return Receipt{}, err
	}
	now := r.clock.Now()
	e := i.evidence(r.digest(i.Token))
	e.At, e.Horizon = lifecycle.At(now), r.rules().horizon
	return r.take(ctx, &taking{id: store.NewEntryID(now), token: i.Token, evidence: e})
}

// read brings what a person typed into its one form, or returns ErrInvalid.
func (i *Import) read() (err error) {
	i.Integration, i.Enterprise, i.Service = clean(i.Integration), clean(i.Enterprise), clean(i.Service)
	if err := i.check(); err != nil {
		return err
	}
	if i.Token, err = typed.Token(i.Token.Reveal()); err != nil {
		return fmt.Errorf("%w: %w", ErrInvalid, err)
	}
	return nil
}

// evidence returns an import that was read, with the digest of its token, as evidence without
// a time.
func (i *Import) evidence(token lifecycle.Digest) lifecycle.Evidence {
	labels, _ := lifecycle.NewLabels(i.Labels) // which were checked
	return lifecycle.Evidence{
		Kind: lifecycle.KindImport, Integration: i.Integration, Enterprise: i.Enterprise, Service: i.Service,
		Token: token, IsEnabled: lifecycle.FlagOf(!i.Disabled), CreatedUtc: lifecycle.At(i.CreatedUtc),
		Labels: labels,
	}
}

// roomFor returns ErrInvalid if an integration would have too many labels.
func (r *Rack) roomFor(id string, more map[string]string) error {
	if record := r.view.Record(id); record != nil && len(more) > 0 {
		all := maps.Collect(record.Labels.All())
		maps.Copy(all, more)
		if _, err := lifecycle.NewLabels(all); err != nil {
			return fmt.Errorf("%w: labels: %w", ErrInvalid, err)
		}
	}
	return nil
}

// Label sets labels of an integration, and removes others, which need not be there. One
// that is not named stays as it is. by names the program or the API key through which it was
// done, and no person. The error is ErrInvalid for what no label may be and for more than
// 16, ErrNotFound, or the store's as for Deliver.
func (r *Rack) Label(ctx context.Context, integration string, set map[string]string, remove []string, by string) (Receipt, error) {
	integration = r.name(typed.ID(integration))
	record := r.view.Record(integration)
	if record == nil {
		return Receipt{}, ErrNotFound
	}
	labels, unlabel, err := labelling(record, set, remove)
	if err != nil {
		return Receipt{}, err
	}
	return r.takeAbout(ctx, integration, lifecycle.Evidence{Kind: lifecycle.KindLabel, Labels: labels, Unlabel: unlabel, By: by})
}

// takeAbout takes in evidence about an integration that arrives now.
func (r *Rack) takeAbout(ctx context.Context, integration string, e lifecycle.Evidence) (Receipt, error) {
	now := r.clock.Now()
	e.At, e.Horizon, e.Integration.ID = lifecycle.At(now), r.rules().horizon, integration
	return r.take(ctx, &taking{id: store.NewEntryID(now), evidence: e})
}

// labelling returns labels to set and the keys of those to remove as evidence has them. The
// error is ErrInvalid for what no label may be, for more than 16, and for none; a nil record
// has no labels yet.
func labelling(record *Record, set map[string]string, remove []string) (labels lifecycle.Labels, unlabel string, err error) {
	all := map[string]string{}
	if record != nil {
		maps.Insert(all, record.Labels.All())
	}
	for _, key := range remove {
		if _, err := lifecycle.NewLabels(map[string]string{key: ""}); err != nil {
			return "", "", fmt.Errorf("%w: a label to remove: %w", ErrInvalid, err)
		}
		delete(all, key)
	}
	if labels, err = lifecycle.NewLabels(set); err == nil {
		maps.Copy(all, set)
		_, err = lifecycle.NewLabels(all)
	}
	switch {
	case err != nil:
		return "", "", fmt.Errorf("%w: labels: %w", ErrInvalid, err)
	case len(set)+len(remove) == 0:
		return "", "", fmt.Errorf("%w: no label is set and none is removed", ErrInvalid)
	}
	return labels, strings.Join(remove, ","), nil
}

// check returns ErrInvalid for what no delivery could have said either, and no
// store or journal could keep.
func (i *Import) check() error {
	if i.Integration.ID == "" || i.Token.IsZero() {
		return fmt.Errorf("%w: an import needs an integration's id and a token", ErrInvalid)
	}
	for _, id := range []string{i.Integration.ID, i.Enterprise.ID, i.Service.ID} {
		if err := checkID(id); err != nil {
			return err
		}
	}
	if len(i.Token.Reveal()) > 1024 {
		return fmt.Errorf("%w: a token is at most 1024 bytes", ErrInvalid)
	}
	if _, err := lifecycle.NewLabels(i.Labels); err != nil {
		return fmt.Errorf("%w: labels: %w", ErrInvalid, err)
	}
	if year := i.CreatedUtc.UTC().Year(); year < 0 || year > 9999 {
		return fmt.Errorf("%w: CreatedUtc must lie between the years 0 and 9999", ErrInvalid)
	}
	return nil
}

// clean makes an identifier and a name that a person brought fit for the journal.
func clean(n lifecycle.Named) lifecycle.Named {
	return lifecycle.Named{ID: typed.ID(n.ID), Name: strings.ToValidUTF8(n.Name, "\ufffd")}
}

// shortenNames bounds the names in a piece of evidence, from whatever source: a name of a
// delivery is kept whole in its sealed body alone.
func shortenNames(e *lifecycle.Evidence) {
	for _, named := range []*lifecycle.Named{&e.Integration, &e.Enterprise, &e.Service} {
		named.Name = typed.Name(named.Name)
	}
}
