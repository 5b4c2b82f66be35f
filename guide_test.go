package keyrack_test

import (
	"io"
	"net/http"
	"os"
	"os/exec"
	"path"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"
)

const goGuide = "docs/guides/go.md"

// TestGuideProgram builds the first program of the guide for Go as a module of its own,
// sends it the webhook that the guide shows, and gets the answer that it shows.
func TestGuideProgram(t *testing.T) {
	page := must(read(goGuide))
	block := func(language string) string {
		_, text, _ := strings.Cut(page, "```"+language+"\n")
		text, _, ended := strings.Cut(text, "```\n")
		if !ended {
			t.Fatalf("%s has no block of %s", goGuide, language)
		}
		return text
	}
	program, body, session := block("go"), block("json"), block("console")
	if lines := strings.Count(program, "\n"); lines >= 60 {
		t.Errorf("the first program has %d lines; it should have fewer than 60", lines)
	}
	secret := regexp.MustCompile(`WEBHOOK_SECRET=(\S+)`).FindStringSubmatch(session)[1]
	posts := regexp.MustCompile(`curl --data-binary @created.json 'http://127.0.0.1:8080(\S+)'`).FindStringSubmatch(session)[1]
	asks := regexp.MustCompile(`curl http://127.0.0.1:8080(\S+)\n(.+\n)$`).FindStringSubmatch(session)

	address := freeAddress(t)
	app := exec.Command(built(t, strings.ReplaceAll(program, "127.0.0.1:8080", address)))
	app.Env = append(os.Environ(), "WEBHOOK_SECRET="+secret)
	app.Stderr = os.Stderr
	if err := app.Start(); err != nil {
		t.Fatal(err)
	}
	defer app.Process.Kill()
	kill := time.AfterFunc(2*time.Minute, func() { app.Process.Kill() })
	defer kill.Stop()
	exited := make(chan error, 1)
	go func() { exited <- app.Wait() }()

	for {
		answer, err := http.Post("http://"+address+posts, "application/x-www-form-urlencoded", strings.NewReader(body))
		if err == nil {
			answer.Body.Close()
			if answer.StatusCode != http.StatusNoContent {
				t.Fatalf("the webhook is answered %d", answer.StatusCode)
			}
			break
		}
		select { // it does not listen yet
		case err := <-exited:
			t.Fatalf("it ended before it took the webhook: %v", err)
		case <-time.After(20 * time.Millisecond):
		}
	}
	answer, err := http.Get("http://" + address + asks[1])
	if err != nil {
		t.Fatal(err)
	}
	said, err := io.ReadAll(answer.Body)
	answer.Body.Close()
	if err != nil || string(said) != asks[2] {
		t.Errorf("it answers %q, %v; the guide shows %q", said, err, asks[2])
	}
	if err := app.Process.Signal(os.Interrupt); err != nil {
		t.Fatal(err)
	}
	if err := <-exited; err != nil {
		t.Errorf("it ends with %v", err)
	}
}

// guideQuestions are the headings of the guide for Go, after the first program: a question
// that an application has each, with at least one piece of code.
var guideQuestions = []string{
	"Mount it in an existing server", "Store", "The sealing key, and its rotation", "The webhook's secret, and its rotation",
	"Call Mews", "A worker for each hotel", "React to changes", "Import hotels", "Two instances", "Test with mewstest",
	"Metrics", "Erase a hotel", "Back up and restore", "Upgrade", "Shut down in order",
}

// TestGuideShowsExamples: every piece of code in the guide for Go stands, line for line, in
// the function that the guide names below it. That is an Example with its output or a test,
// which go test runs, or a function that one in the same file calls.
func TestGuideShowsExamples(t *testing.T) {
	page := must(read(goGuide))
	_, page, _ = strings.Cut(page, "```console\n") // behind the first program
	var headings []string
	piece := regexp.MustCompile("(?s)```go\n(.*?)```\n\nFrom \\[`(\\w+)`\\]\\(([\\w./]+)\\)\\.\n")
	for section := range strings.SplitSeq(page, "\n## ") {
		heading, text, _ := strings.Cut(section, "\n")
		if strings.HasPrefix(heading, "$") {
			continue
		}
		headings = append(headings, heading)
		pieces := piece.FindAllStringSubmatch(text, -1)
		if len(pieces) == 0 || len(pieces) != strings.Count(text, "```go\n") {
			t.Errorf("%s: %d pieces of code of %d name a function", heading, len(pieces), strings.Count(text, "```go\n"))
		}
		for _, p := range pieces {
			code, name, file := p[1], p[2], path.Join("docs/guides", p[3])
			source := must(read(file))
			_, function, found := strings.Cut(source, "\nfunc "+name+"(")
			function, _, _ = strings.Cut(function, "\n}\n")
			if !found || !strings.Contains(trimmedLines("func "+name+"("+function+"\n}\n"), trimmedLines(code)) {
				t.Errorf("%s: %s in %s does not have these lines:\n%s", heading, name, file, code)
			}
			runs := strings.HasPrefix(name, "Test") || strings.HasPrefix(name, "Example") && strings.Contains(function, "\n\t// Output:")
			called := !strings.HasPrefix(name, "Example") && strings.Contains(source, " "+name+"(ctx, ")
			database := strings.HasPrefix(file, "pgstore/") // its Example is compiled
			if !runs && !called && !database {
				t.Errorf("%s: nothing runs %s in %s", heading, name, file)
			}
		}
	}
	if !slices.Equal(headings, guideQuestions) {
		t.Errorf("the guide has\n%q,\nand not\n%q", headings, guideQuestions)
	}
}

// trimmedLines returns a text without the white space around its lines.
func trimmedLines(text string) string {
	var all strings.Builder
	for line := range strings.Lines(text) {
		all.WriteString(strings.TrimSpace(line) + "\n")
	}
	return all.String()
}
