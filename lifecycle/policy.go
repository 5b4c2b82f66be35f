package lifecycle

import "time"

// CanceledPolicy says whether the token of a canceled integration is valid. Mews's
// documents do not say whether it works until the deletion. An application that
// relies on such a token also relies on a cancellation that leaves the enabled flag
// alone, and on webhooks for what toggles it until the reinstatement.
type CanceledPolicy uint8

const (
	// CanceledInvalid: not valid. This is the default, which fails closed.
	CanceledInvalid CanceledPolicy = iota
	// CanceledUsable: valid until the integration is disabled or deleted, or for
	// Policy.CanceledFor.
	CanceledUsable
	// CanceledAsk: unknown until a probe settles it.
	CanceledAsk
)

// Policy holds the application's choices where Mews's documents are silent. It affects
// verdicts, never records, so it can be changed at any time. The zero value is the
// default of every choice.
type Policy struct {
	// Canceled says whether the token of a canceled integration is valid.
	Canceled CanceledPolicy
	// CanceledFor is how long CanceledUsable lasts after the cancellation arrived. 0: as
	// long as the integration is neither disabled nor deleted.
	CanceledFor time.Duration
	// Levels is how many of Mews's switches disable an integration: 1, where Enabled
	// and Disabled alternate, or 2, where a second Disabled may be another switch and an
	// Enabled may leave it off. 0 means 1, and for a Rack with a prober 2. Where one of
	// two equal events comes alone, which cannot be with one level, that integration has
	// two from then on.
	Levels int
	// Reinstated says whether reinstating sets the enabled flag. Yes: it does. No: the
	// flag is what the latest webhook set it to, before the cancellation or since, and
	// canceling does nothing to it either. Unset: nobody knows, and the flag is Unknown
	// until something tells.
	Reinstated Flag
	// Grace is how long a superseded token stays valid after its successor
	// arrived. 0: not at all.
	Grace time.Duration
	// Assume turns an Unknown that deliveries left behind into its best guess,
	// marked Assumed. For applications without a prober; what is assumed may be wrong.
	Assume bool
	// AssumeAfter is the time without news after which Assume acts. 0: at once.
	AssumeAfter time.Duration
	// MaxAge is how long a Valid outlives its evidence. 0, for applications
	// without a prober: for ever.
	MaxAge time.Duration
	// ProveSince, where it is not 0, demands proof: no token that arrived since then is
	// Valid before Mews has confirmed that it belongs to the integration's enterprise.
	// A token that arrived earlier stands on what brought it, unless that was a
	// rotation. 0, for applications without a prober: deliveries are taken at their word.
	ProveSince Instant
}

// skew is how far the clocks of two instances may differ. Evidence that lies further in
// the future has an unknown age.
const skew = time.Minute

// fresh reports whether an instant lies less than d in the past. An instant in the
// future is not fresh: a clock was set back, and the true age is unknown.
func fresh(now, at Instant, d time.Duration) bool {
	age := now.bound() - at.bound() // Sub ends at 292 years
	return age < Instant(d/time.Microsecond) && age > -Instant(skew/time.Microsecond)
}
