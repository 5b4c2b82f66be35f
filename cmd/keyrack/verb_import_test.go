package main

import (
	"strings"
	"testing"
)

// TestSumUp: an import succeeds if every record was imported and no token was rejected or
// is still being asked about. Otherwise the error counts each kind and says what to do.
func TestSumUp(t *testing.T) {
	works, fails := importedLine{Imported: true, Proof: proofWorks}, importedLine{Imported: true, Proof: proofFails}
	open, unasked, refused := importedLine{Imported: true, Proof: proofOpen}, importedLine{Imported: true, Proof: proofNobody}, importedLine{Problem: "bad"}
	for _, c := range []struct {
		account []importedLine
		want    []string // nil: no error
	}{
		{nil, nil},
		{[]importedLine{works, unasked}, nil},
		{[]importedLine{works, refused}, []string{"1 of 2 records were not imported; correct them"}},
		{[]importedLine{fails, fails, works}, []string{"2 of 3 tokens were rejected by Mews; get current ones"}},
		{[]importedLine{open}, []string{"about 1 of 1 tokens yet; try keyrack list later"}},
		{[]importedLine{open, fails, refused, works}, []string{"1 of 4 records", "1 of 4 tokens were rejected", "1 of 4 tokens yet"}},
	} {
		err := sumUp(c.account)
		if (err != nil) != (c.want != nil) {
			t.Errorf("%+v: %v", c.account, err)
			continue
		}
		for _, part := range c.want {
			if !strings.Contains(err.Error(), part) {
				t.Errorf("%v; want %q in it", err, part)
			}
		}
	}
}
