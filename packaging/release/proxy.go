package main

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"time"

	xmodule "golang.org/x/mod/module"
	"golang.org/x/mod/semver"
	"golang.org/x/mod/zip"
)

// pack writes the modules into a folder that the go command takes for a module proxy. What a
// module is made of does not hang on the go.sum of those that require it, so that one commit
// can have the sums of all.
func (r *release) pack(ctx context.Context) error {
	packed := map[string][]byte{}
	for _, m := range r.modules {
		file, err := r.packOne(m)
		if err != nil {
			return err
		}
		if packed[m.path], err = os.ReadFile(file); err != nil {
			return err
		}
		if err := r.sums(m, file); err != nil {
			return err
		}
		if err := r.save(ctx); err != nil {
			return err
		}
	}
	for _, m := range r.modules { // as they are in the commit that gets the tags
		file, err := r.packOne(m)
		if err != nil {
			return err
		}
		again, err := os.ReadFile(file)
		if err != nil {
			return err
		}
		if !bytes.Equal(again, packed[m.path]) {
			return fmt.Errorf("%s is not what its sum was made of", m.path)
		}
	}
	return nil
}

// packOne writes one module as it is in the commit, and returns the path of its zip.
func (r *release) packOne(m module) (string, error) {
	escaped, err := xmodule.EscapePath(m.path)
	if err != nil {
		return "", err
	}
	folder := filepath.Join(r.proxy(), filepath.FromSlash(escaped), "@v")
	if err := os.MkdirAll(folder, 0o755); err != nil {
		return "", err
	}
	var packed bytes.Buffer
	err = zip.CreateFromVCS(&packed, xmodule.Version{Path: m.path, Version: r.version}, r.tree, r.commit, m.folder)
	if err != nil {
		return "", fmt.Errorf("%s: %w", m.path, err)
	}
	goMod, err := os.ReadFile(m.file(r.tree, "go.mod"))
	if err != nil {
		return "", err
	}
	info, err := json.Marshal(struct {
		Version string
		Time    time.Time
	}{r.version, time.Now().UTC().Truncate(time.Second)})
	if err != nil {
		return "", err
	}
	for name, content := range map[string][]byte{
		"list": []byte(r.version + "\n"), r.version + ".info": info, r.version + ".mod": goMod, r.version + ".zip": packed.Bytes(),
	} {
		if err := os.WriteFile(filepath.Join(folder, name), content, 0o644); err != nil {
			return "", err
		}
	}
	return filepath.Join(folder, r.version+".zip"), nil
}

func (r *release) proxy() string { return filepath.Join(r.scratch, "proxy") }

// alone is the environment of somebody who has no work tree: modules come from the folder,
// from what this machine has downloaded before, and then from where the user has them from.
// The module cache is a new one, since the version may turn out not to be the last with its
// name.
func (r *release) alone(ctx context.Context) ([]string, error) {
	values, err := r.output(ctx, r.tree, []string{"GOWORK=off"}, "go", "env", "-json", "GOMODCACHE", "GOPROXY")
	if err != nil {
		return nil, err
	}
	var known struct{ GOMODCACHE, GOPROXY string }
	if err := json.Unmarshal([]byte(values), &known); err != nil {
		return nil, err
	}
	proxies := fileURL(r.proxy()) + "," + fileURL(filepath.Join(known.GOMODCACHE, "cache", "download"))
	if !r.offline {
		proxies += "," + cmp.Or(known.GOPROXY, "direct")
	}
	return []string{
		"GOWORK=off", "GOFLAGS=", "GOPROXY=" + proxies, "GOPRIVATE=", "GOMODCACHE=" + filepath.Join(r.scratch, "modcache"),
		// The version is in no public list of sums yet; the others' sums are in go.sum.
		"GOSUMDB=off",
		"GOTOOLCHAIN=local",
	}, nil
}

func fileURL(folder string) string {
	return "file://" + strings.TrimPrefix("/"+filepath.ToSlash(folder), "/")
}

// openBytes is what dirhash opens a file with that is at hand.
func openBytes(text []byte) func(string) (io.ReadCloser, error) {
	return func(string) (io.ReadCloser, error) { return io.NopCloser(bytes.NewReader(text)), nil }
}

// compareSums compares two lines of a go.sum as the go command sorts them: by path, by
// version, the line of go.mod last.
func compareSums(a, b string) int {
	x, y := strings.Fields(a), strings.Fields(b)
	if len(x) < 2 || len(y) < 2 {
		return cmp.Compare(a, b)
	}
	version := func(s string) string { v, _, _ := strings.Cut(s, "/"); return v }
	return cmp.Or(cmp.Compare(x[0], y[0]), semver.Compare(version(x[1]), version(y[1])), cmp.Compare(x[1], y[1]))
}
