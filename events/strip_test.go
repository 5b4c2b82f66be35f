package events_test

import (
	"errors"
	"testing"

	"github.com/keyrack-dev/keyrack/events"
)

func TestWithoutRequestor(t *testing.T) {
	for body, want := range map[string]string{
		`{"Action":"X","Data":{"Requestor" : {"Name":"a","Email":"b"} ,"k":[1, 2]}} `: `{"Action":"X","Data":{"Requestor" : null ,"k":[1, 2]}} `,
		`{"Data":{"Requestor":null}}`:                          `{"Data":{"Requestor":null}}`,
		`{"Data":{"Requestor":7}}`:                             `{"Data":{"Requestor":null}}`, // longer than before
		`{"Requestor":["a",{"Requestor":"b"}],"Data":1}`:       `{"Requestor":null,"Data":1}`,
		`{"Data":{"requestor":"a","REQUESTOR":"b"}}`:           `{"Data":{"requestor":null,"REQUESTOR":null}}`,
		`{"Data":{"\u0052equestor":"a"}}`:                      `{"Data":{"\u0052equestor":null}}`,
		`{"Data":[{"Person":{"Requestor":"a"}},"Requestor"]}`:  `{"Data":[{"Person":{"Requestor":null}},"Requestor"]}`,
		`{"Note":"Requestor","Requestors":"kept","Data":null}`: `{"Note":"Requestor","Requestors":"kept","Data":null}`,
		`[{"Requestor":""}, "x"]`:                              `[{"Requestor":null}, "x"]`,
		` "Requestor" `:                                        ` "Requestor" `,
		`{}`:                                                   `{}`,
		"\ufeff{\"Requestor\":1}":                              "\ufeff{\"Requestor\":null}",
		`{"Requestor":{"a":1,"a":2}}`:                          `{"Requestor":null}`,
		"{\"Requestor\":\"\xff\"}":                             `{"Requestor":null}`,
		"{\"Service\":\"\xff\",\"Requestor\":\"a\"}":           "{\"Service\":\"\xff\",\"Requestor\":null}",
	} {
		if got, err := events.WithoutRequestor([]byte(body)); err != nil || string(got) != want {
			t.Errorf("%s\n got %s, %v\nwant %s", body, got, err, want)
		}
	}
	for _, body := range []string{``, `{"Requestor":`, `{"Requestor":1}{}`, `{"Requestor":tru}`} {
		if got, err := events.WithoutRequestor([]byte(body)); !errors.Is(err, events.ErrSyntax) || got != nil {
			t.Errorf("%q: %s, %v", body, got, err)
		}
	}
}

// TestWithoutRequestorCopies: the result may be kept, and body reused.
func TestWithoutRequestorCopies(t *testing.T) {
	body := []byte(`{"Action":"X"}`)
	got, err := events.WithoutRequestor(body)
	clear(body)
	if err != nil || string(got) != `{"Action":"X"}` {
		t.Errorf("%s, %v", got, err)
	}
}
