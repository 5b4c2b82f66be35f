package main

import (
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"runtime"
	"strings"
	"syscall"
	"testing"

	"github.com/keyrack-dev/keyrack/cmd/keyrack/internal/api"
	"github.com/keyrack-dev/keyrack/cmd/keyrack/internal/sidecartest"
)

// TestLongNames: anyone with the secret can fill neither the memory with names nor a page of
// the list. Integrations with two names of 25 kB each take less than 40 MB for 3,000, and less
// than 1 MB on a page; their bodies are kept whole. Without KEYRACK_LONG there are 300, which
// are to stay under a tenth of that.
func TestLongNames(t *testing.T) {
	integrations, most := 300, uint64(4<<20)
	if long {
		integrations, most = 3_000, 40<<20
	}
	file := t.TempDir() + "/k.db"
	p := serving(t, map[string]string{"KEYRACK_STORE": "sqlite:" + file})
	name := strings.Repeat("n", 25_000)
	body := func(n int) []byte {
		return fmt.Appendf(nil, `{"Action":"IntegrationCreated","Data":{"Enterprise":{"Id":"e%d","Name":%q},"AccessToken":"canary-%d","CreatedUtc":"2026-01-01T00:00:00Z","IsEnabled":true,"Integration":{"Id":"i%d","Name":%q}}}`, n, name, n, n, name)
	}
	sidecartest.Deliver(t, p.webhooks, body(0))
	before := inUse()
	for n := 1; n < integrations; n++ {
		sidecartest.Deliver(t, p.webhooks, body(n))
	}
	after := inUse()
	if after > before && after-before > most {
		t.Errorf("the names take %d KiB", (after-before)>>10)
	}
	r := sidecartest.Call(t, p.api, "", http.MethodGet, api.IntegrationsPath+"?limit=1000", "", "")
	page := sidecartest.Read[api.IntegrationsPage](t, r)
	if len(r.Body) > 1<<20 || len(page.Integrations) != min(integrations, 1000) {
		t.Errorf("a page of %d integrations has %d bytes", len(page.Integrations), len(r.Body))
	}
	t.Logf("%d integrations take %d KiB, and %d of them %d KiB on a page", integrations, (max(after, before)-before)>>10, len(page.Integrations), len(r.Body)>>10)
	for _, row := range page.Integrations {
		if len(row.Integration.Name) > 256 || !strings.HasSuffix(row.Integration.Name, "\u2026") {
			t.Fatalf("a name of %d bytes is shown", len(row.Integration.Name))
		}
	}
	stop(t, p)
	if info, err := os.Stat(file); err != nil || info.Size() < int64(integrations)*2*25_000 {
		t.Errorf("the bodies are not kept whole: %v, %v", info.Size(), err)
	}
}

// TestHangup: SIGHUP does not end a service, which says what it does instead.
func TestHangup(t *testing.T) {
	if runtime.GOOS == "windows" {
		t.Skip("SKIPPED: there is no SIGHUP")
	}
	p := process{code: make(chan int, 1)}
	cmd := exec.Command(os.Args[0], "serve", "--webhook-addr=127.0.0.1:0", "--api-addr=127.0.0.1:0")
	cmd.Env = append(os.Environ(), asCommand+"=1", secretVariable+"="+sidecartest.Secret, "KEYRACK_STORE=memory")
	cmd.Stderr = &p.stderr
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	go func() {
		_ = cmd.Wait()
		p.code <- cmd.ProcessState.ExitCode()
	}()
	p.waitFor(t, "everything is kept in memory") // the first line that says that it is up
	for range 2 {
		_ = cmd.Process.Signal(syscall.SIGHUP)
		p.waitFor(t, "SIGHUP is ignored; keys and settings are read at the start")
	}
	_ = cmd.Process.Signal(syscall.SIGTERM)
	if code := <-p.code; code != 0 {
		t.Errorf("ended with %d:\n%s", code, &p.stderr)
	}
}
