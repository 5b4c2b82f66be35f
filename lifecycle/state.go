package lifecycle

// State is the state of an integration: its place in the chain of its life, and the
// enabled flag, which survives a cancellation. The zero value is Unseen.
type State uint8

// The ten states. The live ones are CreatedEnabled, Enabled and ReinstatedEnabled.
const (
	// Unseen: nothing is known, or IntegrationCreated has not come yet.
	Unseen State = iota
	CreatedEnabled
	CreatedDisabled
	Enabled
	Disabled
	CanceledEnabled
	CanceledDisabled
	ReinstatedEnabled
	ReinstatedDisabled
	// Deleted is final: no delivery and no probe leaves it.
	Deleted
	numStates
)

var stateNames = [numStates]string{
	Unseen:             "unseen",
	CreatedEnabled:     "created_enabled",
	CreatedDisabled:    "created_disabled",
	Enabled:            "enabled",
	Disabled:           "disabled",
	CanceledEnabled:    "canceled_enabled",
	CanceledDisabled:   "canceled_disabled",
	ReinstatedEnabled:  "reinstated_enabled",
	ReinstatedDisabled: "reinstated_disabled",
	Deleted:            "deleted",
}

// States returns the ten states, in the order of an integration's life.
func States() []State {
	all := make([]State, numStates)
	for i := range all {
		all[i] = State(i)
	}
	return all
}

// parseState returns the state of a name, as String writes it.
func parseState(name string) (State, bool) {
	for s, n := range stateNames {
		if n == name {
			return State(s), true
		}
	}
	return Unseen, false
}

// String returns the state's name in lower case, such as "created_enabled".
func (s State) String() string { return nameOf(stateNames[:], s) }

// MarshalText returns the state's name.
func (s State) MarshalText() ([]byte, error) { return []byte(s.String()), nil }

// UnmarshalText accepts what MarshalText writes; any other name is ErrNewer.
func (s *State) UnmarshalText(text []byte) error { return parseName(stateNames[:], s, text, "state") }

// enabled reports whether the enabled flag is set, which is possible while canceled.
func (s State) enabled() bool {
	switch s {
	case CreatedEnabled, Enabled, CanceledEnabled, ReinstatedEnabled:
		return true
	}
	return false
}

// canceled reports whether the integration is canceled and not reinstated.
func (s State) canceled() bool { return s == CanceledEnabled || s == CanceledDisabled }

// live reports whether the deliveries say that the token works: enabled, not
// canceled, not deleted.
func (s State) live() bool { return s.enabled() && !s.canceled() }

// unannounced returns the state of an integration that no IntegrationCreated announced.
func (s State) unannounced() State {
	switch s {
	case CreatedEnabled:
		return Enabled
	case CreatedDisabled:
		return Disabled
	}
	return s
}

// proven returns the state that a token which has just worked puts s into.
func (s State) proven() State {
	switch s {
	case Unseen, Disabled, CreatedDisabled:
		return Enabled
	case CanceledEnabled, CanceledDisabled, ReinstatedDisabled:
		return ReinstatedEnabled
	}
	return s
}
