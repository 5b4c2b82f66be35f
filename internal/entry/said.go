package entry

import (
	"github.com/go-json-experiment/json"

	"github.com/keyrack-dev/keyrack/lifecycle"
)

// said is the body of an entry for something that was done by hand. It has the form of a
// webhook's, so that what reads bodies for a person treats it as what is about a person.
type said struct {
	Requestor struct{ Name, Reason string }
}

// Said returns the body of an entry that says who had something done, and why. The error says
// that a text is not UTF-8, and quotes nothing.
func Said(who, why string) ([]byte, error) {
	var s said
	s.Requestor.Name, s.Requestor.Reason = who, why
	return json.Marshal(s)
}

// ReadSaid returns who had something done and why, both empty where a body does not say.
func ReadSaid(body []byte) (who, why string) {
	var s said
	if json.Unmarshal(body, &s) != nil {
		return "", ""
	}
	return s.Requestor.Name, s.Requestor.Reason
}

// ByHand reports whether evidence of a kind comes from a person, or a program for one.
func ByHand(k lifecycle.Kind) bool {
	switch k {
	case lifecycle.KindImport, lifecycle.KindErase, lifecycle.KindForget, lifecycle.KindRestore, lifecycle.KindProbeRequest,
		lifecycle.KindIssue, lifecycle.KindSettle, lifecycle.KindControl, lifecycle.KindLabel, lifecycle.KindName:
		return true
	}
	return false
}
