package events

// Reasons are all the phrases that an Error may hold.
var Reasons = map[string]bool{
	reasonEmpty: true, reasonCut: true, reasonMalformed: true, reasonTwice: true,
	reasonUTF8: true, reasonDeep: true, reasonTrailing: true, reasonCase: true,
	reasonMissing: true, reasonNotObject: true, reasonNotText: true, reasonNotFlag: true,
	reasonNotTime: true, reasonTooLong: true, reasonControl: true, reasonNothing: true,
}

// Places are all the pointers that an Error may show, except for "" and for those
// that end with "*".
var Places = places
