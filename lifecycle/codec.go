package lifecycle

import (
	"errors"
	"fmt"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
	jsonv1 "github.com/go-json-experiment/json/v1"
)

// format is the version of the encodings. A later one is refused as ErrNewer, so
// that what it says more is not lost on the way back. An earlier one is read and
// brought up to date:
//
//  1. had one time for all facts, and no proofs.
//  2. had what was suspect of each pair, and not what is possible.
//  3. had nothing of tokens that rest.
//  4. had nothing of the operations that the application calls.
//  5. had nothing of what a person says.
//  6. had nothing of what time alone does to a verdict.
//  7. is written now.
const format = 7

type recordFile struct {
	Format int
	Record
}

type evidenceFile struct {
	Format int
	Evidence
}

// ParseRecord reads what AppendRecord wrote. What a later version wrote is ErrNewer.
func ParseRecord(b []byte) (Record, error) {
	var f recordFile
	if err := parse(b, &f, &f.Format, "record"); err != nil {
		return Record{}, err
	}
	if f.Format < 3 {
		var former formerFlags
		if err := parse(b, &former, &former.Format, "record"); err != nil {
			return Record{}, err
		}
		if f.Format == 1 {
			f.Record.addTimes(&former)
		}
		f.Record.addPossible(&former)
	}
	return f.Record, nil
}

// ParseEvidence reads what AppendEvidence wrote. What a later version wrote is ErrNewer.
func ParseEvidence(b []byte) (Evidence, error) {
	var f evidenceFile
	if err := parse(b, &f, &f.Format, "evidence"); err != nil {
		return Evidence{}, err
	}
	return f.Evidence, nil
}

// names reads the enums that nothing but these encodings spells.
var names = json.WithUnmarshalers(json.JoinUnmarshalers(
	json.UnmarshalFromFunc(func(d *jsontext.Decoder, f *Flag) error { return readName(d, flagNames[:], f, "flag") }),
	json.UnmarshalFromFunc(func(d *jsontext.Decoder, s *KeyStatus) error {
		return readName(d, keyStatusNames[:], s, "key status")
	}),
))

func readName[E ~uint8](d *jsontext.Decoder, names []string, e *E, what string) error {
	name, err := d.ReadToken()
	if err != nil {
		return err
	}
	if name.Kind() != '"' {
		return errEncoding
	}
	return parseName(names, e, []byte(name.String()), what)
}

var errEncoding = errors.New("not in the form in which keyrack writes it")

func parse(b []byte, into any, version *int, what string) error {
	err := json.Unmarshal(b, into, jsonv1.FormatDurationAsNano(true), names)
	switch {
	case errors.Is(err, ErrNewer), *version > format:
		return fmt.Errorf("lifecycle: %s: %w", what, ErrNewer)
	case err != nil || *version < 1:
		return fmt.Errorf("lifecycle: %s: %w", what, errEncoding)
	}
	return nil
}
