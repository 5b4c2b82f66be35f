package api

import (
	"maps"
	"testing"
)

func TestParseLabels(t *testing.T) {
	got, err := ParseLabels("tenant=4711,env=,example.com/a=b")
	if want := (Labels{"tenant": "4711", "env": "", "example.com/a": "b"}); err != nil || !maps.Equal(got, want) {
		t.Errorf("%v, %v", got, err)
	}
	for _, text := range []string{"", "a", "a=1,a=2", "a=1,", "a b=1", "a=1 ", "=1", "a=b=c"} {
		if got, err := ParseLabels(text); err == nil {
			t.Errorf("%q is read as %v", text, got)
		}
	}
}
