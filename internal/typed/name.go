package typed

import "unicode/utf8"

// nameLimit is the longest name that is kept for show, in bytes.
const nameLimit = 256

// ellipsis stands for what was cut off.
const ellipsis = "\u2026"

// Name returns a name that is short enough to be kept in memory and shown: what is longer than
// 256 bytes is cut at a character, and ends with an ellipsis. Names are for people and decide
// nothing; identifiers and tokens are never cut.
func Name(name string) string {
	if len(name) <= nameLimit {
		return name
	}
	end := nameLimit - len(ellipsis)
	for end > 0 && !utf8.RuneStart(name[end]) {
		end--
	}
	return name[:end] + ellipsis
}
