package lifecycle

// Action is the event that a webhook reports, with Mews's own name. The zero value is
// ActionUnknown: a name that this version does not know.
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
	if len(name) <= prefix {
		return ActionUnknown
	}
	if a := actionOf[slot(name)]; actionNames[a] == name {
		return a
	}
	return ActionUnknown
}

// prefix is the length of "Integration", with which all names begin.
const prefix = 11

// actionOf holds each action in the slot of its name.
var actionOf = func() (of [numActions]Action) {
	for _, a := range Actions() {
		s := slot(a.String())
		if of[s] != ActionUnknown {
			panic("lifecycle: two actions in one slot")
		}
		of[s] = a
	}
	return of
}()

// slot returns a number that differs for each of Mews's names. It is made of the length
// and the first letter after the prefix.
func slot(name string) uint { return (uint(len(name)) + 6*uint(name[prefix])) % uint(numActions) }

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

// UnmarshalText accepts what MarshalText writes; any other name is ErrNewer.
func (a *Action) UnmarshalText(text []byte) error {
	return parseName(actionNames[:], a, text, "action")
}
