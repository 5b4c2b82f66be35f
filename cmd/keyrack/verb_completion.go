package main

import (
	"io"

	"github.com/spf13/cobra"

	"github.com/keyrack-dev/keyrack/cmd/keyrack/internal/usage"
)

// shells are those that a completion can be made for.
var shells = map[string]func(root *cobra.Command, w io.Writer) error{
	"bash":       func(root *cobra.Command, w io.Writer) error { return root.GenBashCompletionV2(w, true) },
	"zsh":        func(root *cobra.Command, w io.Writer) error { return root.GenZshCompletion(w) },
	"fish":       func(root *cobra.Command, w io.Writer) error { return root.GenFishCompletion(w, true) },
	"powershell": func(root *cobra.Command, w io.Writer) error { return root.GenPowerShellCompletionWithDesc(w) },
}

func newCompletion() *cobra.Command {
	return &cobra.Command{
		Use:   "completion SHELL",
		Short: "Make the completion for bash, zsh, fish or powershell",
		Long: `Completion prints a script by which a shell completes verbs, flags and values of
keyrack when Tab is pressed.`,
		Example: `  source <(keyrack completion bash)
  keyrack completion zsh > "${fpath[1]}/_keyrack"
  keyrack completion fish > ~/.config/fish/completions/keyrack.fish`,
		Args:      exactly("SHELL"),
		ValidArgs: []cobra.Completion{"bash", "zsh", "fish", "powershell"},
		RunE: func(verb *cobra.Command, args []string) error {
			write := shells[args[0]]
			if write == nil {
				return usage.Errorf("there is no completion for %s; there is: bash, zsh, fish, powershell", quoted(args[0]))
			}
			return write(verb.Root(), verb.OutOrStdout())
		},
	}
}

// completeValues has a shell complete a flag's value from a list.
func completeValues(verb *cobra.Command, flag string, values ...cobra.Completion) {
	if verb.Flags().Lookup(flag) != nil {
		_ = verb.RegisterFlagCompletionFunc(flag, cobra.FixedCompletions(values, cobra.ShellCompDirectiveNoFileComp)) // once each
	}
}
