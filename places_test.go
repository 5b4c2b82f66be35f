package keyrack_test

import (
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// This file holds where tests are: those of a production file x.go are in x_test.go beside
// it, so that nobody has to look for them. A file of that name in which nothing is run holds
// none.

type elsewhere struct{ room, files, tests, reason string }

// testedIn are the production files whose tests are elsewhere, with the place, as seen from
// their folder, and the reason. Most are one half of something that is only worth testing as
// a whole. A star stands for all files of a room that have no tests of their own.
var testedIn = []elsewhere{
	{"memstore", "*", "store_test.go", "the suite of storetest, a subtest for each promise"},
	{"sqlitestore", "*", "sqlitestore_test.go crash_test.go", "the suite of storetest, and crashes"},
	{"pgstore", "*", "store_test.go crash_test.go", "the suite of storetest, and crashes"},
	{"pgstore/pgtest", "cluster.go pgtest.go pooler.go standby.go", "../store_test.go", "a kit: every test of pgstore stands on it"},
	{"store", "more.go", "store_test.go", "interfaces alone"},
	{"store/storetest", "*", "planted_test.go", "a planted fault for each promise, in faults_*_test.go"},

	{"lifecycle/internal/belief", "*", "belief_test.go judge_test.go", "its parts are one inference: see TestJudged"},
	{"lifecycle", "action.go state.go", "names_test.go", "the names of all types are tested together"},
	{"lifecycle", "codec.go digest.go evidence.go former.go instant.go", "encode_test.go", "what a journal and a record are written in"},
	{"lifecycle", "policy.go possible.go", "verdict_test.go truth_test.go", "what they do to a verdict"},
	{"lifecycle", "course.go current.go", "record_test.go property_test.go question_test.go", "parts of a record"},
	{"events", "beside.go data.go error.go fault.go general.go mend.go raw.go reader.go requestor.go stray.go", "decode_test.go fuzz_test.go private_test.go", "one decoder: bytes go in, and an event or an error comes out"},
	{"events", "event.go writer.go", "private_test.go append_test.go", "what is shown of an event, and how it is written"},
	{"seal", "digest.go", "seal_test.go", "digests beside seals"},
	{"connector", "address.go answer.go configuration.go", "options_test.go error_test.go transcript_test.go", "seen from outside: options, errors, transcripts"},

	{"atrest", "export.go", "restore_test.go", "what is exported is what a restore reads"},
	{"store/storetest/deployment", "deployment.go", "../../../instances_test.go", "a kit for tests of several instances"},
	{"internal/guard", "foreign.go panic.go sealer.go", "guard_test.go", "one promise of all of them"},
	{"internal/stamp", "*", "stamp_test.go", "one promise: what is put on is taken off, and fits nothing else"},
	{"internal/join", "fold.go stash.go", "join_test.go", "steps of Join"},
	{"internal/join", "history.go spellings.go", "../../spelling_test.go", "what a Rack shows of it"},
	{"internal/probe", "connect.go", "../../connect_test.go", "asked outside of the queue, by a Rack"},
	{"internal/view", "aside.go", "../../unreadable_test.go", "what a Rack shows of a record that it cannot read"},
	{"internal/subscription", "dead.go", "control_test.go backlog_test.go", "dead letters are part of the backlog and its control"},
	{"internal/testkit", "main.go race.go norace.go", "golden_test.go", "a process's exit code, and a constant of the build"},
	{"keyrackotel", "ends.go watch.go", "keyrackotel_test.go", "seen from outside: what comes out of OpenTelemetry's SDK"},

	{"bench", "lookup.go parts.go", "main_test.go", "a benchmark checks its answers; what is claimed of all of them"},

	{"console", "*", "console_test.go hostile_test.go", "pages are tested as they are served"},

	{"packaging/release", "build.go install.go proxy.go", "main_test.go", "a release is the steps in turn"},

	{"mewstest", "act.go integration.go message.go", "script_test.go", "acts and their messages, one at a time"},
	{"mewstest", "agenda.go fate.go log.go", "determinism_test.go", "the same seed gives the same log"},
	{"mewstest", "configuration.go enterprise.go quota.go request.go trouble.go", "connector_test.go", "parts of the Connector API"},
	{"mewstest", "courier.go replay.go spread.go", "faults_test.go", "what becomes of a message on its way"},
	{"mewstest", "difference.go watch.go world.go", "assert_test.go", "the truth, and who is wrong about it"},
	{"mewstest", "stats.go transport.go", "rack_test.go sender_test.go", "counted and carried in all of them"},

	{"cmd/keyrack", "main.go", "script_test.go", "signals and exit codes of the real process"},
	{"cmd/keyrack", "verb_data.go verb_letters.go", "testdata/script/data.txtar testdata/script/subscriptions.txtar", "acts on a store, as a user gives them"},
	{"cmd/keyrack", "verb_health.go", "testdata/script/health.txtar", "an exit code"},
	{"cmd/keyrack", "cli_backend.go", "testdata/script/probe.txtar testdata/script/subscriptions.txtar", "the same verb at a sidecar and at a store"},
	{"cmd/keyrack", "cli_secrets.go", "cli_settings_test.go sealing_test.go testdata/script/secretfiles.txtar", "settings, as a user gives them"},
	{"cmd/keyrack", "verb_restore.go", "verb_export_test.go", "a store goes through all of them in turn"},
	{"cmd/keyrack", "verb_list.go verb_replay.go verb_mews.go verb_connect.go", "testdata/script/connect.txtar testdata/script/ask.txtar testdata/script/replay.txtar testdata/script/mews.txtar", "little but flags and printing"},
	{"cmd/keyrack/internal/api", "access.go", "oauth_test.go openapi_test.go", "every scope at every route"},
	{"cmd/keyrack/internal/api", "admin.go documents.go integrations.go list.go problem.go request.go server.go subscriptions.go", "openapi_test.go", "every route and every status of the description"},
	{"cmd/keyrack/internal/api", "cursor.go", "history_test.go", "pages of a history"},
	{"cmd/keyrack/internal/demo", "demo.go runner.go", "steps_test.go", "a demo is its steps"},
	{"cmd/keyrack/internal/files", "owner_unix.go owner_other.go readonly_statfs.go readonly_other.go", "guarded_test.go", "what a system says of a file"},
	{"cmd/keyrack/internal/httpserver", "httpserver.go share.go files_unix.go files_other.go", "log_test.go crowd_test.go", "a server with its limits, under load"},
	{"cmd/keyrack/internal/mews", "control.go documents.go", "mews_test.go", "one server, called as a program would"},
	{"cmd/keyrack/internal/metrics", "counters.go metrics.go promwriter.go", "page_test.go alerts_test.go", "seen from outside: the page"},
	{"cmd/keyrack/internal/sidecartest", "*", "../api/openapi_test.go", "a kit for the tests of the command"},
	{"cmd/keyrack/internal/simulation", "report.go simulation.go", "../../testdata/script/simulate.txtar ../../testdata/script/simulate_asked.txtar", "a simulation needs a receiver"},
	{"cmd/keyrack/internal/terminal", "width.go size_unix.go size_other.go", "table_test.go", "how wide a cell is shows in a table; how wide a terminal is, in no test"},
	{"cmd/keyrack/internal/storage", "path.go", "url_test.go", "paths are part of a URL"},
	{"cmd/keyrack/internal/storage", "migrate.go", "../../postgres_test.go", "what it does takes a PostgreSQL"},
	{"cmd/keyrack/internal/usage", "usage.go", "../../cli_exit_test.go ../../cli_args_test.go", "two lines; its effect is an exit code"},
}

// run is a function that go test runs.
var run = regexp.MustCompile(`(?m)^func (Test|Fuzz|Benchmark|Example)`)

// TestEveryFileHasItsTests reads the folders, so that files of other systems count too.
func TestEveryFileHasItsTests(t *testing.T) {
	found := make([]bool, len(testedIn))
	for _, p := range goList(t, nil, "work") {
		room := roomOf(p.ImportPath)
		files, err := filepath.Glob(filepath.Join(p.Dir, "*.go"))
		if err != nil {
			t.Fatal(err)
		}
		var stems []string // of test files
		for _, file := range files {
			stem, ok := strings.CutSuffix(filepath.Base(file), "_test.go")
			if !ok {
				continue
			}
			source, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			if run.Match(source) {
				stems = append(stems, stem)
			}
		}
		for _, file := range files {
			name := filepath.Base(file)
			if strings.HasSuffix(name, "_test.go") || name == "doc.go" {
				continue
			}
			stem := strings.TrimSuffix(name, ".go")
			tested := slices.ContainsFunc(stems, func(s string) bool { return s == stem || strings.HasPrefix(s, stem+"_") })
			row := slices.IndexFunc(testedIn, func(r elsewhere) bool {
				return r.room == room && slices.Contains(strings.Fields(r.files), name)
			})
			switch {
			case tested && row >= 0:
				t.Errorf("%s/%s has tests of its own: take it off the list", room, name)
				found[row] = true
				continue
			case tested:
				continue
			case row < 0:
				row = slices.IndexFunc(testedIn, func(r elsewhere) bool { return r.room == room && r.files == "*" })
			}
			if row < 0 {
				t.Errorf("%s/%s has no %s_test.go; write it, or say on the list where its tests are and why", room, name, stem)
				continue
			}
			found[row] = true
			for tests := range strings.FieldsSeq(testedIn[row].tests) {
				if _, err := os.Stat(filepath.Join(p.Dir, filepath.FromSlash(tests))); err != nil {
					t.Errorf("%s/%s: %v", room, name, err)
				}
			}
		}
		for i, r := range testedIn {
			for name := range strings.FieldsSeq(r.files) {
				if r.room == room && name != "*" && !slices.Contains(files, filepath.Join(p.Dir, name)) {
					t.Errorf("the list has %s/%s, which is no file (row %d)", room, name, i+1)
				}
			}
		}
	}
	for i, r := range testedIn {
		if !found[i] {
			t.Errorf("the list has a row for %s in %s that nothing needs", r.files, r.room)
		}
	}
}

// TestPagesNameTestsThatExist: a page that names a file of tests sends nobody astray. What
// CONTRIBUTING makes up for its examples is left out.
func TestPagesNameTestsThatExist(t *testing.T) {
	known := map[string]bool{"x_test.go": true, "verb_count_test.go": true}
	for _, p := range goList(t, nil, "work") {
		files, err := filepath.Glob(filepath.Join(p.Dir, "*_test.go"))
		if err != nil {
			t.Fatal(err)
		}
		for _, file := range files {
			known[filepath.Base(file)] = true
		}
	}
	pages, err := filepath.Glob("docs/*.md")
	if err != nil {
		t.Fatal(err)
	}
	named := 0
	for _, page := range append(pages, "README.md", "CONTRIBUTING.md", "SECURITY.md") {
		text, err := os.ReadFile(page)
		if err != nil {
			t.Fatal(err)
		}
		for _, name := range regexp.MustCompile(`\w+_test\.go`).FindAllString(string(text), -1) {
			if named++; !known[name] {
				t.Errorf("%s names %s, which is no file", page, name)
			}
		}
	}
	if named == 0 {
		t.Error("no page names a test")
	}
}
