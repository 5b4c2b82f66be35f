package lifecycle_test

import (
	"time"

	. "github.com/keyrack-dev/keyrack/lifecycle"
)

// horizon is the horizon of the evidence in these tests.
const horizon = 30 * time.Minute

// start is when these tests begin to count time.
var start = At(time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC))

// minute returns the instant n minutes after the start.
func minute(n int) Instant { return start.Add(time.Duration(n) * time.Minute) }

const (
	hotel       = "8865aa96-f62d-4f9b-a912-ab2100f60f42"
	integration = "9e5e84e9-974d-4f16-9662-ab2200f27cb1"
)

// token returns the digest of the n-th made-up token.
func token(n int) Digest { return Digest{0: byte((n + 1) >> 8), 1: byte(n + 1)} }

// delivery is a webhook as it arrived at a time.
func delivery(a Action, at Instant) Evidence {
	return Evidence{Kind: KindDelivery, Action: a, At: at, Horizon: horizon, Integration: Named{ID: integration}}
}

func created(isEnabled Flag, d Digest, at Instant) Evidence {
	e := delivery(IntegrationCreated, at)
	e.IsEnabled, e.Token = isEnabled, d
	e.Enterprise = Named{ID: hotel, Name: "Sample Chain Hotel 1"}
	return e
}

func rotated(d Digest, at Instant) Evidence {
	e := delivery(IntegrationApiKeyCreated, at)
	e.Token = d
	return e
}

// probe is the answer to a question asked of a record, given at once.
func probe(r *Record, d Digest, answer Answer, at Instant) Evidence {
	e := Evidence{
		Kind: KindProbe, At: at, Began: at, Horizon: horizon, Generation: r.Generation,
		Integration: Named{ID: integration}, Token: d, Answer: answer,
	}
	if answer == Accepted {
		e.Enterprise.ID = hotel
	}
	return e
}

// own is an answer to a call of the application's, which tells no enterprise.
func own(d Digest, answer Answer, began, at Instant) Evidence {
	return Evidence{
		Kind: KindReport, At: at, Began: began, Horizon: horizon,
		Integration: Named{ID: integration}, Token: d, Answer: answer,
	}
}

func imported(isEnabled Flag, d Digest, at Instant) Evidence {
	return Evidence{
		Kind: KindImport, At: at, Horizon: horizon, Integration: Named{ID: integration},
		Enterprise: Named{ID: hotel}, Token: d, IsEnabled: isEnabled,
	}
}

// settled is what a person says of the two flags.
func settled(isEnabled, isCanceled Flag, at Instant) Evidence {
	return Evidence{Kind: KindSettle, At: at, Horizon: horizon, Integration: Named{ID: integration}, IsEnabled: isEnabled, IsCanceled: isCanceled}
}

// fold applies evidence to an empty record.
func fold(all ...Evidence) Record {
	var r Record
	for _, e := range all {
		r, _ = r.Apply(e)
	}
	return r
}

// verdict is the verdict on a token under the default policy.
func verdict(r *Record, d Digest, now Instant) Verdict { return r.Verdict(d, new(Policy), now) }
