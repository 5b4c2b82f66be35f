package keyrack_test

import (
	"bytes"
	gocmp "cmp"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// TestContentsOfDecisions holds the list of contents of docs/decisions.md to its
// headings, and the links to where GitHub puts them.
func TestContentsOfDecisions(t *testing.T) {
	doc, err := os.ReadFile("docs/decisions.md")
	if err != nil {
		t.Fatal(err)
	}
	var want strings.Builder
	for _, heading := range regexp.MustCompile(`(?m)^##(#?) (.+)$`).FindAllStringSubmatch(string(doc), -1) {
		indent := strings.Repeat("  ", len(heading[1]))
		fmt.Fprintf(&want, "%s- [%s](#%s)\n", indent, heading[2], anchor(heading[2]))
	}
	got := regexp.MustCompile(`(?m)^ *- \[.+\]\(#.+\)\n`).FindAllString(string(doc), -1)
	if diff := cmp.Diff(want.String(), strings.Join(got, "")); diff != "" {
		t.Errorf("the list of contents is not that of the headings (-headings +list):\n%s", diff)
	}
}

// anchor returns the fragment under which GitHub shows a heading.
func anchor(heading string) string {
	return strings.ReplaceAll(regexp.MustCompile(`[^\w\- ]`).ReplaceAllString(strings.ToLower(heading), ""), " ", "-")
}

// sources returns the files of the tree whose names match one of the patterns. It reads the
// folders, so a source tree without its repository will do, and leaves out what .gitignore
// names and a person would have made: what npm installs, and failures that rapid saved.
func sources(t *testing.T, patterns ...string) []string {
	t.Helper()
	var all []string
	err := filepath.WalkDir(".", func(path string, entry fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if entry.IsDir() {
			if slices.Contains([]string{".git", ".idea", ".vscode", "node_modules", "rapid"}, entry.Name()) {
				return filepath.SkipDir
			}
			return nil
		}
		if slices.ContainsFunc(patterns, func(pattern string) bool {
			match, err := filepath.Match(pattern, entry.Name())
			return err == nil && match
		}) {
			all = append(all, filepath.ToSlash(path))
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return all
}

// members are the exported fields and methods of exported types, and the exported names of
// packages, of the whole workspace: "Rack.Check", "keyrack.Open". A type that several
// packages have has the members of all.
func members(t *testing.T) map[string]bool {
	t.Helper()
	known := map[string]bool{}
	for _, name := range sources(t, "*.go") {
		if strings.HasSuffix(name, "_test.go") {
			continue
		}
		file, err := parser.ParseFile(token.NewFileSet(), name, nil, parser.SkipObjectResolution)
		if err != nil {
			t.Fatal(err)
		}
		add := func(of, name string) { known[of+"."+name] = true }
		for _, decl := range file.Decls {
			switch decl := decl.(type) {
			case *ast.FuncDecl:
				if decl.Recv != nil {
					add(receiver(decl), decl.Name.Name)
				} else {
					add(file.Name.Name, decl.Name.Name)
				}
			case *ast.GenDecl:
				for _, spec := range decl.Specs {
					switch spec := spec.(type) {
					case *ast.ValueSpec:
						for _, n := range spec.Names {
							add(file.Name.Name, n.Name)
						}
					case *ast.TypeSpec:
						add(file.Name.Name, spec.Name.Name)
						var fields *ast.FieldList
						switch of := spec.Type.(type) {
						case *ast.StructType:
							fields = of.Fields
						case *ast.InterfaceType:
							fields = of.Methods
						default:
							continue
						}
						for _, f := range fields.List {
							for _, n := range f.Names {
								add(spec.Name.Name, n.Name)
							}
						}
					}
				}
			}
		}
	}
	return known
}

// TestPagesNameWhatIsThere: every `Type.Field`, `Type.Method` and `package.Name` of the
// pages exists.
func TestPagesNameWhatIsThere(t *testing.T) {
	known := members(t)
	ours := map[string]bool{} // what stands before a dot
	for name := range known {
		ours[name[:strings.IndexByte(name, '.')]] = true
	}
	span := regexp.MustCompile("`[^`\n]+`")
	dotted := regexp.MustCompile(`(?:^|[^\w./-])(\w+)\.([A-Z]\w*)`)
	found := 0
	for _, page := range sources(t, "*.md") {
		text, err := os.ReadFile(page)
		if err != nil {
			t.Fatal(err)
		}
		for _, code := range span.FindAll(text, -1) {
			for _, name := range dotted.FindAllSubmatch(code, -1) {
				of, member := string(name[1]), string(name[2])
				if of == "rack" {
					of = "Rack"
				}
				if !ours[of] && of[0] >= 'a' || of == "Data" {
					continue // another package, a variable, or a property of a webhook
				}
				if found++; !known[of+"."+member] {
					t.Errorf("%s:%d: %s names %s.%s, which does not exist", page, 1+bytes.Count(text[:bytes.Index(text, code)], []byte("\n")), code, of, member)
				}
			}
		}
	}
	if found < 50 {
		t.Errorf("the pages name %d members only; does the test still read them?", found)
	}
}

// phrases are what a native reader of English stumbles over, with what to write instead.
var phrases = []struct {
	hint, instead string
	phrase        *regexp.Regexp
}{
	{" of which", "a clause with whose, or a sentence of its own", regexp.MustCompile(`(\w+,?)\s+of which\b`)},
	{"whoever", "who it is: a caller, an instance, anyone with the secret", regexp.MustCompile(`()\bwhoever\b`)},
	{"he", "they, or the thing itself", regexp.MustCompile(`()\bhe\b`)},
	{"his", "their, or of the thing itself", regexp.MustCompile(`()\bhis\b`)},
	{"him", "them, or the thing itself", regexp.MustCompile(`()\bhim(self)?\b`)},
	{"but for", "except, or except for", regexp.MustCompile(`()\bbut for\b`)},
	{"of Mews's", "one of Mews's, or from Mews, or by Mews", regexp.MustCompile(`()\b([Aa]n?) \w+ of Mews's\b`)},
	{"cannot be meant", "makes no sense", regexp.MustCompile(`()\bcannot be meant\b`)},
	{"what is no ", "anything that is not", regexp.MustCompile(`()\bwhat is no ([a-km-z0-9]|l[^o])`)},
}

// numbered may stand before "of which".
var numbered = regexp.MustCompile(`^(\d[\d,]*|%d|each|either|both|some),?$`)

// TestFaceIsEnglish keeps phrases that were cleared away from coming back, in code, pages, help
// texts and what monitoring shows.
func TestFaceIsEnglish(t *testing.T) {
	newLine := regexp.MustCompile(`\n[ \t]*//`)
	for _, name := range sources(t, "*.go", "*.md", "*.json", "*.yaml", "*.txt", "*.mjs", "*.py") {
		if name == "docs_test.go" || strings.Contains(name, "testdata/bodies/") {
			continue
		}
		text, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		text = newLine.ReplaceAll(bytes.ToLower(text), []byte("\n")) // a phrase may cross a line
		for _, p := range phrases {
			if !bytes.Contains(text, []byte(p.hint)) {
				continue
			}
			for _, at := range p.phrase.FindAllSubmatchIndex(text, -1) {
				if numbered.Match(text[at[2]:at[3]]) {
					continue
				}
				line := 1 + bytes.Count(text[:at[1]], []byte("\n"))
				t.Errorf("%s:%d: %q; write %s", name, line, text[at[0]:at[1]], p.instead)
			}
		}
	}
}

// formerWords stood in identifiers and were replaced by a plain word, with that word.
var formerWords = map[string]string{
	"bell":        "notifier",
	"census":      "stats",
	"chapter":     "history",
	"depot":       "store, or storage",
	"door":        "handler, or server",
	"doorbell":    "notifier",
	"doors":       "handlers, or servers",
	"exposition":  "promWriter, or page",
	"hook":        "entry, or webhook",
	"hooks":       "entries, or webhooks",
	"observation": "served request, or seen answer",
	"office":      "backend",
	"player":      "runner",
	"steering":    "control",
	"story":       "demo",
}

// formerNames are whole identifiers, because their words mean something elsewhere.
var formerNames = map[string]string{
	"ErrSuperseded": "ErrFenced, which has the outcome's name",
	"HandOut":       "IssueToken",
	"handOut":       "issueToken",
	"site":          "httpServer",
}

// TestIdentifiersArePlain keeps pictures and former names from coming back into production
// code: one thing has one word.
func TestIdentifiersArePlain(t *testing.T) {
	word := regexp.MustCompile(`[A-Z]+[a-z]*|[a-z]+`)
	found := 0
	for _, name := range sources(t, "*.go") {
		if strings.HasSuffix(name, "_test.go") {
			continue
		}
		fset := token.NewFileSet()
		file, err := parser.ParseFile(fset, name, nil, parser.SkipObjectResolution)
		if err != nil {
			t.Fatal(err)
		}
		ast.Inspect(file, func(n ast.Node) bool {
			id, ok := n.(*ast.Ident)
			if !ok {
				return true
			}
			found++
			plain := formerNames[id.Name]
			for _, part := range word.FindAllString(id.Name, -1) {
				plain = gocmp.Or(plain, formerWords[strings.ToLower(part)])
			}
			if plain != "" {
				t.Errorf("%v: %s; the word is %s", fset.Position(id.Pos()), id.Name, plain)
			}
			return true
		})
	}
	if found < 1000 {
		t.Errorf("%d identifiers only; does the test still read them?", found)
	}
}

// TestErrandsNameFiles: every file in the tables of CONTRIBUTING exists. A name without a
// folder is in that of the file before it, or in the root.
func TestErrandsNameFiles(t *testing.T) {
	page, err := os.ReadFile("CONTRIBUTING.md")
	if err != nil {
		t.Fatal(err)
	}
	exists := func(name string) bool {
		_, err := os.Stat(name)
		return err == nil
	}
	named := regexp.MustCompile("`([\\w./-]+\\.(?:go|json|md))`")
	found := 0
	for row := range strings.Lines(string(page)) {
		if !strings.HasPrefix(row, "| ") {
			continue
		}
		folder := "."
		for _, match := range named.FindAllStringSubmatch(row, -1) {
			name := match[1]
			found++
			switch {
			case strings.Contains(name, "/") && exists(name):
				folder = filepath.Dir(name)
			case exists(filepath.Join(folder, name)), !strings.Contains(name, "/") && exists(name):
			default:
				t.Errorf("%s, in the row %.60q, is neither in %s nor in the root", name, row, folder)
			}
		}
	}
	if found < 25 {
		t.Errorf("the tables name %d files only; does the test still read them?", found)
	}
}
