// Package belief works out what the webhooks of one integration leave possible:
// whether it is enabled, and whether it is canceled.
//
// What comes in: the arrivals of the four actions that toggle a flag, what
// IntegrationCreated said, and when a token was seen to work. What goes out: the
// set of presents that some true history ends in. There is no clock in here, no
// goroutine, and nothing that waits.
//
// # What is believed of Mews
//
// Something happens at an instant. Mews sends it at least once. Every copy arrives
// within a horizon after that instant. Nothing else is known: no copy carries an
// identity, an order or a time.
//
//	happened      D         E
//	              |         |
//	time    ------+---------+----------------------------------->
//	                   :         :       :        :
//	arrived            E         D       D        E
//	                   \_________/_______/________/
//	              at most a horizon after what it tells of
//
// So an arrival of Disabled may be a copy of another one or an event of its own,
// and may have happened before or after an Enabled that arrived earlier. A history
// gives each arrival to an event, and puts the events in an order. It is possible
// if every event changes something, and if instants can be found for the events
// that rise with the order and lie at most a horizon before their arrivals:
//
//	allowed:   latest arrival of all events up to this one, less a horizon
//	           is not after   the first arrival of this one
//
// That one test is the whole constraint of time. Arrivals of one action are
// interchangeable. So a history may be assumed to take them in the order of their
// arrival, each event a block of neighbours, and how far it has come is a count
// for each action.
//
// # What is kept
//
// Arrivals older than a horizon are part of events that came before anything which
// arrives from now on. Their histories are closed: they are worked through until
// the last of the old arrivals is placed, and only the set of presents that they
// lead to is kept.
//
//	  closed                |          kept, at most a horizon old
//	------------------------+------------------------------------ now
//	  D   E       D         |    E        D     D
//	                        |
//	 front:  none of the kept is placed yet   ->  { disabled }
//	         the first Enabled is placed      ->  { enabled, disabled }
//
// The front says which of the kept arrivals the closed histories have used, and
// where they lead: most often there is one entry, and nothing is used. The answer
// is what the front leads to when all that is kept is placed in every possible
// order.
//
// # What Mews's documents leave open
//
// Reinstating may leave the enabled flag alone, restore what it was before the
// cancellation, or set it. Canceling may clear it. Toggles while canceled may not be
// sent. Mews may have a second switch, which disables too; it takes no part in
// cancellations. The twelve readings and the two numbers of switches are followed
// side by side, each in a lane of its own. Lanes never mix: what Mews does, it
// always does.
//
// # Where no history fits
//
// Then something was lost, or is still under way. Each lane takes the histories
// with the fewest such events, and remembers how many those were; an answer comes
// from the lanes with the fewest. A missing cancellation or reinstatement counts
// twice: an Enabled that should have had a Disabled before it says something of the
// enabled flag, and nothing of a cancellation that may have cleared it. Where the
// lanes with one switch all need more than those with two, a second switch was seen.
//
// Nine arrivals of a pair within a horizon are a storm, which is not worked
// through: the flag may be anything until an arrival of the pair comes more than a
// horizon after every other.
//
// # Time
//
// An answer supposes that everything which was sent has arrived. It changes with
// the next arrival and never by itself: time moves no arrival to another place.
package belief
