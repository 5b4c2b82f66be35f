package main

import (
	"debug/buildinfo"
	"encoding/json"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// TestBill: the bill has what the go command wrote into a binary, of this test for example.
func TestBill(t *testing.T) {
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	binary, err := os.ReadFile(self)
	if err != nil {
		t.Fatal(err)
	}
	r := release{version: "v0.3.0", to: t.TempDir()}
	write := func(name string, text []byte) {
		t.Helper()
		if err := os.WriteFile(filepath.Join(r.to, name), text, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	write("SHA256SUMS", nil)
	if err := r.bill(t.Context()); err == nil {
		t.Error("a bill of nothing")
	}
	write("keyrack-test", binary)
	if err := r.bill(t.Context()); err != nil {
		t.Fatal(err)
	}
	text, err := os.ReadFile(filepath.Join(r.to, "keyrack-v0.3.0.cdx.json"))
	if err != nil {
		t.Fatal(err)
	}
	var b bom
	if err := json.Unmarshal(text, &b); err != nil {
		t.Fatal(err)
	}
	if b.Format != "CycloneDX" || b.Spec != "1.6" || !regexp.MustCompile(`^urn:uuid:[0-9a-f]{8}-[0-9a-f]{4}-8[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$`).MatchString(b.Serial) {
		t.Errorf("the bill is %s %s %s", b.Format, b.Spec, b.Serial)
	}
	info, err := buildinfo.ReadFile(self)
	if err != nil {
		t.Fatal(err)
	}
	if len(b.Components) != len(info.Deps)+1 { // and the standard library
		t.Errorf("%d components of %d modules", len(b.Components), len(info.Deps))
	}
	for _, d := range info.Deps {
		if ref := "pkg:golang/" + d.Path + "@" + d.Version; strings.Count(string(text), `"bom-ref": "`+ref+`"`) != 1 {
			t.Errorf("%s is not in the bill once", ref)
		}
	}
	for _, c := range b.Components {
		if c.Name == "golang.org/x/mod" && (len(c.Hashes) != 1 || len(c.Hashes[0].Content) != 64) {
			t.Errorf("%s has the hashes %v", c.Name, c.Hashes)
		}
	}
	sums, err := os.ReadFile(filepath.Join(r.to, "SHA256SUMS"))
	if err != nil || !strings.HasSuffix(string(sums), "  keyrack-v0.3.0.cdx.json\n") {
		t.Errorf("SHA256SUMS: %q, %v", sums, err)
	}
}
