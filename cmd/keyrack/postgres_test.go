//go:build unix

package main

import (
	"fmt"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"strings"
	"sync"
	"testing"

	"github.com/keyrack-dev/keyrack/cmd/keyrack/internal/api"
	"github.com/keyrack-dev/keyrack/cmd/keyrack/internal/sidecartest"
	"github.com/keyrack-dev/keyrack/cmd/keyrack/internal/storage"
	"github.com/keyrack-dev/keyrack/internal/testkit"
	"github.com/keyrack-dev/keyrack/lifecycle"
	"github.com/keyrack-dev/keyrack/pgstore"
	"github.com/keyrack-dev/keyrack/pgstore/pgtest"
)

// onPostgres is the environment of instances that share a database of the test's.
func onPostgres(t *testing.T) map[string]string {
	return map[string]string{
		"KEYRACK_STORE": pgtest.Shared(t).Database(t), storage.KeyVariable: "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=",
	}
}

// TestServePostgres does to PostgreSQL what TestServeSQLite does to a file.
func TestServePostgres(t *testing.T) {
	env := onPostgres(t)
	p := serving(t, env)
	p.waitFor(t, `"everything is kept" store=postgres`)
	deliver(t, p, "created.json")
	stop(t, p)
	p = serving(t, env)
	if i := introspected(t, p, ""); i.Integration != sidecartest.SampleIntegration {
		t.Errorf("after the restart: %+v", i)
	}
	stop(t, p)
	code, stdout, stderr := once(t, env, "doctor")
	if code != exitOK || !strings.Contains(stdout, "journal  ok") {
		t.Errorf("doctor: exit code %d, stdout:\n%s\nstderr:\n%s", code, stdout, stderr)
	}
	code, stdout, stderr = once(t, env, "export", "--tokens")
	if code != exitOK || strings.Count(stdout, "\n") < 2 {
		t.Errorf("export: exit code %d, stdout:\n%s\nstderr:\n%s", code, stdout, stderr)
	}
}

// servingApart starts serve as a process of its own, which can be killed.
func servingApart(t *testing.T, env map[string]string) (*process, func()) {
	t.Helper()
	p := &process{code: make(chan int, 1)}
	cmd := exec.Command(os.Args[0], "serve", "--webhook-addr=127.0.0.1:0", "--api-addr=127.0.0.1:0")
	cmd.Env = append(os.Environ(), asCommand+"=1", secretVariable+"="+sidecartest.Secret)
	for name, value := range env {
		cmd.Env = append(cmd.Env, name+"="+value)
	}
	cmd.Stderr = &p.stderr
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	go func() {
		_ = cmd.Wait()
		p.code <- cmd.ProcessState.ExitCode()
	}()
	kill := func() {
		_ = cmd.Process.Kill()
		p.wait(t)
	}
	t.Cleanup(kill)
	p.webhooks = p.waitFor(t, `"receiving webhooks" url=http://([^/]+)/`)[1]
	p.api = p.waitFor(t, `"answering questions" url=http://([^/]+)/`)[1]
	return p, kill
}

// TestServeTwice: what one instance takes in the other knows in a moment, and goes
// on knowing and taking in when the first is killed.
func TestServeTwice(t *testing.T) {
	env := onPostgres(t)
	knows := func(p *process, status lifecycle.Status) {
		t.Helper()
		testkit.Eventually(t, "the other instance to answer "+status.String(), func() bool {
			return introspected(t, p, "").Status == status
		})
	}
	one, kill := servingApart(t, env)
	two := serving(t, env)
	deliver(t, one, "created.json")
	knows(two, lifecycle.Valid)
	deliver(t, two, "disabled.json")
	knows(one, lifecycle.Invalid)
	kill()
	if i := introspected(t, two, ""); i.Integration != sidecartest.SampleIntegration || i.Status != lifecycle.Invalid {
		t.Errorf("after the other's death: %+v", i)
	}
	deliver(t, two, "deleted.json")
	three, _ := servingApart(t, env)
	if i := introspected(t, three, ""); i.Status != lifecycle.Invalid || i.State != lifecycle.Deleted {
		t.Errorf("in the place of the dead: %+v", i)
	}
	sidecartest.Silent(t, "stderr", one.stderr.String()+three.stderr.String())
	stop(t, two)
	code, stdout, stderr := once(t, env, "doctor")
	if code != exitOK || !strings.Contains(stdout, "journal  ok") {
		t.Errorf("doctor: exit code %d, stdout:\n%s\nstderr:\n%s", code, stdout, stderr)
	}
}

// TestMigrate: a user who may create tables brings the schema up to date by steps, and a
// sidecar that may not opens on nothing less than the newest.
func TestMigrate(t *testing.T) {
	env := onPostgres(t)
	expect := func(code int, want string, args ...string) {
		t.Helper()
		got, stdout, stderr := once(t, env, args...)
		if got != code || !strings.Contains(stdout+stderr, want) {
			t.Errorf("%v: exit code %d, stdout:\n%s\nstderr:\n%s", args, got, stdout, stderr)
		}
		sidecartest.Silent(t, "stderr", stderr)
	}
	expect(exitError, "the schema has version 0, not ", "migrate", "--validate")
	expect(exitOK, "create table", "migrate", "--dry-run")
	expect(exitError, "run the migrations", "doctor", "--skip-migrations")
	expect(exitOK, "the schema went from version 0 to 1", "migrate", "--to", "1")
	if _, err := pgstore.Migrations.ReadFile("migrations/0002.sql"); err == nil { // there is another step
		expect(exitError, "the schema has version 1, not ", "migrate", "--validate")
		expect(exitOK, "the schema went from version 1 to ", "migrate")
	}
	expect(exitOK, "the schema has version ", "migrate")
	expect(exitOK, "the schema has version ", "migrate", "--validate")
	expect(exitUsage, "--to must be from 1 to ", "migrate", "--to", "1000")
	expect(exitUsage, "exclude each other", "migrate", "--validate", "--dry-run")
	p := serving(t, env, "--skip-migrations")
	deliver(t, p, "created.json")
	stop(t, p)
	expect(exitOK, "the schema went from version 0 to ", "migrate", "--schema", "other")
}

// TestServeThroughPooler: PgBouncer in transaction mode stands between, and nobody said so.
// The second instance starts, both take in what comes to them and know what the other took
// in, and the log names the flag. With the flag it has nothing to say.
func TestServeThroughPooler(t *testing.T) {
	cluster := pgtest.Shared(t)
	for _, args := range [][]string{nil, {"--pooler"}} {
		env := onPostgres(t)
		direct, err := url.Parse(env["KEYRACK_STORE"])
		if err != nil {
			t.Fatal(err)
		}
		direct.Host = cluster.Pooler(t)
		env["KEYRACK_STORE"] = direct.String()
		instances := []*process{serving(t, env, args...), serving(t, env, args...)}
		var all sync.WaitGroup
		for i, p := range instances {
			for worker := range 3 {
				all.Go(func() {
					for n := range 10 {
						body := fmt.Sprintf(`{"Action":"IntegrationCreated","Data":{"Enterprise":{"Id":"e"},"AccessToken":"canary-%[1]d-%[2]d-%[3]d",`+
							`"CreatedUtc":"2026-01-01T00:00:00Z","IsEnabled":true,"Integration":{"Id":"i%[1]d-%[2]d-%[3]d"}}}`, i, worker, n)
						resp, err := http.Post("http://"+p.webhooks+"/webhooks/mews?Token="+sidecartest.Secret, "application/json", strings.NewReader(body))
						if err != nil {
							t.Error(err)
							return
						}
						resp.Body.Close()
						if resp.StatusCode != http.StatusNoContent {
							t.Errorf("a delivery was answered %d", resp.StatusCode)
						}
					}
				})
			}
		}
		all.Wait()
		for _, p := range instances {
			testkit.Eventually(t, "an instance to know all 60", func() bool {
				page := sidecartest.Read[api.IntegrationsPage](t, sidecartest.Call(t, p.api, "", http.MethodGet, api.IntegrationsPath+"?limit=1000", "", ""))
				return len(page.Integrations) == 60
			})
			stop(t, p)
			log := p.stderr.String()
			if said := strings.Count(log, "say so at once with --pooler"); said > 1 || len(args) > 0 && said != 0 {
				t.Errorf("%v: the flag is named %d times:\n%s", args, said, log)
			}
			sidecartest.Silent(t, "stderr", log)
		}
		if said := instances[0].stderr.String() + instances[1].stderr.String(); len(args) == 0 && !strings.Contains(said, "--pooler") {
			t.Errorf("nobody recognised the pooler:\n%s", said)
		}
	}
}

// TestRestoringPage runs the commands of the page about restoring that need a database, while
// an instance works on it.
func TestRestoringPage(t *testing.T) {
	env := onPostgres(t)
	for _, name := range []string{"psql", "pg_dump"} {
		tool(t, name, "restoring a database")
	}
	binary, bin := os.Args[0], t.TempDir()
	if path, err := exec.LookPath(binary); err == nil {
		binary = path
	}
	if err := os.Symlink(binary, bin+"/keyrack"); err != nil {
		t.Fatal(err)
	}
	p := serving(t, env)
	deliver(t, p, "created.json")
	script := "set -euo pipefail\n" + strings.Join(fenced(t, "../../docs/restoring.md", "console"), "")
	c := exec.CommandContext(t.Context(), tool(t, "bash", "the commands of the page"), "-c", script)
	c.Dir = t.TempDir()
	c.Env = append(os.Environ(), "PATH="+bin+":"+os.Getenv("PATH"), asCommand+"=1", "DATABASE="+env["KEYRACK_STORE"],
		storage.KeyVariable+"="+env[storage.KeyVariable])
	out, err := c.CombinedOutput()
	if err != nil || !strings.Contains(string(out), "1 integrations are as the backup has them") || !strings.Contains(string(out), "journal  ok") {
		t.Errorf("%v\n%s", err, out)
	}
	sidecartest.Silent(t, "the output", string(out))
	testkit.Eventually(t, "the sidecar has read everything anew", func() bool {
		return strings.Contains(p.stderr.String(), "the store was read anew") && introspected(t, p, "").Active
	})
	stop(t, p)
}
