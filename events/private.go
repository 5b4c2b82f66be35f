package events

import "errors"

// ErrPrivate is what marshallers of an [Event], a [Requestor] and a [Raw] get:
// these hold tokens or personal data, which leave the process only where
// somebody asks for them by name.
var ErrPrivate = errors.New("events: tokens and personal data are not marshalled; use Event.Append where it is really needed")

// private refuses every marshaller on behalf of the type that embeds it.
type private struct{}

// MarshalJSON returns ErrPrivate.
func (private) MarshalJSON() ([]byte, error) { return nil, ErrPrivate }

// MarshalText returns ErrPrivate.
func (private) MarshalText() ([]byte, error) { return nil, ErrPrivate }

// MarshalBinary returns ErrPrivate.
func (private) MarshalBinary() ([]byte, error) { return nil, ErrPrivate }

// GobEncode returns ErrPrivate.
func (private) GobEncode() ([]byte, error) { return nil, ErrPrivate }
