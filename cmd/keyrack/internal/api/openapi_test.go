package api

import (
	"bytes"
	"encoding/json"
	"fmt"
	"maps"
	"mime"
	"net/http"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/santhosh-tekuri/jsonschema/v6"

	"github.com/keyrack-dev/keyrack/cmd/keyrack/internal/sidecartest"
	"github.com/keyrack-dev/keyrack/lifecycle"
)

// description is openapi.json, as far as the tests read it. Its schemas are JSON
// Schema 2020-12, as OpenAPI 3.1 has it.
type description struct {
	Paths      map[string]map[string]json.RawMessage
	Components struct {
		Schemas map[string]struct{ Enum []string }
	}
	schemas *jsonschema.Compiler
	seen    map[string]bool // the responses that were looked at: method, path, status
}

// operation is what a path answers to a method.
type operation struct {
	Scope     *string `json:"x-scope"`
	Responses map[string]json.RawMessage
}

const documentURL = "https://example.invalid/openapi.json"

func describe(t *testing.T) *description {
	t.Helper()
	d := &description{schemas: jsonschema.NewCompiler(), seen: map[string]bool{}}
	if err := json.Unmarshal(openAPI, d); err != nil {
		t.Fatal(err)
	}
	document, err := jsonschema.UnmarshalJSON(bytes.NewReader(openAPI))
	if err != nil {
		t.Fatal(err)
	}
	d.schemas.DefaultDraft(jsonschema.Draft2020)
	d.schemas.AssertFormat()
	if err := d.schemas.AddResource(documentURL, document); err != nil {
		t.Fatal(err)
	}
	return d
}

func (d *description) operation(t *testing.T, method, path string) operation {
	t.Helper()
	var o operation
	if raw, ok := d.Paths[path][strings.ToLower(method)]; !ok {
		t.Fatalf("%s %s is not described", method, path)
	} else if err := json.Unmarshal(raw, &o); err != nil {
		t.Fatal(err)
	}
	return o
}

// pointer escapes a step of a JSON pointer in a URL's fragment.
var pointer = strings.NewReplacer("~", "~0", "/", "~1", "{", "%7B", "}", "%7D")

// check validates a reply against what the document says of it.
func (d *description) check(t *testing.T, method, path string, r sidecartest.Reply) {
	t.Helper()
	status := fmt.Sprint(r.Status)
	raw, ok := d.operation(t, method, path).Responses[status]
	if !ok {
		t.Errorf("%s %s: the status %s is not described", method, path, status)
		return
	}
	at := "/paths/" + pointer.Replace(path) + "/" + strings.ToLower(method) + "/responses/" + status
	var response struct {
		Ref     string `json:"$ref"`
		Content map[string]json.RawMessage
	}
	if err := json.Unmarshal(raw, &response); err != nil {
		t.Fatal(err)
	}
	if name, ok := strings.CutPrefix(response.Ref, "#/components/responses/"); ok {
		at = "/components/responses/" + name
		var whole struct {
			Components struct{ Responses map[string]json.RawMessage }
		}
		if err := json.Unmarshal(openAPI, &whole); err != nil {
			t.Fatal(err)
		}
		if err := json.Unmarshal(whole.Components.Responses[name], &response); err != nil {
			t.Fatalf("%s: %v", name, err)
		}
	}
	media, _, err := mime.ParseMediaType(r.Header.Get("Content-Type"))
	if err != nil {
		t.Fatal(err)
	}
	if _, ok := response.Content[media]; !ok {
		t.Errorf("%s %s: the media type %s of %s is not described", method, path, media, status)
		return
	}
	d.seen[method+" "+path+" "+status] = true
	if !strings.HasSuffix(media, "json") {
		return
	}
	schema, err := d.schemas.Compile(documentURL + "#" + at + "/content/" + pointer.Replace(media) + "/schema")
	if err != nil {
		t.Fatal(err)
	}
	value, err := jsonschema.UnmarshalJSON(strings.NewReader(r.Body))
	if err != nil {
		t.Fatalf("%s %s: %v", method, path, err)
	}
	if err := schema.Validate(value); err != nil {
		t.Errorf("%s %s: %s is not as described: %v\n%s", method, path, status, err, r.Body)
	}
}

// TestOpenAPIRoutes: the document describes every route, with its scope, and no other.
func TestOpenAPIRoutes(t *testing.T) {
	d := describe(t)
	routes := New(Options{}).routes
	if diff := cmp.Diff(slices.Sorted(maps.Keys(routes)), slices.Sorted(maps.Keys(d.Paths))); diff != "" {
		t.Fatal(diff)
	}
	for path, route := range routes {
		o := d.operation(t, route.method, path)
		want := route.needs.String()
		if path == livePath || path == readyPath {
			if o.Scope != nil {
				t.Errorf("%s needs no key", path)
			}
			continue
		}
		if o.Scope == nil || *o.Scope != want {
			t.Errorf("%s: the document does not say that it takes the scope %q", path, want)
		}
	}
}

// TestOpenAPIEnums: the document names the values that there are.
func TestOpenAPIEnums(t *testing.T) {
	d := describe(t)
	check := func(name string, from int, value func(int) string) {
		t.Helper()
		var want []string
		for i := from; !strings.Contains(value(i), "("); i++ {
			want = append(want, value(i))
		}
		if diff := cmp.Diff(want, d.Components.Schemas[name].Enum); diff != "" {
			t.Errorf("%s: %s", name, diff)
		}
	}
	check("Status", 0, func(i int) string { return lifecycle.Status(i).String() })
	check("Reason", 0, func(i int) string { return lifecycle.Reason(i).String() })
	check("State", 0, func(i int) string { return lifecycle.State(i).String() })
	check("Kind", 1, func(i int) string { return lifecycle.Kind(i).String() })
	check("Outcome", 0, func(i int) string { return lifecycle.Outcome(i).String() })
	check("Answer", 0, func(i int) string { return lifecycle.Answer(i).String() })
	check("TokenStatus", 1, func(i int) string { return lifecycle.KeyStatus(i).String() })
}

// nameless returns the id of the nameless integration of a sidecar that has one.
func nameless(p *sidecar) string {
	for s := range p.rack.Summaries() {
		if s.Nameless {
			return s.Integration.ID
		}
	}
	return "none"
}

// TestOpenAPI: what serve really answers is as the document says, on every path,
// with and without what it takes.
func TestOpenAPI(t *testing.T) {
	d := describe(t)
	one := IntegrationsPath + "/" + sidecartest.SampleIntegration
	const form, object = "application/x-www-form-urlencoded", "application/json"
	question := "token=" + sidecartest.SampleToken
	report := func(status int) string {
		return fmt.Sprintf(`{"token":"%s","status":%d,"elapsed_ms":20,"operation":"services/getAll"}`, sidecartest.SampleToken, status)
	}
	for name, keys := range map[string]string{"with keys": sidecartest.APIKeys, "without keys": ""} {
		t.Run(name, func(t *testing.T) {
			p := serveAPI(t, keys)
			p.deliver(t, "created.json")
			ask := func(key, method, target, media, body string) sidecartest.Reply {
				t.Helper()
				r := sidecartest.Call(t, p.api, key, method, target, media, body)
				path, _, _ := strings.Cut(target, "?")
				path = regexp.MustCompile(`^/v1/integrations/[^/]+`).ReplaceAllString(path, IntegrationsPath+"/{id}")
				d.check(t, method, path, r)
				return r
			}
			for _, key := range []string{"", "reader", "asker", "reporter", "wrong", "boss"} {
				for path, route := range New(Options{}).routes {
					if path != "/v1/changes" {
						ask(key, route.method, strings.Replace(path, "{id}", sidecartest.SampleIntegration, 1), object, "{")
					}
				}
				ask(key, "GET", "/v1/changes?after=x", "", "")
			}
			ask("asker", "POST", IntrospectPath, form, question)
			ask("boss", "POST", IntrospectPath, form, "token=canary")
			ask("asker", "POST", IntrospectPath, form, "token="+strings.Repeat("a", BodyLimit))
			ask("reader", "GET", IntegrationsPath+"?limit=1", "", "")
			ask("reader", "GET", IntegrationsPath+"?limit=0", "", "")
			ask("reader", "GET", IntegrationsPath+"/canary", "", "")
			ask("reader", "GET", IntegrationsPath+"/canary/history", "", "")
			ask("reader", "GET", one+"/history?limit=0", "", "")
			ask("reader", "GET", IntegrationsPath+"/canary/explain", "", "")
			ask("holder", "POST", one+"/token", "", "")
			ask("holder", "POST", IntegrationsPath+"/canary/token", "", "")
			ask("reporter", "POST", "/v1/report", object, report(http.StatusUnauthorized))
			ask("reporter", "POST", "/v1/report", object, report(http.StatusOK))
			ask("reporter", "POST", "/v1/report", object, `{"token":"canary","status":200,"elapsed_ms":20}`)
			ask("reporter", "POST", "/v1/report", object, `"`+strings.Repeat("a", BodyLimit)+`"`)
			ask("boss", "POST", IntegrationsPath+"/imported/import", object, `{"token":"canary-imported","enterprise":"e"}`)
			ask("boss", "POST", one+"/import", object, `{"token":"`+strings.Repeat("a", BodyLimit)+`"}`)
			ask("boss", "POST", one+"/probe", object, "{}")
			ask("boss", "POST", one+"/settle", object, `{"enabled":true,"who":"Kim","why":"the hotel called"}`)
			ask("boss", "POST", one+"/settle", object, `{"who":"Kim","why":"the hotel called"}`)
			ask("boss", "POST", one+"/settle", object, `{"who":"`+strings.Repeat("a", BodyLimit)+`"}`)
			ask("boss", "POST", IntegrationsPath+"/canary/settle", object, `{"enabled":true,"who":"Kim","why":"the hotel called"}`)
			ask("boss", "POST", one+"/label", object, `{"set":{"tenant":"4711","env":""},"remove":["old"]}`)
			ask("boss", "POST", one+"/label", object, `{"set":{"tenant":"not a value"}}`)
			ask("boss", "POST", one+"/label", object, `{"remove":["`+strings.Repeat("a", BodyLimit)+`"]}`)
			ask("boss", "POST", IntegrationsPath+"/canary/label", object, `{"set":{"tenant":"4711"}}`)
			ask("boss", "POST", ConnectPath, object, `{"token":"canary-connected","labels":{"tenant":"4712"},"enterprise":"e"}`)
			ask("boss", "POST", ConnectPath, object, `{"token":"canary connected"}`)
			ask("boss", "POST", ConnectPath, object, `{"token":"`+strings.Repeat("a", BodyLimit)+`"}`)
			ask("reader", "GET", IntegrationsPath+"?unnamed=true", "", "")
			ask("boss", "POST", IntegrationsPath+"/named/name", object, `{"nameless":"`+nameless(p)+`","who":"Kim","why":"the hotel called"}`)
			ask("boss", "POST", IntegrationsPath+"/named/name", object, `{"nameless":"canary","who":"Kim","why":"the hotel called"}`)
			ask("boss", "POST", IntegrationsPath+"/named/name", object, `{"nameless":"`+sidecartest.SampleIntegration+`","who":"Kim","why":"the hotel called"}`)
			ask("boss", "POST", IntegrationsPath+"/named/name", object, `{"who":"`+strings.Repeat("a", BodyLimit)+`"}`)
			ask("asker", "POST", IntrospectPath, form, question)
			ask("boss", "POST", one+"/import", object, `{"token":"`+sidecartest.SampleToken+`","labels":{"not a key":"x"}}`)
			ask("reader", "GET", IntegrationsPath+"?label=tenant=4711,env=", "", "")
			ask("reader", "GET", IntegrationsPath+"?label=tenant", "", "")
			ask("boss", "GET", one+"/history", "", "")
			ask("boss", "POST", "/v1/subscriptions/pause", object, `{"name":"canary"}`)
			ask("boss", "POST", "/v1/subscriptions/resume", object, `{"name":"canary"}`)
			ask("boss", "POST", "/v1/subscriptions/rewind", object, `{"name":"canary","after":0}`)
			for _, event := range []string{"disabled.json", "enabled.json", "api_key_created.json", "canceled.json", "reinstated.json"} {
				p.deliver(t, event)
				ask("reader", "GET", one, "", "")
				ask("holder", "POST", one+"/token", "", "")
			}
			ask("reader", "GET", IntegrationsPath, "", "")
			ask("reader", "GET", one+"/history", "", "")
			ask("reader", "GET", one+"/history?limit=1", "", "")
			ask("reader", "GET", one+"/explain", "", "")
			ask("reader", "GET", one+"/explain?at="+time.Now().UTC().Format(time.RFC3339Nano), "", "")
			for _, at := range []string{"", "yesterday", "2900-01-01T00:00:00Z"} {
				if got := ask("reader", "GET", one+"/explain?at="+at, "", ""); got.Status != http.StatusBadRequest {
					t.Errorf("at=%s: %d", at, got.Status)
				}
			}
			if got := ask("reader", "GET", one+"/explain?at=2001-01-01T00:00:00Z", "", ""); !strings.Contains(got.Body, "the journal knows of the integration since 20") {
				t.Errorf("too early: %s", got.Body)
			}
			p.deliver(t, "deleted.json")
			ask("reader", "GET", one+"/explain", "", "")
			ask("holder", "POST", one+"/token", "", "")
			if got := ask("reader", "GET", "/v1/openapi.json", "", "").Body; keys != "" && got != string(openAPI) {
				t.Error("another document is served than is committed")
			}
			sidecartest.Silent(t, "the log", p.log.String())
		})
	}
	// Every answer that can be had so was had.
	for path, methods := range d.Paths {
		for method := range methods {
			if method == "parameters" {
				continue
			}
			method = strings.ToUpper(method)
			for status := range d.operation(t, method, path).Responses {
				elsewhere := status == "503" || status == "410" || // of a store that fails
					path == "/v1/changes" && status == "200" || // of another test
					strings.HasPrefix(path, "/v1/subscriptions") && (status == "200" || status == "413") ||
					path == ConnectPath && (status == "422" || status == "504") || // of Mews: see TestConnect
					strings.HasSuffix(path, "/probe") && (status == "200" || status == "404") ||
					strings.HasSuffix(path, "/v1/openapi.json") && status == "403"
				if !elsewhere && !d.seen[method+" "+path+" "+status] {
					t.Errorf("%s %s: no answer with status %s was looked at", method, path, status)
				}
			}
		}
	}
}
