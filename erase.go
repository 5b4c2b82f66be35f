package keyrack

import (
	"context"
	"errors"

	"github.com/keyrack-dev/keyrack/lifecycle"
	"github.com/keyrack-dev/keyrack/store"
)

// EraseBodies erases the bodies of all deliveries about an integration, and with
// them whatever they said of persons. What was decided stays, and the journal
// says that it was done. The error is ErrNotFound, or the store's.
func (r *Rack) EraseBodies(ctx context.Context, integration string) (Receipt, error) {
	return r.erase(ctx, integration, lifecycle.KindErase)
}

// Forget erases everything about an integration: its record, its history, its
// tokens and their digests. What is left is an entry in the journal that says
// so. A webhook that comes later meets an integration that was never heard of.
// The error is ErrNotFound, or the store's.
func (r *Rack) Forget(ctx context.Context, integration string) (Receipt, error) {
	return r.erase(ctx, integration, lifecycle.KindForget)
}

// ForgetEnterprise forgets all integrations of an enterprise, and returns how
// many they were. It stops at the first error.
func (r *Rack) ForgetEnterprise(ctx context.Context, enterprise string) (int, error) {
	records := r.Enterprise(enterprise)
	for i, record := range records {
		if _, err := r.Forget(ctx, record.ID); err != nil && !errors.Is(err, ErrNotFound) {
			return i, err
		}
	}
	return len(records), nil
}

func (r *Rack) erase(ctx context.Context, integration string, kind lifecycle.Kind) (Receipt, error) {
	if _, ok := r.Record(integration); !ok {
		return Receipt{}, ErrNotFound
	}
	now := r.clock.now()
	return r.take(ctx, &taking{id: store.NewEntryID(now), evidence: lifecycle.Evidence{
		Kind: kind, At: lifecycle.At(now), Horizon: r.options.horizon(), Integration: lifecycle.Named{ID: integration},
	}})
}
