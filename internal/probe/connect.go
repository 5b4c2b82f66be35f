package probe

import (
	"context"
	"errors"
	"slices"

	"github.com/keyrack-dev/keyrack/connector"
	"github.com/keyrack-dev/keyrack/lifecycle"
	"github.com/keyrack-dev/keyrack/store"
)

// witnesses is how many other tokens Connect asks about at most.
const witnesses = 3

// Connect asks Mews about a token that no integration has yet, outside of the queue: somebody
// waits for it. Witnessed says of a 401 that another hotel's token worked between two of
// them, so that it is about this token. What other tokens are answered is not taken in.
func (s *Schedule) Connect(ctx context.Context, token lifecycle.Token, enterprise string) (answer connector.Answer, witnessed bool) {
	answer = s.probe(ctx, "", token, enterprise)
	if answer.Kind != connector.Unauthorized {
		return answer, false
	}
	var tried []string
	for range witnesses {
		record := s.latest(tried)
		if record == nil {
			break
		}
		tried = append(tried, record.ID)
		key, _ := record.CurrentKey()
		other, err := s.Owner.Token(ctx, record.ID, key.Digest)
		if errors.Is(err, store.ErrNotFound) || err == nil && other.Reveal() == token.Reveal() {
			continue
		}
		if err != nil {
			break
		}
		if s.probe(ctx, record.ID, other, record.Enterprise.ID).Kind == connector.Accepted {
			again := s.probe(ctx, "", token, enterprise)
			return again, again.Kind == connector.Unauthorized
		}
	}
	return answer, false
}

// latest returns the record whose current token worked last, leaving out some.
func (s *Schedule) latest(except []string) (best *lifecycle.Record) {
	var at lifecycle.Instant
	for record := range s.Owner.Records() {
		key, ok := record.CurrentKey()
		if ok && key.Answer == lifecycle.Accepted && key.Accepted > at && s.Owner.Verdict(record, lifecycle.Digest{}).Active() && !slices.Contains(except, record.ID) {
			best, at = record, key.Accepted
		}
	}
	return best
}
