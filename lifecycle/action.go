package lifecycle

// Action is the event that a webhook reports, with Mews's own name. The zero value is
// ActionUnknown: a name that this version does not know.
type Action uint8

// The actions of Mews's Integration Webhooks, in the order of an integration's life. A new
// one goes to the end.
const (
	ActionUnknown Action = iota
	IntegrationCreated
	IntegrationEnabled
	IntegrationDisabled
	IntegrationCanceled
	IntegrationReinstated
	IntegrationDeleted
	IntegrationApiKeyCreated
	numActions
)

var actionNames = [numActions]string{
	ActionUnknown:            "unknown",
	IntegrationCreated:       "IntegrationCreated",
	IntegrationEnabled:       "IntegrationEnabled",
	IntegrationDisabled:      "IntegrationDisabled",
	IntegrationCanceled:      "IntegrationCanceled",
	IntegrationReinstated:    "IntegrationReinstated",
	IntegrationDeleted:       "IntegrationDeleted",
	IntegrationApiKeyCreated: "IntegrationApiKeyCreated",
}

// Actions returns the known actions, in the order of an integration's life.
func Actions() []Action {
	all := make([]Action, 0, numActions-1)
	for a := ActionUnknown + 1; a < numActions; a++ {
		all = append(all, a)
	}
	return all
}

// String returns Mews's name of the action, or "unknown".
func (a Action) String() string { return nameOf(actionNames[:], a) }

// MarshalText returns Mews's name of the action.
func (a Action) MarshalText() ([]byte, error) { return []byte(a.String()), nil }

// UnmarshalText accepts what MarshalText writes, spelled exactly as Mews spells it. Any
// other name is ErrNewer, and leaves the action as it was.
func (a *Action) UnmarshalText(text []byte) error {
	return parseName(actionNames[:], a, text, "action")
}
