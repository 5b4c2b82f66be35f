package main

import (
	"runtime"
	"runtime/debug"

	"github.com/spf13/cobra"
)

// packaging/build sets what it built; empty where the go command did.
var stampedVersion, stampedCommit string

// build is what this binary was made of, and with.
type build struct {
	Version string `json:"version"`
	Commit  string `json:"commit,omitempty"` // "-dirty" behind it: and of changes that are in no commit
	Go      string `json:"go"`
	OS      string `json:"os"`
	Arch    string `json:"arch"`
}

func thisBuild() build {
	b := build{stampedVersion, stampedCommit, runtime.Version(), runtime.GOOS, runtime.GOARCH}
	info, ok := debug.ReadBuildInfo()
	if b.Version == "" && ok {
		b.Version = info.Main.Version
	}
	if b.Version == "" {
		b.Version = "(devel)" // a work tree whose revision the go command does not know
	}
	if b.Commit != "" || !ok {
		return b
	}
	settings := map[string]string{}
	for _, s := range info.Settings {
		settings[s.Key] = s.Value
	}
	if b.Commit = settings["vcs.revision"]; b.Commit != "" && settings["vcs.modified"] == "true" {
		b.Commit += "-dirty"
	}
	return b
}

// version is in the User-Agent of those who ask a receiver.
func version() string { return thisBuild().Version }

func newVersion(env environment) *cobra.Command {
	var o output
	version := &cobra.Command{
		Use:   "version [flags]",
		Short: "Say which version this is, of which commit, and with which Go it was built",
		Args:  noArguments,
		RunE: func(verb *cobra.Command, _ []string) error {
			if err := o.open(verb, env); err != nil {
				return err
			}
			b := thisBuild()
			if !o.text() {
				return o.value(b)
			}
			commit := b.Commit
			if commit == "" {
				commit = "unknown"
			}
			return o.printf("keyrack %s commit %s %s %s/%s\n", b.Version, commit, b.Go, b.OS, b.Arch)
		},
	}
	o.flags(version.Flags())
	return version
}
