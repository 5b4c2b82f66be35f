package events

import "github.com/keyrack-dev/keyrack/lifecycle"

// Reasons are all the phrases that an Error may hold.
var Reasons = map[string]bool{
	reasonEmpty: true, reasonCut: true, reasonMalformed: true, reasonTwice: true,
	reasonUTF8: true, reasonDeep: true, reasonTrailing: true, reasonCase: true,
	reasonMissing: true, reasonNotObject: true, reasonNotText: true, reasonNotFlag: true,
	reasonNotTime: true, reasonTooLong: true, reasonControl: true, reasonNothing: true,
}

// Places are all the pointers that an Error may show, but for "" and for those
// that end with "*".
var Places = places

// Unlearn forgets the contracts from an action's on, until the function that it returns is
// called.
func Unlearn(a lifecycle.Action) (learn func()) {
	all := contracts
	contracts = contracts[:a]
	return func() { contracts = all }
}
