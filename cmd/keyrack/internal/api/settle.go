package api

import (
	"context"
	"errors"
	"net/http"
	"time"

	"github.com/keyrack-dev/keyrack"
	"github.com/keyrack-dev/keyrack/internal/entry"
	"github.com/keyrack-dev/keyrack/lifecycle"
)

// SettleRequest is how things are with an integration, as a person says. What is left out
// is not said.
type SettleRequest struct {
	Enabled    *bool  `json:"enabled,omitempty"`
	Canceled   *bool  `json:"canceled,omitempty"`
	Current    string `json:"current,omitempty"` // digest of the token that is current
	Enterprise string `json:"enterprise,omitempty"`
	AnsweredBy string `json:"answered_by,omitempty"`
	AsOfBackup bool   `json:"as_of_backup,omitempty"`
	Who        string `json:"who"`
	Why        string `json:"why"`
}

// SettleResult is what became of it, and the verdict on the current token afterwards.
type SettleResult struct {
	Outcome lifecycle.Outcome `json:"outcome"`
	Cause   string            `json:"cause,omitempty"`
	// Asking is true if Mews is asked. The integration then shows the answer.
	Asking bool `json:"asking"`
	Introspection
}

const settleShape = "the body must be a JSON object with who and why, and at least one of enabled, canceled (true or false), current (the digest of one of the integration's tokens), answered_by (an enterprise) and as_of_backup (true)"

// settle takes in a person's word about an integration.
func (a *Server) settle(w http.ResponseWriter, req *http.Request) {
	said, ok := readJSON[SettleRequest](w, req, settleShape)
	if !ok {
		return
	}
	id := req.PathValue("id")
	record, ok := a.Rack.Record(id)
	if !ok {
		refuseError(w, keyrack.ErrNotFound)
		return
	}
	s := keyrack.Settlement{
		Enabled: flagOf(said.Enabled), Canceled: flagOf(said.Canceled), Enterprise: said.Enterprise, AnsweredBy: said.AnsweredBy,
		AsOfBackup: said.AsOfBackup,
		Who:        keyrack.NewToken(said.Who), Why: keyrack.NewToken(said.Why), By: callerOf(req),
	}
	if said.Current != "" {
		if s.Current, ok = digestOf(&record, said.Current); !ok {
			refuse(w, http.StatusBadRequest, "invalid_request", "current is not the digest of one token of the integration; the integration lists them, and import brings a token that is not known yet")
			return
		}
	}
	receipt, err := a.Rack.Settle(req.Context(), id, s)
	switch {
	case errors.Is(err, keyrack.ErrInvalid):
		refuse(w, http.StatusBadRequest, "invalid_request", settleShape+"; who and why have at most 256 bytes")
	case err != nil:
		a.fail(w, req, err)
	default:
		v := a.Rack.CheckIntegration(id)
		answer(w, http.StatusOK, SettleResult{
			Outcome: receipt.Decision.Outcome, Cause: receipt.Decision.Cause,
			Asking: a.AsksMews && receipt.Decision.Outcome == lifecycle.Applied, Introspection: introspectionOf(v, time.Now()),
		})
	}
}

func flagOf(b *bool) lifecycle.Flag {
	if b == nil {
		return lifecycle.Unset
	}
	return lifecycle.FlagOf(*b)
}

// digestOf returns the digest of the one token of an integration that is shown as text.
func digestOf(r *keyrack.Record, text string) (d lifecycle.Digest, ok bool) {
	for i := range r.Keys {
		if k := r.Keys[i].Digest; k.String() == text {
			if ok {
				return d, false // of two tokens
			}
			d, ok = k, true
		}
	}
	return d, ok
}

// attribute adds who had something done by hand, and why, for a caller who may know.
func (a *Server) attribute(ctx context.Context, e *keyrack.Change, c *Change) {
	if !entry.ByHand(e.Evidence.Kind) {
		return
	}
	if body, err := a.Rack.Body(ctx, e.ID, true); err == nil { // else nobody said, or it was erased or trimmed
		c.Who, c.Why = entry.ReadSaid(body)
	}
}
