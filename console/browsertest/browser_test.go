package browsertest

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/chromedp/cdproto/cdp"
	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/cdproto/log"
	"github.com/chromedp/cdproto/network"
	"github.com/chromedp/cdproto/runtime"
	"github.com/chromedp/chromedp"
)

// axeVersion is the version of axe-core that judges the pages.
const axeVersion = "4.14.1"

// lacks skips a test that cannot find what it needs, but not in CI.
func lacks(t *testing.T, what string) {
	t.Helper()
	if os.Getenv("CI") == "true" {
		t.Fatal(what)
	}
	t.Skip(what)
}

// axeSource returns axe-core's script: the file that KEYRACK_AXE names, or else what npm
// installs into a folder of the test's own.
func axeSource(t *testing.T) string {
	t.Helper()
	name := os.Getenv("KEYRACK_AXE")
	if name == "" {
		npm, err := exec.LookPath("npm")
		if err != nil {
			lacks(t, "npm is missing: no accessibility was checked")
		}
		dir := t.TempDir()
		install := exec.CommandContext(t.Context(), npm, "install", "--prefix", dir, "--no-audit", "--no-fund", "--ignore-scripts", "axe-core@"+axeVersion)
		install.Env = append(os.Environ(), "npm_config_cache="+filepath.Join(dir, "cache"), "npm_config_update_notifier=false")
		if out, err := install.CombinedOutput(); err != nil {
			t.Fatalf("npm cannot install axe-core: %v\n%s", err, out)
		}
		name = filepath.Join(dir, "node_modules", "axe-core", "axe.min.js")
	}
	source, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	return string(source)
}

// browser is one tab, and what it complained of.
type browser struct {
	ctx context.Context

	mu       sync.Mutex
	messages []string // on the console
	requests []string
	failed   []string
}

// newBrowser starts a Chromium of its own, which ends with the test.
func newBrowser(t *testing.T) *browser {
	t.Helper()
	name := ""
	for _, candidate := range []string{"chromium", "chromium-browser", "google-chrome"} {
		if path, err := exec.LookPath(candidate); err == nil {
			name = path
			break
		}
	}
	if name == "" {
		lacks(t, "chromium is missing: the pages were not looked at")
	}
	options := append(chromedp.DefaultExecAllocatorOptions[:], chromedp.ExecPath(name), chromedp.Flag("hide-scrollbars", true))
	if os.Getuid() == 0 {
		options = append(options, chromedp.NoSandbox) // it refuses to run as root otherwise
	}
	allocated, end := chromedp.NewExecAllocator(context.Background(), options...)
	t.Cleanup(end)
	ctx, cancel := chromedp.NewContext(allocated)
	t.Cleanup(cancel)
	b := &browser{ctx: ctx}
	if err := chromedp.Do(ctx); err != nil {
		t.Fatal(err)
	}
	if err := chromedp.Listen(ctx, b.listen); err != nil {
		t.Fatal(err)
	}
	if _, err := chromedp.Call(ctx, network.Enable, network.EnableParams{}); err != nil {
		t.Fatal(err)
	}
	if _, err := chromedp.Call(ctx, log.Enable, cdp.Empty{}); err != nil {
		t.Fatal(err)
	}
	return b
}

func (b *browser) listen(event any) {
	b.mu.Lock()
	defer b.mu.Unlock()
	switch e := event.(type) {
	case *runtime.EventConsoleAPICalled:
		b.messages = append(b.messages, fmt.Sprintf("console.%s", e.Type))
	case *runtime.EventExceptionThrown:
		b.messages = append(b.messages, e.ExceptionDetails.Text)
	case *log.EventEntryAdded:
		b.messages = append(b.messages, e.Entry.Text+" "+e.Entry.URL)
	case *network.EventRequestWillBeSent:
		b.requests = append(b.requests, e.Request.URL)
	case *network.EventLoadingFailed:
		b.failed = append(b.failed, e.ErrorText+" "+string(e.BlockedReason))
	}
}

// look is how a page is looked at.
type look struct {
	scheme string // "light", "dark" or "forced"
	width  int64  // CSS pixels
	text   string // the size of text, such as "200%"; empty for the ordinary one
}

// open opens a page and forgets what the browser complained of before.
func (b *browser) open(l look, address string) error {
	b.mu.Lock()
	b.messages, b.requests, b.failed = nil, nil, nil
	b.mu.Unlock()
	scheme, forced := l.scheme, "none"
	if scheme == "forced" {
		scheme, forced = "dark", "active"
	}
	ctx, cancel := context.WithTimeout(b.ctx, 20*time.Second)
	defer cancel()
	_, err := chromedp.Call(ctx, emulation.SetDeviceMetricsOverride, emulation.SetDeviceMetricsOverrideParams{Width: l.width, Height: 900, DeviceScaleFactor: 1})
	if err != nil {
		return err
	}
	_, err = chromedp.Call(ctx, emulation.SetEmulatedMedia, emulation.SetEmulatedMediaParams{Features: []*emulation.MediaFeature{
		{Name: "prefers-color-scheme", Value: scheme}, {Name: "forced-colors", Value: forced}, {Name: "prefers-reduced-motion", Value: "reduce"},
	}})
	if err != nil {
		return err
	}
	if err := chromedp.Do(ctx, chromedp.Navigate(address)); err != nil || l.text == "" {
		return err
	}
	return chromedp.Do(ctx, chromedp.Evaluate[chromedp.Void](`document.documentElement.style.fontSize = "`+l.text+`"`))
}

// complaints returns what the browser complained of since open, and requests to elsewhere.
func (b *browser) complaints(home string, status int) (all []string) {
	b.mu.Lock()
	defer b.mu.Unlock()
	for _, m := range b.messages {
		if status >= 400 && strings.Contains(m, "Failed to load resource: the server responded with a status") {
			continue // the page itself, which says so
		}
		all = append(all, "on the console: "+m)
	}
	for _, r := range b.requests {
		if !strings.HasPrefix(r, home) {
			all = append(all, "a request to "+r)
		}
	}
	for _, f := range b.failed {
		all = append(all, "a request failed: "+f)
	}
	return all
}

// judge has axe look at the page, and returns what it found.
func (b *browser) judge(axe string, l look) (found []string, err error) {
	off := ""
	if l.scheme == "forced" {
		off = `,"color-contrast":{enabled:false},"color-contrast-enhanced":{enabled:false}` // the colours are the visitor's
	}
	script := axe + `;axe.run(document,{preload:false,resultTypes:["violations"],runOnly:{type:"tag",values:["wcag2a","wcag2aa","wcag21a","wcag21aa","wcag22aa","best-practice"]},rules:{"color-contrast-enhanced":{enabled:true},"target-size":{enabled:true}` + off + `}}).then(r=>JSON.stringify(r.violations.map(v=>v.id+": "+v.nodes.slice(0,4).map(n=>n.html.slice(0,160)+" "+n.failureSummary).join(" | "))))`
	if l.scheme == "forced" {
		script = strings.Replace(script, `"color-contrast-enhanced":{enabled:true},`, "", 1)
	}
	ctx, cancel := context.WithTimeout(b.ctx, 30*time.Second)
	defer cancel()
	text, err := chromedp.Run(ctx, chromedp.Evaluate[string](script, chromedp.EvalAwaitPromise))
	if err != nil {
		return nil, err
	}
	return found, json.Unmarshal([]byte(text), &found)
}

// overflow returns what runs out of the page to the right, or "".
func (b *browser) overflow() (wide string, err error) {
	const script = `(()=>{const w=document.documentElement.clientWidth;if(document.documentElement.scrollWidth<=w)return "";
const out=[];for(const e of document.querySelectorAll("body *")){const r=e.getBoundingClientRect();if(r.width>1&&r.right>w+1&&!e.closest(".scroll,.hide,.skip"))out.push(e.tagName+"."+e.className+" "+Math.round(r.right))}
return "the page is "+document.documentElement.scrollWidth+" wide: "+out.slice(0,5).join(", ")})()`
	ctx, cancel := context.WithTimeout(b.ctx, 10*time.Second)
	defer cancel()
	return chromedp.Run(ctx, chromedp.Evaluate[string](script))
}

// picture takes a picture of the whole page, or of what a window of 900 pixels shows.
func (b *browser) picture(whole bool) (png []byte, err error) {
	ctx, cancel := context.WithTimeout(b.ctx, 20*time.Second)
	defer cancel()
	if whole {
		return chromedp.Run(ctx, chromedp.FullScreenshot(100))
	}
	return chromedp.Run(ctx, chromedp.CaptureScreenshot())
}
