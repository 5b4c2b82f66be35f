// Package atrest works on a store without a Rack: nothing need run on it, and what
// runs on it is not disturbed. A store goes in, perhaps with the sealer that it was
// begun with, and out comes what was asked for; nothing else in the store changes. No
// function starts anything that goes on after it has returned.
//
//   - [Subscriptions], [Pause], [Resume], [Rewind] and [Unsubscribe] control the
//     subscriptions of the application's Racks, wherever they run.
//   - [DeadLetters] and [DiscardDeadLetters] see to the changes that a subscription's
//     handler failed at.
//   - [Export], [Restore] and [Examine] copy integrations from one store to another,
//     and look for what should not be so.
//   - [Reseal] brings what is sealed under the newest key.
//
// All functions are safe for concurrent use, also with Racks on the same store, and
// contain the store that they are given as a Rack does: calls end, and no error quotes
// anything.
package atrest
