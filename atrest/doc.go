// Package atrest works on a store without a Rack. Each function takes a store, and the
// sealer that the store was begun with if it has to open something. Racks may run on the
// store meanwhile, and are not disturbed. Nothing goes on after a function has returned.
//
//   - [Subscriptions], [Pause], [Resume], [Rewind] and [Unsubscribe] control the
//     subscriptions of the application's Racks, wherever they run.
//   - [DeadLetters], [RetryDeadLetters] and [DiscardDeadLetters] list, try again and remove
//     the changes that a subscription's handler failed at.
//   - [Export] and [Restore] copy integrations from one store into another, of whatever
//     kind.
//   - [Examine] looks for inconsistencies.
//   - [WhatIf] says for how long another policy would have given another status.
//   - [Reseal] seals everything with the newest key.
//
// All functions are safe for concurrent use. They contain the store that they are given,
// as a Rack does: calls end, and no error quotes anything.
package atrest
