package main

import (
	"cmp"
	"context"
	"crypto/sha256"
	"debug/buildinfo"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// The bill of materials, in CycloneDX 1.6 (cyclonedx.org/docs/1.6/json). It has no time, so
// that two releases of the same sources have the same bill.
type (
	bom struct {
		Format     string      `json:"bomFormat"`
		Spec       string      `json:"specVersion"`
		Serial     string      `json:"serialNumber"`
		Version    int         `json:"version"`
		Metadata   metadata    `json:"metadata"`
		Components []component `json:"components"`
	}
	metadata struct {
		Component component `json:"component"`
	}
	component struct {
		Type    string `json:"type"`
		Ref     string `json:"bom-ref"`
		Name    string `json:"name"`
		Version string `json:"version"`
		PURL    string `json:"purl"`
		Hashes  []hash `json:"hashes,omitempty"`
	}
	hash struct {
		Algorithm string `json:"alg"`
		Content   string `json:"content"`
	}
)

// bill writes down every module that the linker put into a binary, from what the binaries
// themselves say, and adds its own sum to SHA256SUMS.
func (r *release) bill(context.Context) error {
	files, err := filepath.Glob(filepath.Join(r.to, "keyrack-*"))
	if err != nil {
		return err
	}
	var main component
	parts := map[string]component{}
	for _, file := range files {
		info, err := buildinfo.ReadFile(file)
		if err != nil {
			return err
		}
		main = part("application", info.Main.Path, r.version, "")
		std := part("library", "std", strings.TrimPrefix(info.GoVersion, "go"), "")
		parts[std.Ref] = std
		for _, d := range info.Deps {
			if d.Replace != nil {
				return fmt.Errorf("%s has %s replaced", filepath.Base(file), d.Path)
			}
			c := part("library", d.Path, d.Version, d.Sum)
			parts[c.Ref] = c
		}
	}
	if len(parts) == 0 {
		return fmt.Errorf("no binary in %s", r.to)
	}
	b := bom{"CycloneDX", "1.6", "", 1, metadata{main}, slices.SortedFunc(maps.Values(parts), func(a, b component) int { return cmp.Compare(a.Ref, b.Ref) })}
	text, err := json.Marshal(b)
	if err != nil {
		return err
	}
	b.Serial = serial(text)
	if text, err = json.MarshalIndent(b, "", "  "); err != nil {
		return err
	}
	name := "keyrack-" + r.version + ".cdx.json"
	if err := os.WriteFile(filepath.Join(r.to, name), append(text, '\n'), 0o644); err != nil {
		return err
	}
	sums, err := os.OpenFile(filepath.Join(r.to, "SHA256SUMS"), os.O_APPEND|os.O_WRONLY, 0)
	if err != nil {
		return err
	}
	sum := sha256.Sum256(append(text, '\n'))
	if _, err := fmt.Fprintf(sums, "%x  %s\n", sum, name); err != nil {
		_ = sums.Close()
		return err
	}
	return sums.Close()
}

// part describes a module. Its sum is go.sum's: the SHA-256 of a list of the module's files
// and their sums.
func part(kind, path, version, sum string) component {
	purl := "pkg:golang/" + path + "@" + version
	c := component{Type: kind, Ref: purl, Name: path, Version: version, PURL: purl}
	if raw, err := base64.StdEncoding.DecodeString(strings.TrimPrefix(sum, "h1:")); err == nil && len(raw) == sha256.Size {
		c.Hashes = []hash{{"SHA-256", hex.EncodeToString(raw)}}
	}
	return c
}

// serial makes the bill's name of what stands in it, in the form of a UUID of version 8.
func serial(text []byte) string {
	id := sha256.Sum256(text)
	id[6], id[8] = id[6]&0x0f|0x80, id[8]&0x3f|0x80
	return fmt.Sprintf("urn:uuid:%x-%x-%x-%x-%x", id[:4], id[4:6], id[6:8], id[8:10], id[10:16])
}
