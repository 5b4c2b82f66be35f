package main

import (
	"context"
	"encoding/json"
	"net/url"
	"strconv"
	"strings"

	"github.com/spf13/cobra"

	"github.com/keyrack-dev/keyrack/cmd/keyrack/internal/api"
	"github.com/keyrack-dev/keyrack/cmd/keyrack/internal/client"
	"github.com/keyrack-dev/keyrack/cmd/keyrack/internal/terminal"
	"github.com/keyrack-dev/keyrack/cmd/keyrack/internal/usage"
	"github.com/keyrack-dev/keyrack/internal/typed"
)

// selection is what list shows.
type selection struct {
	enterprise, state, status, reason string
	labels                            []string
	unnamed                           bool
	limit                             int

	client sidecar
	output output
}

func newList(env environment) *cobra.Command {
	var s selection
	list := &cobra.Command{
		Use:   "list [flags]",
		Short: "List the integrations, and whether their tokens are valid",
		Long: `List prints the integrations that a sidecar knows, deleted ones included, each with
the status of its current token.

` + sidecarHelp + `
The key needs the scope read.`,
		Example: `  keyrack list
  keyrack list --status unknown
  keyrack list --label tenant=4711
  keyrack list --format jsonl | jq -r 'select(.status == "valid") | .enterprise.id'`,
		Args: noArguments,
		RunE: func(verb *cobra.Command, _ []string) error {
			if err := s.output.open(verb, env); err != nil {
				return err
			}
			if s.limit < 0 {
				return usage.Errorf("--limit must be a number of integrations, or 0 for all")
			}
			if len(s.labels) > 0 {
				if _, err := api.ParseLabels(strings.Join(s.labels, ",")); err != nil {
					return usage.Errorf("--label must be key=value: %v", err)
				}
			}
			if err := s.client.open(env, verb.ErrOrStderr()); err != nil {
				return err
			}
			defer s.client.Close()
			return s.list(verb.Context())
		},
	}
	flags := list.Flags()
	flags.SortFlags = false
	flags.StringVar(&s.enterprise, "enterprise", "", "only of the enterprise with this `id`")
	flags.StringArrayVar(&s.labels, "label", nil, "only with this label, as `key=value`; repeatable")
	flags.BoolVar(&s.unnamed, "unnamed", false, "only those without an id of Mews, and those that may be what they are")
	flags.StringVar(&s.state, "state", "", "only in this `state`, such as enabled")
	flags.StringVar(&s.status, "status", "", "only with this `status`: valid, invalid or unknown")
	flags.StringVar(&s.reason, "reason", "", "only with this `reason`, such as suspect_enabled")
	flags.IntVar(&s.limit, "limit", 0, "how many at most; 0 is all")
	s.output.flags(flags)
	s.client.flags(flags)
	return list
}

func (s *selection) list(ctx context.Context) error {
	query := url.Values{"limit": {strconv.Itoa(api.MaxPage)}}
	for name, value := range map[string]string{
		"enterprise": typed.ID(s.enterprise), "state": s.state, "status": s.status, "reason": s.reason,
		"label": strings.Join(s.labels, ","),
	} {
		if value != "" {
			query.Set(name, value)
		}
	}
	if s.unnamed {
		query.Set("unnamed", "true")
	}
	rows := []json.RawMessage{}
	for more := true; more; {
		answer, err := s.client.Get(ctx, query, "v1", "integrations")
		if err != nil {
			return err
		}
		p, err := client.Decode[struct {
			Integrations []json.RawMessage `json:"integrations"`
			Next         string            `json:"next"`
		}](answer)
		if err != nil {
			return err
		}
		rows = append(rows, p.Integrations...)
		query.Set("after", p.Next)
		more = p.Next != "" && (s.limit == 0 || len(rows) < s.limit)
	}
	if s.limit > 0 && len(rows) > s.limit {
		rows = rows[:s.limit]
	}
	return s.tell(rows)
}

func (s *selection) tell(rows []json.RawMessage) error {
	return list(&s.output, rows, func() error { return s.table(rows) })
}

// table prints the integrations for people.
func (s *selection) table(rows []json.RawMessage) error {
	if len(rows) == 0 {
		return s.output.printf("no integrations match\n")
	}
	var t terminal.Table
	t.Titles("INTEGRATION", "STATUS", "REASON", "STATE", "ENTERPRISE", "NAMES")
	for _, raw := range rows {
		r, err := client.Decode[api.Row](raw)
		if err != nil {
			return err
		}
		enterprise, names := "", terminal.Plain(r.Integration.Name)
		if r.Enterprise != nil {
			enterprise = terminal.Plain(r.Enterprise.ID)
			if r.Enterprise.Name != "" {
				names += " at " + terminal.Plain(r.Enterprise.Name)
			}
		}
		t.Row(terminal.Plain(r.Integration.ID), s.output.status(r.Status.String()), r.Reason.String(), r.State.String(), enterprise, names)
	}
	return t.Write(s.output.w, s.output.columns)
}
