package keyrack_test

import (
	"bytes"
	"go/ast"
	"go/importer"
	"go/parser"
	"go/token"
	"go/types"
	"io"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// This file holds how much there is to read: what the packages show, how many
// files the root package and the command have and how long they are, and how many of
// them can only be understood together. A lower number belongs here as soon as it is
// reached; a higher one takes a reason, which the commit gives.

// The ceilings.
const (
	rootFiles    = 24  // production files of the root package
	rootLines    = 330 // of the longest of them
	rootKnot     = 7   // files of the root package that all know each other
	commandFiles = 35  // production files of the command's main package
)

// exportedIdentifiers are names at the package level and methods of exported types.
var exportedIdentifiers = map[string]int{
	"keyrack":   140,
	"lifecycle": 180,
}

func TestFaceOfPackages(t *testing.T) {
	for room, ceiling := range exportedIdentifiers {
		names := exported(parsed(t, token.NewFileSet(), folder(room)))
		if len(names) > ceiling {
			t.Errorf("%s exports %d identifiers, more than %d", room, len(names), ceiling)
		}
		t.Logf("%s exports %d identifiers of %d", room, len(names), ceiling)
	}
}

// exported returns the exported names of a package, those of methods included.
func exported(files map[string]*ast.File) []string {
	var all []string
	add := func(prefix string, names ...*ast.Ident) {
		for _, name := range names {
			if name.IsExported() {
				all = append(all, prefix+name.Name)
			}
		}
	}
	for _, file := range files {
		for _, decl := range file.Decls {
			switch decl := decl.(type) {
			case *ast.FuncDecl:
				if decl.Recv == nil {
					add("", decl.Name)
				} else if of := receiver(decl); ast.IsExported(of) {
					add(of+".", decl.Name)
				}
			case *ast.GenDecl:
				for _, spec := range decl.Specs {
					switch spec := spec.(type) {
					case *ast.TypeSpec:
						add("", spec.Name)
					case *ast.ValueSpec:
						add("", spec.Names...)
					}
				}
			}
		}
	}
	return all
}

// receiver returns the name of the type that a method belongs to.
func receiver(method *ast.FuncDecl) string {
	of := method.Recv.List[0].Type
	for {
		switch t := of.(type) {
		case *ast.StarExpr:
			of = t.X
		case *ast.IndexExpr:
			of = t.X
		case *ast.IndexListExpr:
			of = t.X
		case *ast.Ident:
			return t.Name
		default:
			return ""
		}
	}
}

func TestFaceOfRootFiles(t *testing.T) {
	names := productionFiles(t, ".")
	if len(names) > rootFiles {
		t.Errorf("the root package has %d production files, more than %d", len(names), rootFiles)
	}
	for _, name := range names {
		source, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		if n := bytes.Count(source, []byte("\n")); n > rootLines {
			t.Errorf("%s has %d lines, more than %d", name, n, rootLines)
		}
	}
}

// TestFaceOfCommand: what would be one file more belongs into a room under internal/.
func TestFaceOfCommand(t *testing.T) {
	names := productionFiles(t, "cmd/keyrack")
	if len(names) > commandFiles || len(names) == 0 {
		t.Errorf("cmd/keyrack has %d production files in its main package; it may have %d", len(names), commandFiles)
	}
}

// TestFaceOfInternalRooms: what is below internal/ can be understood, and tested,
// without the root package.
func TestFaceOfInternalRooms(t *testing.T) {
	for _, p := range goList(t, nil, "work") {
		room := roomOf(p.ImportPath)
		if strings.HasPrefix(room, "internal/") && slices.Contains(p.Imports, module) {
			t.Errorf("%s imports the root package", room)
		}
	}
}

// TestFaceHasNoKnot: a file of the root package knows another one if it uses a
// function, method, type, variable or constant that is declared there. Files that
// know each other, directly or by way of others, can only be read together.
func TestFaceHasNoKnot(t *testing.T) {
	knows := knownFiles(t)
	knots := components(knows)
	slices.SortFunc(knots, func(a, b []string) int { return len(b) - len(a) })
	arrows := 0
	for _, others := range knows {
		arrows += len(others)
	}
	if len(knots[0]) > rootKnot {
		t.Errorf("%d files of the root package, more than %d, all know each other: %v", len(knots[0]), rootKnot, knots[0])
	}
	t.Logf("%d files, %d arrows, the largest knot has %d files", len(knows), arrows, len(knots[0]))
}

// knownFiles returns, for each production file of the root package, the others
// that it knows.
func knownFiles(t *testing.T) map[string][]string {
	t.Helper()
	compiled := map[string]string{} // export data, by import path
	for _, p := range goList(t, nil, "-export", "-deps", ".") {
		compiled[p.ImportPath] = p.Export
	}
	fset := token.NewFileSet()
	files := parsed(t, fset, ".")
	config := types.Config{Importer: importer.ForCompiler(fset, "gc", func(path string) (io.ReadCloser, error) {
		return os.Open(compiled[path])
	})}
	info := types.Info{Uses: map[*ast.Ident]types.Object{}}
	pkg, err := config.Check(module, fset, slices.Collect(maps.Values(files)), &info)
	if err != nil {
		t.Fatal(err)
	}
	knows := map[string][]string{}
	for name := range files {
		knows[name] = nil
	}
	for use, of := range info.Uses {
		from, to := fset.Position(use.Pos()).Filename, fset.Position(of.Pos()).Filename
		_, callable := of.(*types.Func) // methods, too
		ours := of.Pkg() == pkg && (callable || of.Parent() == pkg.Scope())
		if ours && from != to && !slices.Contains(knows[from], to) {
			knows[from] = append(knows[from], to)
		}
	}
	return knows
}

// components returns the strongly connected components of a graph, each sorted.
func components(graph map[string][]string) [][]string {
	reach := map[string]map[string]bool{}
	var walk func(from, at string)
	walk = func(from, at string) {
		if reach[from][at] {
			return
		}
		reach[from][at] = true
		for _, to := range graph[at] {
			walk(from, to)
		}
	}
	for from := range graph {
		reach[from] = map[string]bool{}
		walk(from, from)
	}
	var all [][]string
	done := map[string]bool{}
	for _, a := range slices.Sorted(maps.Keys(graph)) {
		if done[a] {
			continue
		}
		var component []string
		for _, b := range slices.Sorted(maps.Keys(graph)) {
			if reach[a][b] && reach[b][a] {
				component = append(component, b)
				done[b] = true
			}
		}
		all = append(all, component)
	}
	return all
}

func TestComponents(t *testing.T) {
	got := components(map[string][]string{
		"a": {"b"}, "b": {"c", "d"}, "c": {"a"}, "d": {"e"}, "e": {"d", "f"}, "f": nil,
	})
	want := [][]string{{"a", "b", "c"}, {"d", "e"}, {"f"}}
	if !slices.EqualFunc(got, want, slices.Equal[[]string]) {
		t.Errorf("%v, want %v", got, want)
	}
}

// folder returns the folder of a room of the root module.
func folder(room string) string {
	if room == "keyrack" {
		return "."
	}
	return room
}

func productionFiles(t *testing.T, folder string) []string {
	t.Helper()
	all, err := filepath.Glob(filepath.Join(folder, "*.go"))
	if err != nil {
		t.Fatal(err)
	}
	return slices.DeleteFunc(all, func(name string) bool { return strings.HasSuffix(name, "_test.go") })
}

// parsed returns the production files of a folder, by name.
func parsed(t *testing.T, fset *token.FileSet, folder string) map[string]*ast.File {
	t.Helper()
	files := map[string]*ast.File{}
	for _, name := range productionFiles(t, folder) {
		file, err := parser.ParseFile(fset, name, nil, parser.SkipObjectResolution)
		if err != nil {
			t.Fatal(err)
		}
		files[name] = file
	}
	return files
}
