// Package mewstest is a Mews for tests, in process and offline: in come hotels
// that connect, disable, cancel and delete, out come the webhooks about it, late,
// twice, out of order or never, and the Connector API's answers.
//
// A [World] knows the truth: which token works at this moment. So a test need not
// say what it expects; it lets things happen and asks whether the receiver is
// right in the end, and was never wrong for long on the way:
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
// All time goes through package time, so that years pass in a moment under
// testing/synctest; make the World inside of the bubble. A World needs no
// closing: it is timers, and goroutines only while a request is under way.
//
// With [Options].Start a World has a clock of its own instead, which only [World.Advance]
// moves. So it is as deterministic in a program that talks to others.
//
// # One seed, one run
//
// What is random about a message hangs on the seed, its integration and its number,
// and on nothing that happens elsewhere. So under testing/synctest the same seed
// gives the same [World.Log], byte for byte, as long as the test does the same;
// turning up one fault leaves the others where they were.
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
// Tokens and identifiers are made up from the seed. Where Mews's documents are
// silent, [Readings] chooses.
package mewstest
