package console

import (
	"net/http"

	"github.com/keyrack-dev/keyrack"
)

// Options are the choices of a Handler. The zero value serves a page that anyone who can
// reach it may read, and on which nothing can be done.
type Options struct {
	// Visitor says who a request is from. nil: everybody is the zero Visitor, and the
	// host decides who reaches the page at all. It is not called if SignIn is set.
	Visitor func(*http.Request) Visitor
	// SignIn says who has a key. If it is set, a visitor has to sign in with one first,
	// and has a session of at most eight hours, kept in memory and in a cookie that no
	// script can read. It must take as long for a wrong key as for a right one.
	SignIn func(key string) (Visitor, bool)
	// May says who may do what. nil: nobody may do anything. It is asked when an act is
	// offered, when it is shown and when it is done.
	May func(Visitor, Act) bool
	// Webhooks is the handler of Mews's webhooks. It knows which requests were refused and
	// when each secret was last seen; nil: the page does not say so.
	Webhooks *keyrack.Handler
	// Prober says that the Rack asks Mews.
	Prober bool
	// Settings are shown as they are, and must hold no secret.
	Settings []Setting
}

// Setting is a setting of the host's, for a person to read.
type Setting struct {
	Name  string
	Value string // never a secret: say that there is one, not what it is
	From  string // where the value comes from, such as "default" or "environment"
}

// Act is something that a visitor can do, if Options.May allows it.
type Act string

// The acts. What each does is that of keyrack.Rack.Act.
const (
	ActProbe   Act = "probe"   // have Mews asked about an integration now
	ActSettle  Act = "settle"  // say how an integration stands
	ActImport  Act = "import"  // bring an integration, its names or its token
	ActName    Act = "name"    // say which integration of Mews a nameless one is
	ActLabel   Act = "label"   // set and remove labels of an integration
	ActErase   Act = "erase"   // erase the bodies of an integration's deliveries
	ActForget  Act = "forget"  // erase everything about an integration
	ActPause   Act = "pause"   // pause a subscription
	ActResume  Act = "resume"  // let a paused subscription go on
	ActRetry   Act = "retry"   // have a subscription's dead letters tried again
	ActDiscard Act = "discard" // discard a subscription's dead letters
)

// Visitor is who asks, as the host knows them. The zero value may read, and nothing else.
type Visitor struct {
	// Name is journalled with what they do. It names a key or a role, never a person.
	Name string
	// Persons lets them read what the journal keeps about persons: who asked for an
	// integration, and who did something by hand and why.
	Persons bool
}
