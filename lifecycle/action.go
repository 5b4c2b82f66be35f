package lifecycle

// Action is what a webhook says has happened, by Mews's own name for it.
// The zero value is ActionUnknown: a name that this version does not know.
type Action uint8

// The seven actions of Mews's Integration Webhooks.
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

// ParseAction returns the action of a name, spelled exactly as Mews spells it,
// and ActionUnknown for every other name. It does not allocate.
func ParseAction(name string) Action {
	switch name {
	case "IntegrationCreated":
		return IntegrationCreated
	case "IntegrationEnabled":
		return IntegrationEnabled
	case "IntegrationDisabled":
		return IntegrationDisabled
	case "IntegrationCanceled":
		return IntegrationCanceled
	case "IntegrationReinstated":
		return IntegrationReinstated
	case "IntegrationDeleted":
		return IntegrationDeleted
	case "IntegrationApiKeyCreated":
		return IntegrationApiKeyCreated
	}
	return ActionUnknown
}

// Actions returns the seven known actions, in the order of an integration's life.
func Actions() []Action {
	return []Action{
		IntegrationCreated, IntegrationEnabled, IntegrationDisabled, IntegrationCanceled,
		IntegrationReinstated, IntegrationDeleted, IntegrationApiKeyCreated,
	}
}

// String returns Mews's name of the action, or "unknown".
func (a Action) String() string { return nameOf(actionNames[:], a) }

// MarshalText returns Mews's name of the action.
func (a Action) MarshalText() ([]byte, error) { return []byte(a.String()), nil }

// UnmarshalText accepts what MarshalText writes. Any other name is
// ErrNewer: a later version of Keyrack wrote it.
func (a *Action) UnmarshalText(text []byte) error {
	return parseName(actionNames[:], a, text, "action")
}
