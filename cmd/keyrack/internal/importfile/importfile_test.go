package importfile

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/keyrack-dev/keyrack/cmd/keyrack/internal/api"
)

func recordsOf(text string) ([]Record, error) {
	var failed error
	return slices.Collect(Read(strings.NewReader(text), &failed)), failed
}

func TestReadRecords(t *testing.T) {
	spa := Record{Line: 2, Integration: "i1", Request: api.ImportRequest{
		Name: "Spa, Bar", Enterprise: "e1", Token: "t1", Disabled: true, CreatedUtc: time.Date(2020, 1, 2, 3, 4, 5, 0, time.UTC),
	}}
	const head = "integration,integration_name,enterprise,token,disabled,created_utc\n"
	for name, test := range map[string]struct {
		text string
		want Record
	}{
		"commas":     {head + `i1,"Spa, Bar",e1," t1 ",TRUE,2020-01-02T03:04:05Z`, spa},
		"semicolons": {"\ufeff" + strings.ReplaceAll(head, ",", ";") + `i1;Spa, Bar;e1;" t1";1;2020-01-02T03:04:05Z` + "\r\n", spa},
		"tabs":       {strings.ReplaceAll(head, ",", "\t") + "i1\tSpa, Bar\te1\t\"\"\"t1\"\"\"\ttrue\t2020-01-02T03:04:05Z\n", spa},
		"capitals":   {"INTEGRATION,Integration Name, Enterprise ,Token,disabled,Created-UTC\n" + `i1,"Spa, Bar",e1,t1,true,2020-01-02T03:04:05Z`, spa},
		"JSON": {"\n" + `{"integration":"i1","integration_name":"Spa, Bar","enterprise":"e1","token":"\ufefft1\n","disabled":true,` +
			`"created_utc":"2020-01-02T03:04:05Z"}`, spa},
	} {
		got, err := recordsOf(test.text)
		if diff := cmp.Diff([]Record{test.want}, got, cmp.AllowUnexported(Record{})); diff != "" || err != nil {
			t.Errorf("%s: %v %s", name, err, diff)
		}
	}
	labelled := []Record{{Line: 2, Integration: "i", Request: api.ImportRequest{Token: "t", Labels: api.Labels{"tenant": "4711", "env": ""}}}}
	for name, text := range map[string]string{
		"blanks": "integration,token,labels\ni,t,tenant=4711 env=\n",
		"commas": "integration,token,labels\ni,t,\"tenant=4711,env=\"\n",
		"JSON":   "\n" + `{"integration":"i","token":"t","labels":{"tenant":"4711","env":""}}`,
	} {
		if got, err := recordsOf(text); err != nil || cmp.Diff(labelled, got) != "" {
			t.Errorf("labels with %s: %v %s", name, err, cmp.Diff(labelled, got))
		}
	}
	if got, err := recordsOf("integration,token,labels\ni,t,canary\n"); err != nil || !strings.HasPrefix(got[0].Problem, "labels must be") {
		t.Errorf("not a label: %v, %v", got, err)
	}
	if got, err := recordsOf(`{"token":"t","labels":{"a":"1"}}`); err != nil || got[0].Problem != "" || got[0].Integration != "" {
		t.Errorf("without an id: %v, %v", got, err)
	}
	const guid = "4e1f0c62-5b8d-4c39-9a1e-ab2200f27c01"
	for _, line := range []string{
		"canary", "{", `{"integration":"i","token":"canary","tokn":"canary"}`, `{"integration":"i","token":1}`,
		`{"integration":"i","token":"canary","created_utc":"canary"}`, `{"integration":"canary","token":"canary"}`,
		`{"integration":"canary","token":"` + guid + `"}`, `{"integration":"i\nj","token":"canary"}`, `{"integration":"i","token":"canary two"}`, `{"integration":"i","token":"canary\u0000"}`,
		`{"integration":"..","token":"canary"}`, `{"token":"canary","disabled":true}`, `{"integration":"i"}`,
	} {
		got, err := recordsOf(`{"integration":"i","token":"t"}` + "\n" + line + "\n" + `{"integration":"i","token":"t"}`)
		if err != nil || len(got) != 3 || got[1].Problem == "" || got[2].Problem != "" || got[2].Line != 3 ||
			strings.Contains(got[1].Problem+got[1].Integration, "canary") {
			t.Errorf("%s: %v, %v", line, got, err)
		}
	}
	for _, text := range []string{"", "\n\n", "canary,t\n", "integration,token,canary\n", "integration,token,token\n", "\"", "[]"} {
		if got, err := recordsOf(text); err == nil || strings.Contains(err.Error(), "canary") {
			t.Errorf("%q: %v, %v", text, got, err)
		}
	}
}

// TestColumns: the error says which column is wrong, by its number, as the line may be of
// tokens.
func TestColumns(t *testing.T) {
	for text, says := range map[string]string{
		"integration,token,canary\n":      "column 3 has a name that is not known; the names are integration, ",
		"Integration,,Token\n":            "column 2 has a name that is not known",
		"integration,token,TOKEN\n":       "the columns 2 and 3 are both named token",
		"integration,enterprise\ni,e\n":   "no column is named token",
		"token\ncanary\n":                 "no column is named integration",
		"i1,canary\ni2,canary\n":          "the first line must name the columns; they are integration, ",
		"integration,\"token\ncanary,t\n": "the first line is not CSV",
	} {
		got, err := recordsOf(text)
		if err == nil || !strings.Contains(err.Error(), says) || strings.Contains(err.Error(), "canary") || len(got) > 0 {
			t.Errorf("%q: %v", text, err)
		}
	}
	got, err := recordsOf("{\n  \"integration\": \"i\",\n  \"token\": \"t\"\n}\n{\"integration\":\"j\",\"token\":\"t\"}\n")
	if err != nil || len(got) != 2 || got[0].Problem != "" || got[0].Integration != "i" || got[1].Line != 5 {
		t.Errorf("an object over several lines: %v, %v", got, err)
	}
}

// FuzzReadRecords: what is wrong with a file is told without what is in it, and
// what is right has what is required.
func FuzzReadRecords(f *testing.F) {
	f.Add("integration,token\ni,t\n\"x\",\"y\nz\"\n")
	f.Add("{\"integration\":\"i\",\"token\":\"t\"}\nnonsense\n")
	f.Add("\ufeffintegration;token;disabled\ni;t;yes\n\"\"\";\n")
	f.Fuzz(func(t *testing.T, text string) {
		last := 0
		var failed error
		for r := range Read(strings.NewReader(text), &failed) {
			if r.Line <= last {
				t.Fatalf("line %d after line %d", r.Line, last)
			}
			last = r.Line
			if r.Problem == "" && (!api.ValidIdentifier(r.Integration) || r.Request.Token == "") {
				t.Fatalf("%+v is nothing to take in", r)
			}
			if strings.Contains(r.Problem, "\ufffd") {
				t.Fatal("a problem quotes")
			}
		}
	})
}
