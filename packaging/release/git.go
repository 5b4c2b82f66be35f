package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"

	"golang.org/x/mod/semver"
)

// output runs a command in a folder and returns what it prints, without the white space
// around it.
func (r *release) output(ctx context.Context, folder string, env []string, name string, args ...string) (string, error) {
	c := exec.CommandContext(ctx, name, args...)
	c.Dir = folder
	c.Env = append(os.Environ(), env...)
	var stderr bytes.Buffer
	c.Stderr = &stderr
	out, err := c.Output()
	if err != nil {
		return "", fmt.Errorf("%s %s: %w\n%s%s", name, strings.Join(args, " "), err, out, &stderr)
	}
	return string(bytes.TrimSpace(out)), nil
}

// check refuses what could not be taken back later.
func (r *release) check(ctx context.Context) error {
	if !semver.IsValid(r.version) || semver.Canonical(r.version) != r.version || semver.Major(r.version) > "v1" {
		return fmt.Errorf("%q is no version: v0.2.0 or v1.0.0-rc.1 would be one; v2 needs another path for every module", r.version)
	}
	changes, err := r.output(ctx, r.repo, nil, "git", "status", "--porcelain")
	if err == nil && changes != "" {
		err = fmt.Errorf("the work tree has changes that are not committed, and would not be released:\n%s", changes)
	}
	if err != nil {
		return err
	}
	if r.modules, err = readModules(r.repo); err != nil {
		return err
	}
	for _, m := range r.modules {
		found, err := r.output(ctx, r.repo, nil, "git", "tag", "--list", m.tag(r.version))
		if err != nil {
			return err
		}
		if found != "" {
			return fmt.Errorf("the tag %s is there already: a version is never given twice, since proxies keep the first", found)
		}
	}
	changelog, err := os.ReadFile(filepath.Join(r.repo, "CHANGELOG.md"))
	if err != nil {
		return err
	}
	section := regexp.MustCompile(`(?m)^## \[` + regexp.QuoteMeta(strings.TrimPrefix(r.version, "v")) + `\] - \d{4}-\d\d-\d\d$`)
	if !section.Match(changelog) && !r.dryRun {
		return fmt.Errorf("CHANGELOG.md has no section ## [%s] - YYYY-MM-DD", strings.TrimPrefix(r.version, "v"))
	}
	return nil
}

// clone makes a repository of its own in the scratch folder, and checks out a commit there.
// A work tree would not do: what packs modules does not take it for a repository.
func (r *release) clone(ctx context.Context, name, commit string) (string, error) {
	from, tree := r.repo, filepath.Join(r.scratch, name)
	if r.tree != "" {
		from = r.tree
	}
	commands := [][]string{{"clone", "--quiet", "--no-checkout", from, tree}, {"-C", tree, "checkout", "--quiet", "--detach", commit}}
	for _, setting := range []string{"user.name", "user.email"} { // they may stand in the repository alone
		if value, err := r.output(ctx, r.repo, nil, "git", "config", setting); err == nil {
			commands = append(commands, []string{"-C", tree, "config", setting, value})
		}
	}
	for _, args := range commands {
		if _, err := r.output(ctx, r.repo, nil, "git", args...); err != nil {
			return "", err
		}
	}
	return tree, nil
}

// save commits what lies in the tree, in place of the commit before if there is one.
func (r *release) save(ctx context.Context) error {
	if _, err := r.output(ctx, r.tree, nil, "git", "add", "--all"); err != nil {
		return err
	}
	args := []string{"commit", "--quiet", "--no-verify", "--allow-empty", "--message", "Release " + r.version}
	if r.commit != "" {
		args = append(args, "--amend")
	}
	_, err := r.output(ctx, r.tree, nil, "git", args...)
	if err == nil {
		r.commit, err = r.output(ctx, r.tree, nil, "git", "rev-parse", "HEAD")
	}
	return err
}

// tag names the commit for each module, all or none, and says how to push the tags.
func (r *release) tag(ctx context.Context) error {
	var tags []string
	for _, m := range r.modules {
		tags = append(tags, m.tag(r.version))
	}
	if r.dryRun {
		fmt.Fprintf(r.log, "a dry run: %s are not set\n", strings.Join(tags, ", "))
		return nil
	}
	if _, err := r.output(ctx, r.repo, nil, "git", "fetch", "--quiet", r.tree, r.commit); err != nil {
		return err
	}
	for i, tag := range tags {
		if _, err := r.output(ctx, r.repo, nil, "git", "tag", "--annotate", "--message", "Release "+r.version, tag, r.commit); err != nil {
			if i > 0 {
				_, undone := r.output(ctx, r.repo, nil, "git", append([]string{"tag", "--delete"}, tags[:i]...)...)
				err = errors.Join(err, undone)
			}
			return err
		}
	}
	fmt.Fprintf(r.log, "%s and its artifacts in %s are ready. What cannot be taken back:\n\n\tgit push --atomic origin %s\n", r.version, r.to, strings.Join(tags, " "))
	return nil
}
