package main

import (
	"io"
	"os"
	"runtime"
	"runtime/debug"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/cobra/doc"

	"github.com/keyrack-dev/keyrack/cmd/keyrack/internal/terminal"
	"github.com/keyrack-dev/keyrack/cmd/keyrack/internal/usage"
)

// packaging/build sets the version and the commit. They are empty in a build by the go
// command.
var stampedVersion, stampedCommit string

// build is what this binary was built from, and with.
type build struct {
	Version string `json:"version"`
	Commit  string `json:"commit,omitempty"` // followed by "-dirty" if the build has changes that are not committed
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

// version is sent as User-Agent.
func version() string { return thisBuild().Version }

func newVersion(env environment) *cobra.Command {
	var o output
	version := &cobra.Command{
		Use:   "version [flags]",
		Short: "Print the version, its commit and the Go version it was built with",
		Example: `  keyrack version
  keyrack version --format json`,
		Args: noArguments,
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

// shells are the shells that have a completion.
var shells = map[string]func(root *cobra.Command, w io.Writer) error{
	"bash":       func(root *cobra.Command, w io.Writer) error { return root.GenBashCompletionV2(w, true) },
	"zsh":        func(root *cobra.Command, w io.Writer) error { return root.GenZshCompletion(w) },
	"fish":       func(root *cobra.Command, w io.Writer) error { return root.GenFishCompletion(w, true) },
	"powershell": func(root *cobra.Command, w io.Writer) error { return root.GenPowerShellCompletionWithDesc(w) },
}

func newCompletion() *cobra.Command {
	return &cobra.Command{
		Use:   "completion SHELL",
		Short: "Print a completion script for bash, zsh, fish or powershell",
		Long: `Completion prints a script with which a shell completes the verbs, flags and values of
keyrack.`,
		Example: `  source <(keyrack completion bash)
  keyrack completion zsh > "${fpath[1]}/_keyrack"
  keyrack completion fish > ~/.config/fish/completions/keyrack.fish`,
		Args:      exactly("SHELL"),
		ValidArgs: []cobra.Completion{"bash", "zsh", "fish", "powershell"},
		RunE: func(verb *cobra.Command, args []string) error {
			write := shells[args[0]]
			if write == nil {
				return usage.Errorf("unknown shell %s; use bash, zsh, fish or powershell", terminal.Quote(args[0]))
			}
			return write(verb.Root(), verb.OutOrStdout())
		},
	}
}

// completeValues has shells complete a flag's value from a list.
func completeValues(verb *cobra.Command, flag string, values ...cobra.Completion) {
	if verb.Flags().Lookup(flag) != nil {
		_ = verb.RegisterFlagCompletionFunc(flag, cobra.FixedCompletions(values, cobra.ShellCompDirectiveNoFileComp)) // once each
	}
}

func newMan() *cobra.Command {
	return &cobra.Command{
		Use:   "man DIR",
		Short: "Write the manual pages",
		Long: `Man writes manual pages for keyrack and each of its verbs to a directory, which it
creates if needed. SOURCE_DATE_EPOCH, if set, is the date of the pages.`,
		Example: `  keyrack man man1 && man ./man1/keyrack-serve.1`,
		Args:    exactly("DIR"),
		RunE: func(verb *cobra.Command, args []string) error {
			if err := os.MkdirAll(args[0], 0o755); err != nil {
				return err
			}
			root := newRoot(func(string) string { return "" })
			inMarkdown(root)
			return doc.GenManTree(root, &doc.GenManHeader{
				Section: "1", Source: "keyrack " + version(), Manual: "Keyrack",
			}, args[0])
		},
	}
}

// inMarkdown prepares texts for the manual, which is generated from Markdown: indented lines
// stay as they are.
func inMarkdown(verb *cobra.Command) {
	verb.DisableAutoGenTag = true
	var b strings.Builder
	indented := false
	for line := range strings.Lines(verb.Long) {
		is := strings.HasPrefix(line, "  ")
		if is != indented && strings.TrimSpace(line) != "" {
			b.WriteString("\n")
			indented = is
		}
		if is {
			line = "    " + line
		}
		b.WriteString(line)
	}
	verb.Long = b.String()
	for _, sub := range verb.Commands() {
		inMarkdown(sub)
	}
}
