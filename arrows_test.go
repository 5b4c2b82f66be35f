package keyrack_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"go/ast"
	"go/parser"
	"go/token"
	"io"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// This file holds the shape of the repository: who may import whom, what the
// pure rooms must not touch, and what a user's binary must not contain. The
// tables say it; the tests below hold the code to them.

const module = "github.com/keyrack-dev/keyrack"

// rooms are all packages of the repository, each with the rooms that its
// production code may import. A new package fails the test until its arrows are
// drawn here and in docs/architecture.md, and so does a row or an arrow that no code
// uses. An internal package is a room too. "keyrack" is the root package.
var rooms = map[string]string{
	"lifecycle/internal/belief": "",

	"lifecycle": "lifecycle/internal/belief",
	"events":    "lifecycle",
	"seal":      "lifecycle",
	"connector": "lifecycle internal/backoff",

	"store":           "lifecycle",
	"store/storetest": "lifecycle store",
	"memstore":        "lifecycle store",
	"sqlitestore":     "lifecycle store internal/newname",
	"pgstore":         "lifecycle store",

	"store/storetest/crosscheck": "lifecycle store store/storetest",
	"pgstore/pgtest":             "",

	"internal/index":             "",
	"internal/backoff":           "",
	"internal/lease":             "store",
	"internal/guard":             "lifecycle seal store",
	"internal/entry":             "lifecycle store",
	"internal/watch":             "lifecycle",
	"internal/due":               "lifecycle store internal/lease",
	"internal/probe":             "lifecycle connector store internal/backoff internal/guard internal/lease",
	"internal/view":              "lifecycle internal/index",
	"internal/history":           "store",
	"internal/striped":           "",
	"internal/deadline":          "",
	"internal/notifier":          "",
	"internal/typed":             "lifecycle",
	"internal/newname":           "",
	"internal/owncall":           "lifecycle",
	"internal/binding":           "lifecycle seal store",
	"internal/trim":              "lifecycle store",
	"internal/stamp":             "store",
	"internal/settings":          "lifecycle seal store internal/binding",
	"internal/join":              "lifecycle seal store internal/binding internal/entry",
	"internal/subscription":      "store internal/backoff internal/lease",
	"internal/digestkey":         "seal store internal/binding internal/stamp",
	"internal/clock":             "lifecycle",
	"internal/annotation":        "store",
	"internal/seen":              "lifecycle store",
	"store/storetest/deployment": "lifecycle events store seal keyrack atrest internal/stamp", // for tests
	"internal/testkit":           "",                                                          // for tests

	"atrest": "lifecycle seal store internal/binding internal/digestkey internal/entry internal/guard internal/join internal/settings internal/stamp internal/subscription",

	"keyrack": "lifecycle events store connector seal internal/binding internal/history internal/entry internal/join internal/view internal/striped internal/notifier " +
		"internal/annotation internal/clock internal/deadline internal/digestkey internal/due internal/guard internal/lease internal/owncall internal/probe internal/seen internal/settings " +
		"internal/stamp internal/subscription internal/trim internal/typed internal/watch",
	"console":             "atrest internal/entry internal/guard internal/join internal/typed keyrack lifecycle seal store",
	"console/browsertest": "", // for tests
	"bench":               "lifecycle events seal store memstore sqlitestore pgstore keyrack internal/entry",
	"keyrackotel":         "lifecycle connector keyrack",
	"mewstest":            "lifecycle events internal/guard",

	"cmd/keyrack": "atrest console lifecycle events connector keyrack sqlitestore store mewstest internal/typed " +
		inCommand("api client demo files front httpserver importfile metrics mews pause simulation storage terminal usage"),
	"cmd/keyrack/internal/api":         "atrest lifecycle store keyrack internal/entry internal/typed " + inCommand("httpserver metrics"),
	"cmd/keyrack/internal/client":      "lifecycle mewstest internal/typed " + inCommand("api pause terminal"),
	"cmd/keyrack/internal/demo":        "lifecycle events memstore keyrack " + inCommand("httpserver pause"),
	"cmd/keyrack/internal/files":       "internal/newname",
	"cmd/keyrack/internal/front":       "keyrack",
	"cmd/keyrack/internal/httpserver":  "",
	"cmd/keyrack/internal/importfile":  "internal/typed " + inCommand("api files"),
	"cmd/keyrack/internal/metrics":     "atrest lifecycle connector keyrack",
	"cmd/keyrack/internal/mews":        "lifecycle mewstest " + inCommand("httpserver"),
	"cmd/keyrack/internal/pause":       "",
	"cmd/keyrack/internal/sidecartest": "internal/testkit", // for tests
	"cmd/keyrack/internal/simulation":  "lifecycle mewstest " + inCommand("client httpserver pause terminal"),
	"cmd/keyrack/internal/storage":     "memstore pgstore seal sqlitestore store keyrack " + inCommand("files usage"),
	"cmd/keyrack/internal/terminal":    "",
	"cmd/keyrack/internal/usage":       "",

	"packaging/release":    "",
	"packaging/kubernetes": "", // for tests
}

// inCommand returns the rooms below cmd/keyrack/internal with these names.
func inCommand(names string) string {
	var rooms []string
	for name := range strings.FieldsSeq(names) {
		rooms = append(rooms, "cmd/keyrack/internal/"+name)
	}
	return strings.Join(rooms, " ")
}

// Values in, values out: time, randomness, storage and delivery are the caller's.
var (
	// pureRooms start no goroutine and use none of the effects.
	pureRooms = []string{"lifecycle", "lifecycle/internal/belief", "events"}

	// effects are what a pure room must not take from a package that it may import.
	effects = map[string]string{
		"time":     "Now Since Until Sleep After AfterFunc Tick NewTimer NewTicker Local LoadLocation",
		"context":  "WithTimeout WithTimeoutCause WithDeadline WithDeadlineCause AfterFunc",
		"fmt":      "Print Printf Println Scan Scanf Scanln",
		"log/slog": "Default SetDefault Debug DebugContext Info InfoContext Warn WarnContext Error ErrorContext Log LogAttrs",
	}

	// outside is what lifecycle must not import at all.
	outside = "crypto/rand database/... embed io/fs io/ioutil log math/rand/... net/... os/... path/filepath plugin syscall/... unsafe"
)

// What a user of the root module links, and what they must never link.
var (
	runTimeModules = "github.com/go-json-experiment/json github.com/looplab/fsm"
	testModules    = "github.com/google/go-cmp pgregory.net/rapid"

	// testCode is reachable from no production package but the testKits, which
	// users import from their own tests.
	testCode = "testing/... net/http/httptest github.com/google/go-cmp/... pgregory.net/rapid/..."
	testKits = "store/storetest pgstore/pgtest store/storetest/deployment internal/testkit mewstest"
)

func TestArrows(t *testing.T) {
	for room, may := range rooms {
		for to := range strings.FieldsSeq(may) {
			if _, ok := rooms[to]; !ok {
				t.Errorf("the table lets %s import %s, which is no room", room, to)
			}
		}
	}
	used := map[string][]string{}
	for _, p := range goList(t, nil, "work") {
		room := roomOf(p.ImportPath)
		used[room] = []string{}
		may, ok := rooms[room]
		if !ok {
			t.Errorf("%s is in no row of the table: draw its arrows", p.ImportPath)
			continue
		}
		for _, path := range p.Imports {
			to := roomOf(path)
			used[room] = append(used[room], to)
			if to != "" && !slices.Contains(strings.Fields(may), to) {
				t.Errorf("%s imports %s; it may import: %s", room, to, orNone(may))
			}
		}
	}
	for room, may := range rooms {
		if used[room] == nil {
			t.Errorf("the table has a row for %s, which is no package", room)
			continue
		}
		for to := range strings.FieldsSeq(may) {
			if !slices.Contains(used[room], to) {
				t.Errorf("the table lets %s import %s, which it does not", room, to)
			}
		}
	}
}

// TestPureRooms reads the source, so that files of other systems count too.
func TestPureRooms(t *testing.T) {
	for _, room := range pureRooms {
		files, err := filepath.Glob(filepath.Join(room, "*.go"))
		if err != nil {
			t.Fatal(err)
		}
		for _, name := range files {
			if strings.HasSuffix(name, "_test.go") {
				continue
			}
			fset := token.NewFileSet()
			file, err := parser.ParseFile(fset, name, nil, parser.SkipObjectResolution)
			if err != nil {
				t.Fatal(err)
			}
			found := impurities(file, room == "lifecycle")
			for _, pos := range slices.Sorted(maps.Keys(found)) {
				t.Errorf("%s: %s in %s, which is pure", fset.Position(pos), found[pos], room)
			}
		}
	}
}

// impurities finds what a pure room's file must not have, by its place.
func impurities(file *ast.File, strict bool) map[token.Pos]string {
	found := map[token.Pos]string{}
	imports := map[string]string{} // path by the file's name for it
	for _, spec := range file.Imports {
		path, _ := strconv.Unquote(spec.Path.Value)
		name := path[strings.LastIndex(path, "/")+1:]
		if spec.Name != nil {
			name = spec.Name.Name
		}
		imports[name] = path
		if name == "." || strict && matches(path, outside) {
			found[spec.Pos()] = "import " + name + " " + path
		}
	}
	ast.Inspect(file, func(n ast.Node) bool {
		switch n := n.(type) {
		case *ast.GoStmt:
			found[n.Pos()] = "a go statement"
		case *ast.SelectorExpr:
			x, ok := n.X.(*ast.Ident)
			if ok && matches(n.Sel.Name, effects[imports[x.Name]]) {
				found[n.Pos()] = x.Name + "." + n.Sel.Name
			}
		}
		return true
	})
	return found
}

func TestNoTestCodeInProduction(t *testing.T) {
	graph := rootGraph(t)
	for path, p := range graph {
		if room := roomOf(path); room == "" || matches(room, testKits) {
			continue
		}
		// Breadth first, so that the chain told is a shortest one.
		from := map[string]string{path: ""}
		for queue := []string{p.ImportPath}; len(queue) > 0; queue = queue[1:] {
			for _, to := range graph[queue[0]].Imports {
				if _, seen := from[to]; seen {
					continue
				}
				from[to] = queue[0]
				switch other := roomOf(to); {
				case matches(to, testCode):
					t.Errorf("production code reaches test code: %s", chain(from, to))
				case other == "" || matches(other, testKits):
					queue = append(queue, to) // any other room answers for itself
				}
			}
		}
	}
}

func TestRunTimeModules(t *testing.T) {
	needed := map[string]bool{}
	for _, p := range rootGraph(t) {
		needed[p.Module.Path] = !p.Standard && !p.Module.Main
	}
	for path, needs := range needed {
		if needs && !matches(path, runTimeModules) {
			t.Errorf("production code needs %s; the modules it may need: %s", path, runTimeModules)
		}
	}
	// The whole module graph: what a user's go.sum and auditors see.
	for path := range strings.FieldsSeq(string(goCommand(t, rootAlone, "list", "-m", "-f", "{{.Path}}", "all"))) {
		if !matches(path, module+" "+runTimeModules+" "+testModules) {
			t.Errorf("the module graph has %s, which is in neither list", path)
		}
	}
}

// TestDrawing holds the drawing in docs/architecture.md to the table. An arrow
// that follows from others may be left out of it.
func TestDrawing(t *testing.T) {
	doc, err := os.ReadFile("docs/architecture.md")
	if err != nil {
		t.Fatal(err)
	}
	var drawing strings.Builder // of all rooms; a part of them may have a drawing of its own
	for _, m := range regexp.MustCompile("(?s)```mermaid\n(.*?)```").FindAllStringSubmatch(string(doc), -1) {
		drawing.WriteString(m[1])
	}
	if drawing.String() == "" {
		t.Fatal("docs/architecture.md has no mermaid drawing")
	}
	room := map[string]string{} // by the drawing's name for it
	for _, m := range regexp.MustCompile(`(\w+)\["?([\w/]+)"?\]`).FindAllStringSubmatch(drawing.String(), -1) {
		room[m[1]] = m[2]
	}
	drawn := map[string][]string{}
	for _, m := range regexp.MustCompile(`(?m)^\s*(\w+) --> ([\w &]+)$`).FindAllStringSubmatch(drawing.String(), -1) {
		for to := range strings.SplitSeq(m[2], " & ") {
			drawn[room[m[1]]] = append(drawn[room[m[1]]], room[to])
			if !slices.Contains(strings.Fields(rooms[room[m[1]]]), room[to]) {
				t.Errorf("drawn, but not in the table: %s --> %s", m[1], to)
			}
		}
	}
	var reach func(from string, seen map[string]bool)
	reach = func(from string, seen map[string]bool) {
		for _, to := range drawn[from] {
			if !seen[to] {
				seen[to] = true
				reach(to, seen)
			}
		}
	}
	names := slices.Collect(maps.Values(room))
	for _, name := range names {
		if _, ok := rooms[name]; !ok {
			t.Errorf("drawn, but not in the table: %s", name)
		}
	}
	described := map[string]bool{} // in the page's tables of rooms; the command's go by their last word
	prefix := ""
	for line := range strings.Lines(string(doc)) {
		switch {
		case strings.HasPrefix(line, "| room of the command |"):
			prefix = "cmd/keyrack/internal/"
		case strings.HasPrefix(line, "| `"):
			cell, _, _ := strings.Cut(line[1:], "|")
			for _, m := range regexp.MustCompile("`([\\w/]+)`").FindAllStringSubmatch(cell, -1) {
				if described[prefix+m[1]] = true; !slices.Contains(names, prefix+m[1]) {
					t.Errorf("it is said what comes into %s, which is no room", prefix+m[1])
				}
			}
		case strings.HasPrefix(line, "## The way"):
			prefix = "elsewhere/"
		}
		if prefix == "elsewhere/" {
			break
		}
	}
	for _, name := range names {
		if !described[name] {
			t.Errorf("the page does not say what comes into %s", name)
		}
	}
	for from, may := range rooms {
		if !slices.Contains(names, from) {
			t.Errorf("in the table, but not drawn: %s", from)
		}
		seen := map[string]bool{}
		reach(from, seen)
		for to := range strings.FieldsSeq(may) {
			if !seen[to] {
				t.Errorf("in the table, but not drawn: %s --> %s", from, to)
			}
		}
	}
}

// listed is what we read of a package in the go command's answer.
type listed struct {
	ImportPath, Dir string
	Export          string // the file of its export data, if that was asked for
	Imports         []string
	Standard        bool
	Module          struct {
		Path string
		Main bool
	}
}

// rootAlone is the environment in which users build the root module: no workspace.
var rootAlone = []string{"GOWORK=off"}

// rootGraph returns the production packages of the root module and everything
// that they are built from, by import path.
func rootGraph(t *testing.T) map[string]listed {
	t.Helper()
	graph := map[string]listed{}
	for _, p := range goList(t, rootAlone, "-deps", "./...") {
		graph[p.ImportPath] = p
	}
	return graph
}

func goList(t *testing.T, env []string, args ...string) []listed {
	t.Helper()
	out := goCommand(t, env, append([]string{"list", "-json=ImportPath,Dir,Export,Imports,Standard,Module"}, args...)...)
	var all []listed
	for dec := json.NewDecoder(bytes.NewReader(out)); ; {
		var p listed
		if err := dec.Decode(&p); errors.Is(err, io.EOF) {
			break
		} else if err != nil {
			t.Fatal(err)
		}
		all = append(all, p)
		// The cache of test results sees what a test reads, not what its child
		// process does: reading our folders here makes their changes count.
		if roomOf(p.ImportPath) != "" {
			if _, err := os.ReadDir(p.Dir); err != nil {
				t.Fatal(err)
			}
		}
	}
	return all
}

func goCommand(t *testing.T, env []string, args ...string) []byte {
	t.Helper()
	path, err := exec.LookPath("go")
	if err != nil {
		if os.Getenv("CI") == "true" {
			t.Fatal("the import arrows cannot be read: ", err)
		}
		t.Skip("SKIPPED, THE IMPORT ARROWS ARE NOT CHECKED: ", err)
	}
	var stderr bytes.Buffer
	cmd := exec.CommandContext(t.Context(), path, args...)
	cmd.Env = append(os.Environ(), env...)
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("go %s: %v\n%s", strings.Join(args, " "), err, &stderr)
	}
	return out
}

// roomOf names the room of an import path, "" where it is not ours.
func roomOf(path string) string {
	if path == module {
		return "keyrack"
	}
	if room, ok := strings.CutPrefix(path, module+"/"); ok {
		return room
	}
	return ""
}

// matches reports whether a list of patterns has name; "a/..." stands for a and
// everything below it.
func matches(name, patterns string) bool {
	for pattern := range strings.FieldsSeq(patterns) {
		below, ok := strings.CutSuffix(pattern, "/...")
		if name == below || ok && strings.HasPrefix(name, below+"/") {
			return true
		}
	}
	return false
}

// chain tells how a walk came to a package.
func chain(from map[string]string, to string) string {
	if from[to] == "" {
		return to
	}
	return chain(from, from[to]) + " imports " + to
}

func orNone(s string) string {
	if s == "" {
		return "none of ours"
	}
	return s
}
