// Package mewstest is a Mews for tests, in process and offline. Hotels connect,
// disable, cancel and delete; webhooks report it late, twice, out of order or never;
// and the Connector API answers.
//
// A [World] knows the truth: which token works at this moment. So a test does not state
// what it expects. It lets things happen, and asks whether the receiver is right in the
// end and was never wrong for long on the way:
//
//	func TestKeys(t *testing.T) {
//		synctest.Test(t, func(t *testing.T) {
//			keys := newKeys(t) // yours: an http.Handler that knows which tokens work
//			mews := mewstest.New(&mewstest.Options{Seed: 1, Receiver: keys, Faults: mewstest.Flaky()})
//			hotel := mews.Connect("Alpenrose")
//			mews.NeverSilentlyWrong(t, keys.Status, time.Hour)
//			time.Sleep(24 * time.Hour)
//			hotel.Disable()
//			mews.EventuallyRight(t, keys.Status, 24*time.Hour)
//		})
//	}
//
// # Time
//
// All time goes through package time, so years pass in a moment under testing/synctest;
// make the World inside the bubble. A World need not be closed: it has only timers, and
// goroutines while a request is under way.
//
// With [Options].Start a World has a clock of its own instead, which only
// [World.Advance] moves. That makes it deterministic in a program that talks to others,
// too.
//
// # One seed, one run
//
// What is random about a message depends on the seed, its integration and its number,
// and on nothing else. So under testing/synctest the same seed gives the same
// [World.Log], byte for byte, as long as the test does the same. Turning one fault up
// leaves the others as they were.
//
// # Four ways to use it
//
//   - By fault: [Options].Faults, [World.Live]. The channel does what it likes.
//   - By script: [Options].Manual. Every act returns its [Message], and
//     nothing is sent but by [Message.Deliver].
//   - By fate: [World.Next] loses, repeats, delays or reorders the next message.
//   - By wire: [Options].URL delivers over HTTP to a receiver of any kind, and a
//     [Connector] can be served on a listener. That needs real time.
//
// Tokens and identifiers are derived from the seed. Where Mews's documents are silent,
// [Readings] decides.
package mewstest
