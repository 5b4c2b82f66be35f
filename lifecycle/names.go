package lifecycle

import "fmt"

var (
	kindNames   = [numKinds]string{"unknown", "delivery", "probe", "report", "import", "contest", "erase", "forget", "restore", "probe_request", "issue", "upgrade", "join", "settle", "control", "label", "name", "time", "fork", "succeeded"}
	answerNames = [numAnswers]string{"none", "accepted", "rejected", "unattributed", "rejected_once", "expected", "withdrawn"}
	flagNames   = [numFlags]string{"unset", "no", "yes"}
)

// String returns the kind's name in lower case.
func (k Kind) String() string { return nameOf(kindNames[:], k) }

// MarshalText returns the kind's name.
func (k Kind) MarshalText() ([]byte, error) { return []byte(k.String()), nil }

// UnmarshalText accepts what MarshalText writes, and the names that earlier versions
// wrote; any other name is ErrNewer.
func (k *Kind) UnmarshalText(text []byte) error {
	if former, ok := formerKinds[string(text)]; ok {
		*k = former
		return nil
	}
	return parseName(kindNames[:], k, text, "kind")
}

// String returns the answer's name in lower case.
func (a Answer) String() string { return nameOf(answerNames[:], a) }

// MarshalText returns the answer's name.
func (a Answer) MarshalText() ([]byte, error) { return []byte(a.String()), nil }

// UnmarshalText accepts what MarshalText writes; any other name is ErrNewer.
func (a *Answer) UnmarshalText(text []byte) error {
	return parseName(answerNames[:], a, text, "answer")
}

// nameOf returns the name of an enum's value.
func nameOf[E ~uint8](names []string, e E) string {
	if int(e) < len(names) {
		return names[e]
	}
	return fmt.Sprintf("%T(%d)", e, uint8(e))
}

// parseName sets an enum to the value of a name.
func parseName[E ~uint8](names []string, e *E, text []byte, what string) error {
	for i, name := range names {
		if name == string(text) {
			*e = E(i)
			return nil
		}
	}
	return fmt.Errorf("%s: %w", what, ErrNewer)
}
