// Package browsertest looks at the operator's page in a real browser. It has tests alone, in
// a module of its own, because they need a browser and what drives it.
//
//	KEYRACK_LONG=1 KEYRACK_PICTURES=DIR go test -v ./console/browsertest
//
// Chromium has to be there, and npm, which brings axe-core; without them the tests say what
// they leave out.
package browsertest
