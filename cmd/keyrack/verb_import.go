package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/spf13/cobra"

	"github.com/keyrack-dev/keyrack/cmd/keyrack/internal/api"
	"github.com/keyrack-dev/keyrack/cmd/keyrack/internal/client"
	"github.com/keyrack-dev/keyrack/cmd/keyrack/internal/files"
	"github.com/keyrack-dev/keyrack/cmd/keyrack/internal/importfile"
	"github.com/keyrack-dev/keyrack/cmd/keyrack/internal/pause"
	"github.com/keyrack-dev/keyrack/cmd/keyrack/internal/terminal"
	"github.com/keyrack-dev/keyrack/lifecycle"
)

// importing is an import of integrations that no webhook announced.
type importing struct{ probing }

func newImport(env environment) *cobra.Command {
	i := importing{probing{backend: backend{probes: true, makes: true}}}
	verb := &cobra.Command{
		Use:   "import FILE|- [flags]",
		Short: "Import integrations that no webhook announced, with their tokens",
		Long: `Import adds integrations that no webhook announced, because they are older than the
sidecar or because the token came by e-mail. It reads a file, or stdin (-), of JSON
Lines, or of CSV whose first line names the columns, in capitals or not:

  integration        the id; empty where only the token is known: see keyrack connect
  token              its access token; required
  integration_name   enterprise   enterprise_name   service   service_name
  labels             such as "tenant=4711 env=prod"; in JSON an object
  disabled           true if the hotel has disabled it
  created_utc        when it was created, such as 2019-12-13T14:42:52Z

If Keyrack is set to ask Mews, it asks about each token, and import waits for the
answers. Import prints a line for every record, with its line number and without the
token; a record that cannot be imported does not stop the others. An import reopens
a deleted integration, and never moves one to another enterprise.

The file holds tokens: protect it like passwords, and delete it afterwards.

` + backendHelp + `

Exit codes: 0 if every record was imported and, where Mews is asked, its token
confirmed; otherwise 1.`,
		Example: `  keyrack import hotels.csv
  keyrack import --store sqlite:keyrack.db - < hotels.jsonl`,
		Args: exactly("FILE|-"),
		RunE: func(verb *cobra.Command, args []string) (err error) {
			if err := i.open(verb, env); err != nil {
				return err
			}
			in, close, err := files.Open(args[0], verb.InOrStdin())
			if err != nil {
				return err
			}
			defer close()
			warnAboutTokens(verb, args[0])
			if err := i.backend.open(verb, env); err != nil {
				return err
			}
			defer i.backend.close(&err)
			return i.run(verb.Context(), in)
		},
	}
	i.flags(verb, "how long to wait for the next answer of Mews")
	return verb
}

// warnAboutTokens warns of a file of tokens that others can read or write. The person
// who wrote it sees the warning, so it is not an error.
func warnAboutTokens(verb *cobra.Command, file string) {
	if file == "-" {
		return
	}
	warning, err := files.Guarded{What: "the tokens", Elsewhere: "pass the file to stdin"}.Check(file)
	if err != nil {
		warning = err.Error()
	}
	warner(verb)(warning)
}

// What Mews says of an imported token.
const (
	proofWorks  = "works"     // Mews answered 200
	proofFails  = "rejected"  // 401, about this token
	proofOpen   = "no answer" // none that settles anything, so far
	proofNobody = "not asked" // Keyrack is not set to ask Mews
)

// importedLine is what became of one record.
type importedLine struct {
	Line        int               `json:"line"`
	Integration string            `json:"integration,omitempty"`
	Imported    bool              `json:"imported"`
	Outcome     lifecycle.Outcome `json:"outcome,omitzero"`
	Problem     string            `json:"problem,omitempty"` // why it was not imported
	Proof       string            `json:"proof,omitempty"`
	Status      string            `json:"status,omitempty"` // of the token, afterwards
	Reason      string            `json:"reason,omitempty"`

	digest string
}

// pending reports whether Mews's answer is still to come.
func (l *importedLine) pending() bool { return l.Proof == proofOpen }

// run imports everything, waits for the answers of Mews, and prints the result.
func (i *importing) run(ctx context.Context, in io.Reader) error {
	var account []importedLine
	var failed error
	for r := range importfile.Read(in, &failed) {
		line, err := i.one(ctx, r)
		if err != nil {
			failed = err
			break
		}
		account = append(account, line)
	}
	if failed == nil {
		failed = i.prove(ctx, account)
	}
	return errors.Join(i.tell(account), failed, sumUp(account))
}

// one imports one record. It returns an error if the next record would fail as well.
func (i *importing) one(ctx context.Context, r importfile.Record) (importedLine, error) {
	line := importedLine{Line: r.Line, Integration: r.Integration, Problem: r.Problem}
	if r.Problem != "" {
		return line, nil
	}
	if r.Integration == "" {
		return i.connect(ctx, r, line)
	}
	answer, err := i.backend.Post(ctx, r.Request, client.IntegrationPath(r.Integration, "import")...)
	var refused *client.Error
	switch {
	case errors.As(err, &refused) && refused.Status == 400:
		line.Problem = refused.Detail
		return line, nil
	case err != nil:
		return line, err
	}
	done, err := client.Decode[api.ImportResult](answer)
	if err != nil {
		return line, err
	}
	line.Outcome, line.digest = done.Outcome, done.Digest
	if done.Outcome == lifecycle.Conflict {
		line.Problem = terminal.Plain(done.Cause)
		return line, nil
	}
	line.Imported, line.Status, line.Reason, line.Proof = true, done.Status.String(), done.Reason.String(), proofNobody
	if done.Asking {
		line.Proof = proofOpen
	}
	return line, nil
}

// connect imports a record that has no id.
func (i *importing) connect(ctx context.Context, r importfile.Record, line importedLine) (importedLine, error) {
	q := r.Request
	answer, err := i.backend.Post(ctx, api.ConnectRequest{
		Token: q.Token, Labels: q.Labels, Enterprise: q.Enterprise, EnterpriseName: q.EnterpriseName,
		Service: q.Service, ServiceName: q.ServiceName, KeepUnproved: true,
	}, "v1", "connect")
	var refused *client.Error
	switch {
	case errors.As(err, &refused) && (refused.Status == 400 || refused.Status == 422):
		line.Problem = refused.Detail
		return line, nil
	case err != nil:
		return line, err
	}
	done, err := client.Decode[api.ConnectResult](answer)
	if err != nil {
		return line, err
	}
	line.Integration, line.Outcome, line.Imported = done.Integration, lifecycle.Applied, true
	line.Status, line.Reason, line.Proof = done.Status.String(), done.Reason.String(), proofNobody
	if done.Evidence != nil && done.Evidence.Kind == lifecycle.KindProbe && done.Active {
		line.Proof = proofWorks
	} else if done.Reason == lifecycle.ReasonUnproved {
		line.Proof = proofOpen
	}
	return line, nil
}

// prove waits for Mews's answers as long as they keep coming.
func (i *importing) prove(ctx context.Context, account []importedLine) error {
	for end := time.Now().Add(i.wait); ; {
		left := 0
		for n := range account {
			line := &account[n]
			if !line.pending() {
				continue
			}
			if err := i.look(ctx, line); err != nil {
				return err
			}
			if line.pending() {
				left++
			} else {
				end = time.Now().Add(i.wait)
			}
		}
		if left == 0 || time.Now().After(end) {
			return nil
		}
		if err := pause.For(ctx, lookEvery); err != nil {
			return err
		}
	}
}

// look notes what is known about a token now.
func (i *importing) look(ctx context.Context, line *importedLine) error {
	d, err := i.integration(ctx, line.Integration)
	if err != nil {
		return err
	}
	line.Status, line.Reason = d.Status.String(), d.Reason.String()
	for _, t := range d.Tokens {
		switch {
		case t.Digest != line.digest && line.digest != "": // a nameless one has one token
		case t.Answer == lifecycle.Accepted:
			line.Proof = proofWorks
		case t.Answer == lifecycle.Rejected, t.Answer == lifecycle.RejectedOnce:
			line.Proof = proofFails
		}
	}
	return nil
}

// tell prints the result.
func (i *importing) tell(account []importedLine) error {
	return list(&i.output, append([]importedLine{}, account...), func() error { return i.table(account) })
}

func (i *importing) table(account []importedLine) error {
	var t terminal.Table
	t.Titles("LINE", "INTEGRATION", "OUTCOME", "TOKEN", "MEWS")
	for _, line := range account {
		what, status := line.Outcome.String(), ""
		if line.Imported {
			status = i.output.status(line.Status) + ", " + terminal.Plain(line.Reason)
		} else {
			what = "not imported: " + line.Problem
		}
		t.Row(fmt.Sprint(line.Line), terminal.Plain(line.Integration), what, status, line.Proof)
	}
	return t.Write(i.output.w, i.output.columns)
}

// sumUp returns an error unless all is well.
func sumUp(account []importedLine) error {
	refused, rejected, open := 0, 0, 0
	for _, line := range account {
		switch {
		case !line.Imported:
			refused++
		case line.Proof == proofFails:
			rejected++
		case line.pending():
			open++
		}
	}
	var errs []error
	if refused > 0 {
		errs = append(errs, fmt.Errorf("%d of %d records were not imported; correct them and import the file again", refused, len(account)))
	}
	if rejected > 0 {
		errs = append(errs, fmt.Errorf("%d of %d tokens were rejected by Mews; get current ones from the hotels", rejected, len(account)))
	}
	if open > 0 {
		errs = append(errs, fmt.Errorf("no answer of Mews about %d of %d tokens yet; try keyrack list later", open, len(account)))
	}
	return errors.Join(errs...)
}
