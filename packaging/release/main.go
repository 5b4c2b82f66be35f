// Command release makes a release of every module of the repository, on this machine:
//
//	go run ./packaging/release -to dist v0.1.0
//
// It writes a commit beside the branch in which the modules require each other at the new
// version and replace nothing, packs them as the module proxy would, installs command and
// libraries from there in an empty folder, builds the command for six platforms twice, in two
// folders and with two caches, and wants the same bytes. Then it writes SHA256SUMS and a
// bill of materials, and tags the commit for each module. It pushes nothing: its last words
// are the command that does. docs/releasing.md tells what comes before and after.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"path/filepath"
	"strings"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	r := release{log: os.Stderr}
	flags := flag.NewFlagSet("release", flag.ExitOnError)
	flags.Usage = func() {
		fmt.Fprintln(flags.Output(), "usage: go run ./packaging/release -to FOLDER [-dry-run] [-platforms GOOS/GOARCH,...] VERSION")
		flags.PrintDefaults()
	}
	flags.StringVar(&r.to, "to", "", "`folder` for the binaries, SHA256SUMS and the bill of materials; it must not exist")
	flags.BoolVar(&r.dryRun, "dry-run", false, "do everything but tag")
	platforms := flags.String("platforms", "", "build for these alone (all six)")
	_ = flags.Parse(os.Args[1:]) // it exits
	if flags.NArg() != 1 || r.to == "" {
		flags.Usage()
		os.Exit(2)
	}
	r.version = flags.Arg(0)
	if *platforms != "" {
		r.platforms = strings.Split(*platforms, ",")
	}
	if err := r.run(ctx); err != nil {
		fmt.Fprintln(os.Stderr, "release:", err)
		os.Exit(1)
	}
}

// release is one release on its way.
type release struct {
	repo      string   // the root of the work tree, found from the current folder if empty
	version   string   // with the v
	to        string   // where the artifacts go
	platforms []string // GOOS/GOARCH; all of packaging/build's if empty
	dryRun    bool     // no tags
	warm      bool     // the second build may use the cache of the first: for tests
	offline   bool     // nothing but this machine's module cache is asked: for tests
	log       io.Writer

	scratch string   // a folder for everything in between
	tree    string   // the work tree of the commit to be tagged
	commit  string   // its hash
	modules []module // those that are published, what is required before what requires it
}

// run makes the release. A release that fails leaves no commit and no tag in the repository.
func (r *release) run(ctx context.Context) (err error) {
	if r.repo == "" {
		if r.repo, err = r.output(ctx, ".", nil, "git", "rev-parse", "--show-toplevel"); err != nil {
			return err
		}
	}
	if r.to, err = filepath.Abs(r.to); err != nil {
		return err
	}
	if _, err := os.Stat(r.to); err == nil {
		return fmt.Errorf("%s exists: name a folder that does not", r.to)
	}
	if r.scratch, err = os.MkdirTemp("", "keyrack-release-"); err != nil {
		return err
	}
	defer func() { err = errors.Join(err, r.clean()) }()
	for _, step := range []struct {
		says string
		do   func(context.Context) error
	}{
		{"may this be released?", r.check},
		{"a commit without replace", r.rewrite},
		{"packed as the module proxy would", r.pack},
		{"tidy", r.tidy},
		{"installed in an empty folder", r.install},
		{"built twice", r.build},
		{"bill of materials", r.bill},
		{"tags", r.tag},
	} {
		fmt.Fprintln(r.log, "===", step.says)
		if err := step.do(ctx); err != nil {
			return fmt.Errorf("%s: %w", step.says, err)
		}
	}
	return nil
}

// clean removes what lies in between. Module caches are read-only.
func (r *release) clean() error {
	_ = filepath.WalkDir(r.scratch, func(path string, d os.DirEntry, err error) error {
		if err == nil && d.IsDir() {
			return os.Chmod(path, 0o700)
		}
		return err
	})
	return os.RemoveAll(r.scratch)
}
