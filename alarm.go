package keyrack

import (
	"context"

	"github.com/keyrack-dev/keyrack/lifecycle"
)

// AlarmKind says what an alarm is about.
type AlarmKind string

const (
	// AlarmEvidence: a piece of evidence contradicts what is known; Cause says how.
	AlarmEvidence AlarmKind = "evidence"
	// AlarmTrouble: several integrations were answered 401 within a minute, and none
	// 200: the ClientToken is dead, or there is trouble at Mews. Nothing is settled
	// until a 200 is seen.
	AlarmTrouble AlarmKind = "trouble"
	// AlarmTroubleOver: a 200 was seen.
	AlarmTroubleOver AlarmKind = "trouble_over"
)

// Alarm is something that a person should look at. It holds no secret.
type Alarm struct {
	Kind        AlarmKind
	Integration string          // empty where it is about all
	Cause       lifecycle.Cause // of AlarmEvidence
}

func (r *Rack) alarm(ctx context.Context, a Alarm) {
	r.log.WarnContext(ctx, "alarm", "kind", string(a.Kind), "integration", a.Integration, "cause", a.Cause.String())
	r.tell.alarmed(ctx, a)
}
