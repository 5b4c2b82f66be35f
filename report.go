package keyrack

import (
	"context"
	"net/http"
	"time"

	"github.com/keyrack-dev/keyrack/internal/probe"
	"github.com/keyrack-dev/keyrack/lifecycle"
	"github.com/keyrack-dev/keyrack/store"
)

// refresh is how old proof may become before an application's further 200 is
// worth an entry in the journal.
const refresh = time.Hour

// Report takes in what the application saw on a call of its own to Mews: the
// status of the answer to a request with this token that began at began. A 200
// is proof that the token worked then. A 401 settles nothing, since it may be
// about a permission: the verdict is Unknown until a probe. Every other status
// says nothing of the token and is passed over.
//
// It may be called for every request: what tells nothing new costs a look-up and
// is not journalled (then the receipt is zero). The error is ErrNotFound for a
// token that nobody knows, and otherwise as for Deliver.
func (r *Rack) Report(ctx context.Context, token string, status int, began time.Time) (Receipt, error) {
	return r.report(ctx, seenAnswer{r.digester.Sum(token), 0, status, began})
}

func (r *Rack) report(ctx context.Context, o seenAnswer) (Receipt, error) {
	now := r.clock.Now()
	e := lifecycle.Evidence{
		Kind: lifecycle.KindReport, At: lifecycle.At(now), Horizon: r.options.horizon(),
		// Nothing begins after its answer, though the caller's clock may say so.
		Token: o.digest, Began: min(lifecycle.At(o.began), lifecycle.At(now)), Generation: o.generation,
	}
	switch o.status {
	case http.StatusOK:
		e.Answer = lifecycle.Accepted
	case http.StatusUnauthorized:
		if r.trouble.Load() {
			return Receipt{}, nil // it says no more about the token than Mews's other answers do
		}
		e.Answer = lifecycle.Unattributed
	default:
		return Receipt{}, nil
	}
	record := r.view.Owner(e.Token)
	if record == nil {
		return Receipt{}, ErrNotFound
	}
	if e.Answer == lifecycle.Accepted && r.schedule != nil && e.At.Sub(e.Began) <= probe.Window {
		r.schedule.Heard(ctx, record.ID, e.Began.Time())
	}
	e.Integration.ID = record.ID
	if !r.tells(record, &e) {
		return Receipt{}, nil
	}
	return r.take(ctx, &taking{id: store.NewEntryID(now), evidence: e})
}

// reports whether an answer of the application's says anything that the record
// does not know.
func (r *Rack) tells(record *Record, e *lifecycle.Evidence) bool {
	key, _ := record.Key(e.Token)
	if e.Began < key.Began || e.Generation != 0 && e.Generation != record.Generation ||
		e.Generation == 0 && e.Began <= record.Arrived {
		return false // overtaken
	}
	if e.Answer == lifecycle.Accepted {
		if e.Began.Sub(key.Accepted) >= refresh {
			return true
		}
		// What a 200 did not prove, the next does not either.
		v := record.Verdict(e.Token, &r.policy, e.At)
		proved := key.Answer == lifecycle.Accepted && key.Generation == record.Generation && key.Doubt == 0
		return v.Reason == lifecycle.ReasonLease || !proved && (v.Status != lifecycle.Valid || v.Assumed)
	}
	return key.Doubt == 0 && key.Answer != lifecycle.Rejected
}
