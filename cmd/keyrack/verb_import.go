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

// adopting is the taking in of integrations that existed before.
type adopting struct{ asked }

func newAdopt(env environment) *cobra.Command {
	a := adopting{asked{office: office{probes: true, makes: true}}}
	adopt := &cobra.Command{
		Use:   "adopt FILE|- [flags]",
		Short: "Take in integrations that existed before, with their tokens",
		Long: `Adopt takes in integrations that no webhook announced, because they are older than
the receiver, or because the token came by e-mail. It reads a file, or stdin (-), of
JSON Lines or of CSV with a line of names first:

  integration        the id; required
  token              its access token; required
  integration_name   enterprise   enterprise_name   service   service_name
  disabled           true if the hotel has disabled it
  created_utc        when it was created, such as 2019-12-13T14:42:52Z

Where Mews is asked, each token is asked about, and adopt waits for the answers.
Every record gets a line of the account, by its line number, without the token; one
that cannot be taken in does not hold up the others. An import reopens an integration
that was deleted, and never moves one to another enterprise.

The file holds tokens: keep it as you keep passwords, and delete it afterwards.

` + officeHelp + `

Exit codes: 0 if all were taken in, and where Mews is asked proved; otherwise 1.`,
		Example: `  keyrack adopt hotels.csv
  keyrack adopt --store sqlite:keyrack.db - < hotels.jsonl`,
		Args: exactly("FILE|-"),
		RunE: func(verb *cobra.Command, args []string) (err error) {
			if err := a.open(verb, env); err != nil {
				return err
			}
			in, close, err := files.Open(args[0], verb.InOrStdin())
			if err != nil {
				return err
			}
			defer close()
			if err := a.office.open(verb, env); err != nil {
				return err
			}
			defer a.office.close(&err)
			return a.adopt(verb.Context(), in)
		},
	}
	a.flags(adopt, "how long to wait for Mews's next answer")
	return adopt
}

// The proofs of a token that was taken in.
const (
	proofWorks  = "works"       // Mews answered 200
	proofFails  = "rejected"    // 401, about this token
	proofOpen   = "no answer"   // none that says anything, so far
	proofNobody = "nobody asks" // there is no prober
)

// adoptedLine is the account of one record.
type adoptedLine struct {
	Line        int               `json:"line"`
	Integration string            `json:"integration,omitempty"`
	Taken       bool              `json:"taken"`
	Outcome     lifecycle.Outcome `json:"outcome,omitzero"`
	Problem     string            `json:"problem,omitempty"` // why it was not taken in
	Proof       string            `json:"proof,omitempty"`
	Status      string            `json:"status,omitempty"` // of the token, afterwards
	Reason      string            `json:"reason,omitempty"`

	digest string
}

// pending tells whether Mews's answer is waited for.
func (l *adoptedLine) pending() bool { return l.Proof == proofOpen }

// adopt takes everything in, waits for the proofs, and gives the account.
func (a *adopting) adopt(ctx context.Context, in io.Reader) error {
	var account []adoptedLine
	var failed error
	for r := range importfile.Read(in, &failed) {
		line, err := a.one(ctx, r)
		if err != nil {
			failed = err
			break
		}
		account = append(account, line)
	}
	if failed == nil {
		failed = a.prove(ctx, account)
	}
	return errors.Join(a.tell(account), failed, sumUp(account))
}

// one takes in one record. Its error is one that the next record would meet, too.
func (a *adopting) one(ctx context.Context, r importfile.Record) (adoptedLine, error) {
	line := adoptedLine{Line: r.Line, Integration: r.Integration, Problem: r.Problem}
	if r.Problem != "" {
		return line, nil
	}
	answer, err := a.office.Post(ctx, r.Request, client.IntegrationPath(r.Integration, "import")...)
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
	line.Taken, line.Status, line.Reason, line.Proof = true, done.Status.String(), done.Reason.String(), proofNobody
	if done.Asking {
		line.Proof = proofOpen
	}
	return line, nil
}

// prove waits for Mews's answers, as long as they come.
func (a *adopting) prove(ctx context.Context, account []adoptedLine) error {
	for end := time.Now().Add(a.wait); ; {
		left := 0
		for i := range account {
			line := &account[i]
			if !line.pending() {
				continue
			}
			if err := a.look(ctx, line); err != nil {
				return err
			}
			if line.pending() {
				left++
			} else {
				end = time.Now().Add(a.wait)
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

// look takes down what is known of a token by now.
func (a *adopting) look(ctx context.Context, line *adoptedLine) error {
	d, err := a.integration(ctx, line.Integration)
	if err != nil {
		return err
	}
	line.Status, line.Reason = d.Status.String(), d.Reason.String()
	for _, t := range d.Tokens {
		switch {
		case t.Digest != line.digest:
		case t.Answer == lifecycle.Accepted:
			line.Proof = proofWorks
		case t.Answer == lifecycle.Rejected:
			line.Proof = proofFails
		}
	}
	return nil
}

// tell prints the account.
func (a *adopting) tell(account []adoptedLine) error {
	switch a.output.format {
	case formatJSON:
		return a.output.value(append([]adoptedLine{}, account...))
	case formatJSONL:
		for _, line := range account {
			if err := a.output.value(line); err != nil {
				return err
			}
		}
		return nil
	}
	var t table
	t.row("LINE", "INTEGRATION", "ACCOUNT", "TOKEN", "MEWS")
	for _, line := range account {
		what, status := line.Outcome.String(), ""
		if line.Taken {
			status = a.output.status(line.Status) + ", " + terminal.Plain(line.Reason)
		} else {
			what = "not taken in: " + line.Problem
		}
		t.row(fmt.Sprint(line.Line), terminal.Plain(line.Integration), what, status, line.Proof)
	}
	return t.write(a.output.w)
}

// sumUp fails where not all is well.
func sumUp(account []adoptedLine) error {
	refused, rejected, open := 0, 0, 0
	for _, line := range account {
		switch {
		case !line.Taken:
			refused++
		case line.Proof == proofFails:
			rejected++
		case line.pending():
			open++
		}
	}
	var errs []error
	if refused > 0 {
		errs = append(errs, fmt.Errorf("%d of %d were not taken in", refused, len(account)))
	}
	if rejected > 0 {
		errs = append(errs, fmt.Errorf("%d of %d tokens do not work, says Mews", rejected, len(account)))
	}
	if open > 0 {
		errs = append(errs, fmt.Errorf("about %d of %d tokens Mews has not answered yet; keyrack list shows what comes of it", open, len(account)))
	}
	return errors.Join(errs...)
}
