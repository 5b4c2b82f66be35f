package keyrack_test

import (
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/keyrack-dev/keyrack"
	"github.com/keyrack-dev/keyrack/internal/testkit"
)

// What a caller sees of the handler, byte for byte, stands in testdata/http: one
// conversation a file, over a real server on connections in memory and, where
// somebody has to wait, on virtual time. Behind each answer the file says what
// came of it inside.
var conversations = []struct {
	file  string
	about string
	setup func(*server)
	talk  []exchange
}{
	{
		"paths", "One exact path, POST alone, and never a redirection.", nil,
		[]exchange{
			{about: "the path", line: "POST /webhooks/mews?Token=current", body: enabledBody},
			{about: "as a proxy would ask for it", line: "POST http://keyrack.test/webhooks/mews?Token=current", body: enabledBody},
			{about: "another path", line: "POST /", body: enabledBody},
			{about: "two slashes", line: "POST //webhooks/mews?Token=current", body: enabledBody},
			{about: "two slashes within", line: "POST /webhooks//mews?Token=current", body: enabledBody},
			{about: "a slash at the end", line: "POST /webhooks/mews/?Token=current", body: enabledBody},
			{about: "a dot", line: "POST /webhooks/./mews?Token=current", body: enabledBody},
			{about: "two dots", line: "POST /webhooks/../webhooks/mews?Token=current", body: enabledBody},
			{about: "another case", line: "POST /Webhooks/Mews?Token=current", body: enabledBody},
			{about: "an encoded slash", line: "POST /webhooks%2Fmews?Token=current", body: enabledBody},
			{about: "an encoded letter", line: "POST /webhooks/%6Dews?Token=current", body: enabledBody},
			{about: "GET", line: "GET /webhooks/mews?Token=current"},
			{about: "HEAD", line: "HEAD /webhooks/mews?Token=current"},
			{about: "OPTIONS", line: "OPTIONS /webhooks/mews"},
			{about: "PUT", line: "PUT /webhooks/mews?Token=current", body: enabledBody},
			{about: "a method in lower case", line: "post /webhooks/mews?Token=current", body: enabledBody},
		},
	},
	{
		"secrets", "One secret of several, exactly once, in the query.", nil,
		[]exchange{
			{about: "none", line: "POST /webhooks/mews", body: enabledBody},
			{about: "a wrong one", line: "POST /webhooks/mews?Token=wrong", body: enabledBody},
			{about: "a part of one", line: "POST /webhooks/mews?Token=curren", body: enabledBody},
			{about: "an empty one", line: "POST /webhooks/mews?Token=", body: enabledBody},
			{about: "the name in the wrong case", line: "POST /webhooks/mews?token=current", body: enabledBody},
			{about: "two, both right", line: "POST /webhooks/mews?Token=current&Token=former", body: enabledBody},
			{about: "two, one of them right", line: "POST /webhooks/mews?Token=wrong&Token=current", body: enabledBody},
			{about: "in the body", line: "POST /webhooks/mews", headers: []string{"Content-Type: application/x-www-form-urlencoded"}, body: "Token=current"},
			{about: "in a header", line: "POST /webhooks/mews", headers: []string{"Authorization: Bearer current", "Token: current"}, body: enabledBody},
			{about: "in a query that does not parse", line: "POST /webhooks/mews?Token=current;x=%zz", body: enabledBody},
			{about: "asked for with Expect, and refused before the body comes", line: "POST /webhooks/mews?Token=wrong", headers: []string{"Expect: 100-continue"}, body: enabledBody, wait: true},
			{about: "the current one", line: "POST /webhooks/mews?Token=current", body: enabledBody},
			{about: "beside something else", line: "POST /webhooks/mews?a=b&Token=current&c", body: enabledBody},
			{about: "the former one, a minute later", after: minute, line: "POST /webhooks/mews?Token=former", body: enabledBody},
			{about: "one with reserved characters, encoded", after: minute, line: "POST /webhooks/mews?Token=%C3%BC%2B%26%3D+%2520", body: enabledBody},
		},
	},
	{
		"outcomes", "Whatever was journalled is 204: sending it again would not help.", nil,
		[]exchange{
			{about: "the specification's own payload", line: delivery, body: string(specBody())},
			{about: "again", line: delivery, body: string(specBody())},
			{about: "no content type is promised, and none is asked for", line: delivery, headers: []string{"Content-Type: text/plain"}, body: `{"Action":"IntegrationDisabled","Data":{"Integration":{"Id":"9e5e84e9-974d-4f16-9662-ab2200f27cb1","Name":"WebhookTEST"}}}`},
			{about: "its predecessor is missing", line: delivery, body: enabledBody},
			{about: "another enterprise", line: delivery, body: strings.ReplaceAll(string(specBody()), "8865aa96", "00000000")},
			{about: "a deletion, without its time", line: delivery, body: `{"Action":"IntegrationDeleted","Data":{"DeletedUtc":null,"Integration":{"Id":"9e5e84e9-974d-4f16-9662-ab2200f27cb1","Name":"WebhookTEST"}}}`},
			{about: "after the deletion", line: delivery, body: string(specBody())},
			{about: "an action that is not known", line: delivery, body: `{"Action":"IntegrationMoved","Data":{"Integration":{"Id":"9e5e84e9-974d-4f16-9662-ab2200f27cb1"}}}`},
			{about: "an unexpected shape", line: delivery, body: `{"Action":"IntegrationEnabled","Data":{"Integration":"9e5e84e9-974d-4f16-9662-ab2200f27cb1"}}`},
			{about: "another unexpected shape", line: delivery, body: `[]`},
			{about: "a General Webhook without a handler", line: delivery, body: generalBody},
		},
	},
	{
		"syntax", "What is not strict JSON is 400; a count and a keyed digest are kept.", nil,
		[]exchange{
			{about: "nothing", line: delivery, body: ""},
			{about: "words", line: delivery, body: "IntegrationEnabled"},
			{about: "cut short", line: delivery, body: enabledBody[:60]},
			{about: "a name twice", line: delivery, body: `{"Action":"IntegrationEnabled","Action":"IntegrationDeleted","Data":{"Integration":{"Id":"x"}}}`},
			{about: "a required name in the wrong case", line: delivery, body: `{"action":"IntegrationEnabled","Data":{"Integration":{"Id":"x"}}}`},
			{about: "broken UTF-8", line: delivery, body: "{\"Action\":\"IntegrationEnabled\",\"Data\":{\"Integration\":{\"Id\":\"\xff\"}}}"},
			{about: "data after the end", line: delivery, body: enabledBody + "{}"},
			{about: "too deep", line: delivery, body: strings.Repeat("[", 40) + strings.Repeat("]", 40)},
			{about: "the same words again", line: delivery, body: "IntegrationEnabled"},
		},
	},
	{
		"sizes", "The limit is 64 KiB, with a length or without.", nil,
		[]exchange{
			{about: "exactly the limit", line: delivery, body: padded(64 << 10)},
			{about: "exactly the limit, chunked", line: delivery, body: padded(64 << 10), chunked: true},
			{about: "one byte more", line: delivery, body: padded(64<<10 + 1)},
			{about: "one byte more, chunked", line: delivery, body: padded(64<<10 + 1), chunked: true},
			{about: "much more, announced with Expect and never sent", line: delivery, headers: []string{"Expect: 100-continue"}, body: padded(1 << 20), wait: true},
			{about: "within the limit, announced with Expect", line: delivery, headers: []string{"Expect: 100-continue"}, body: enabledBody, wait: true},
			{about: "a body that does not come to its end", line: delivery, body: enabledBody, cut: 40},
		},
	},
	{
		"store", "503 tells Mews to send it again, and only where that can help.", nil,
		[]exchange{
			{about: "a healthy store", line: delivery, body: string(specBody())},
			{about: "one that fails", line: delivery, body: enabledBody, faults: []fault{failsBefore, failsBefore}},
			{about: "one that fails once", line: delivery, body: enabledBody, faults: []fault{failsBefore}},
			{about: "one that commits and loses its answer", line: delivery, body: enabledBody, faults: []fault{failsAfter}},
			{about: "one that commits and loses its answer, twice", line: delivery, body: enabledBody, faults: []fault{failsAfter, failsAfter}},
			{about: "and is well again", line: delivery, body: enabledBody},
			{about: "one that does not answer", line: delivery, body: enabledBody, faults: []fault{hangs}},
			{about: "one that commits and does not answer", line: delivery, body: enabledBody, faults: []fault{hangsAfter}},
			{about: "one where another instance was faster", line: delivery, body: enabledBody, faults: []fault{conflicts}},
			{about: "one where somebody is always faster", line: delivery, body: enabledBody, faults: slices.Repeat([]fault{conflicts, noFault}, 4000)},
			{about: "one that panics", line: delivery, body: enabledBody, faults: []fault{panics, panics}},
			{about: "one that panics over what names no integration", line: delivery, body: `[]`, faults: []fault{panics, panics}},
			{about: "and is well again", line: delivery, body: enabledBody},
		},
	},
	{
		"patience", "An application may give the store less time.",
		func(s *server) { s.rackOptions.StoreTimeout = time.Second },
		[]exchange{
			{about: "a store that does not answer", line: delivery, body: enabledBody, faults: []fault{hangs}},
		},
	},
	{
		"general", "A General Webhook is answered by the application's own handler.",
		func(s *server) { s.options.General = http.HandlerFunc(s.application) },
		[]exchange{
			{about: "the body as it came", line: delivery, body: generalBody},
			{about: "the body as it came, chunked and with white space", line: delivery, body: "\n " + generalBody + " \n", chunked: true},
			{about: "an answer of its own", line: delivery + "&do=teapot", body: generalBody},
			{about: "nothing answered", line: delivery + "&do=nothing", body: generalBody},
			{about: "a panic", line: delivery + "&do=panic", body: generalBody},
			{about: "a panic in the middle of an answer", line: delivery + "&do=panic-late", body: generalBody},
			{about: "an answer that it breaks off itself, as a proxy does", line: delivery + "&do=abort", body: generalBody},
			{about: "hints before the answer", line: delivery + "&do=hints", body: generalBody},
			{about: "it takes its time, and its context lives as long", line: delivery + "&do=slow", body: generalBody},
			{about: "without the secret it does not get there", line: "POST /webhooks/mews", body: generalBody},
			{about: "an event of an integration does not get there", line: delivery, body: enabledBody},
			{about: "nor what has an Action, whatever else it has", line: delivery, body: `{"Action":"IntegrationMoved","Events":[]}`},
		},
	},
	{
		"open", "Without a secret, where something in front authenticates; on a path of its own, with a limit of its own.",
		func(s *server) {
			s.secrets, s.options = nil, keyrack.HandlerOptions{WithoutSecret: true, Path: "/mews/hooks", BodyLimit: int64(len(enabledBody))}
		},
		[]exchange{
			{about: "no secret", line: "POST /mews/hooks", body: enabledBody},
			{about: "any secret", line: "POST /mews/hooks?Token=any", body: enabledBody},
			{about: "the usual path", line: "POST /webhooks/mews", body: enabledBody},
			{about: "one byte more", line: "POST /mews/hooks", body: enabledBody + " "},
		},
	},
}

// exchange is one request and its answer.
type exchange struct {
	about   string
	after   time.Duration
	line    string // of the request, without the protocol
	headers []string
	body    string
	chunked bool
	wait    bool    // for 100 Continue
	cut     int     // how much of the body is sent, if not 0
	faults  []fault // of the store's
}

func TestConversations(t *testing.T) {
	for _, c := range conversations {
		t.Run(c.file, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s := newServer(t)
				if c.setup != nil {
					c.setup(s)
				}
				s.start()
				var b strings.Builder
				fmt.Fprintf(&b, "# %s\n", c.about)
				for _, x := range c.talk {
					time.Sleep(x.after)
					b.WriteString("\n")
					s.exchange(&b, x)
				}
				b.WriteString("\n")
				s.summary(&b)
				s.close()
				testkit.Golden(t, "http/"+c.file+".txt", b.String())
			})
		})
	}
}
