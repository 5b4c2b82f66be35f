package main

import (
	"context"
	"fmt"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"

	"golang.org/x/mod/modfile"
	"golang.org/x/mod/sumdb/dirhash"
)

// unpublished are the modules that nobody imports or installs: they get no tag, and go on
// replacing the others.
var unpublished = []string{"bench", "console/browsertest", "packaging", "store/storetest/crosscheck"}

// module is a module of the repository.
type module struct {
	path    string   // as imports name it
	folder  string   // below the root of the repository, with slashes; "" is the root
	needs   []string // paths of the modules of the repository that it requires
	private bool     // not published
}

// tag returns the name of the tag for a version of the module.
func (m module) tag(version string) string { return path.Join(m.folder, version) }

// file returns the path of its file with that name.
func (m module) file(tree, name string) string {
	return filepath.Join(tree, filepath.FromSlash(m.folder), name)
}

// readModules returns the published modules of go.work in an order in which each comes after
// those that it requires.
func readModules(tree string) ([]module, error) {
	all, err := workModules(tree)
	if err != nil {
		return nil, err
	}
	var sorted []module
	done := map[string]bool{}
	for len(all) > 0 {
		i := slices.IndexFunc(all, func(m module) bool {
			return !slices.ContainsFunc(m.needs, func(path string) bool { return !done[path] })
		})
		if i < 0 {
			return nil, fmt.Errorf("%s and others require each other in a circle, or what is not in go.work", all[0].path)
		}
		if done[all[i].path] = true; !all[i].private {
			sorted = append(sorted, all[i])
		}
		all = slices.Delete(all, i, i+1)
	}
	return sorted, nil
}

// workModules returns the modules of go.work.
func workModules(tree string) ([]module, error) {
	text, err := os.ReadFile(filepath.Join(tree, "go.work"))
	if err != nil {
		return nil, err
	}
	work, err := modfile.ParseWork("go.work", text, nil)
	if err != nil {
		return nil, err
	}
	var all []module
	files := map[string]*modfile.File{}
	for _, use := range work.Use {
		m := module{folder: strings.Trim(path.Clean("/"+use.Path), "/")}
		file, err := readModFile(m.file(tree, "go.mod"))
		if err != nil {
			return nil, err
		}
		m.path, m.private = file.Module.Mod.Path, slices.Contains(unpublished, m.folder)
		files[m.path] = file
		all = append(all, m)
	}
	for i, m := range all {
		for _, require := range files[m.path].Require {
			if files[require.Mod.Path] != nil {
				all[i].needs = append(all[i].needs, require.Mod.Path)
			}
		}
	}
	return all, nil
}

func readModFile(name string) (*modfile.File, error) {
	text, err := os.ReadFile(name)
	if err != nil {
		return nil, err
	}
	return modfile.Parse(name, text, nil)
}

// rewrite makes the commit: all modules require each other at the version, and those that are
// published replace nothing.
func (r *release) rewrite(ctx context.Context) error {
	head, err := r.output(ctx, r.repo, nil, "git", "rev-parse", "HEAD")
	if err != nil {
		return err
	}
	if r.tree, err = r.clone(ctx, "tree", head); err != nil {
		return err
	}
	all, err := workModules(r.tree)
	if err != nil {
		return err
	}
	for _, m := range all {
		file, err := readModFile(m.file(r.tree, "go.mod"))
		if err != nil {
			return err
		}
		for _, path := range m.needs {
			if err := file.AddRequire(path, r.version); err != nil {
				return err
			}
		}
		for _, replace := range slices.Clone(file.Replace) {
			if m.private {
				continue
			}
			if !slices.Contains(m.needs, replace.Old.Path) {
				return fmt.Errorf("%s replaces %s, which is not of the repository: what is published cannot", m.path, replace.Old.Path)
			}
			if err := file.DropReplace(replace.Old.Path, replace.Old.Version); err != nil {
				return err
			}
		}
		file.Cleanup()
		text, err := file.Format()
		if err == nil {
			err = os.WriteFile(m.file(r.tree, "go.mod"), text, 0o644)
		}
		if err != nil {
			return err
		}
	}
	return r.save(ctx)
}

// sums adds to the go.sum of those who require the module what the go command will want to
// find there.
func (r *release) sums(m module, zip string) error {
	hash, err := dirhash.HashZip(zip, dirhash.Hash1)
	if err != nil {
		return err
	}
	text, err := os.ReadFile(m.file(r.tree, "go.mod"))
	if err != nil {
		return err
	}
	goMod, err := dirhash.Hash1([]string{"go.mod"}, openBytes(text))
	if err != nil {
		return err
	}
	for _, other := range r.modules {
		if !slices.Contains(other.needs, m.path) {
			continue
		}
		name := other.file(r.tree, "go.sum")
		text, err := os.ReadFile(name)
		if err != nil && !os.IsNotExist(err) {
			return err
		}
		lines := strings.SplitAfter(string(text), "\n")
		lines = append(lines[:len(lines)-1],
			fmt.Sprintf("%s %s %s\n", m.path, r.version, hash),
			fmt.Sprintf("%s %s/go.mod %s\n", m.path, r.version, goMod))
		slices.SortFunc(lines, compareSums)
		if err := os.WriteFile(name, []byte(strings.Join(lines, "")), 0o644); err != nil {
			return err
		}
	}
	return nil
}
