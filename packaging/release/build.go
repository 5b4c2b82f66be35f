package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
)

// build has packaging/build make the binaries in two folders, the second time with an empty
// cache, and leaves them with their sums if every byte is the same.
func (r *release) build(ctx context.Context) error {
	env, err := r.alone(ctx)
	if err != nil {
		return err
	}
	env = append(env, "KEYRACK_VERSION="+r.version, "KEYRACK_COMMIT="+r.commit)
	other, err := r.clone(ctx, filepath.Join("somewhere", "else"), r.commit)
	if err != nil {
		return err
	}
	if err := r.buildIn(ctx, r.tree, r.to, env); err != nil {
		return err
	}
	if !r.warm {
		env = append(env, "GOCACHE="+filepath.Join(r.scratch, "buildcache"))
	}
	again := filepath.Join(r.scratch, "again")
	if err := r.buildIn(ctx, other, again, env); err != nil {
		return err
	}
	return same(r.to, again)
}

func (r *release) buildIn(ctx context.Context, tree, to string, env []string) error {
	args := append([]string{filepath.Join(tree, "packaging", "build"), to}, r.platforms...)
	_, err := r.output(ctx, tree, env, "bash", args...)
	return err
}

// same reports how the files of two folders differ.
func same(one, other string) error {
	files, err := os.ReadDir(one)
	if err != nil {
		return err
	}
	var differ []error
	for _, file := range files {
		if file.IsDir() {
			continue
		}
		a, err := os.ReadFile(filepath.Join(one, file.Name()))
		if err != nil {
			return err
		}
		b, err := os.ReadFile(filepath.Join(other, file.Name()))
		if err != nil {
			return err
		}
		if !bytes.Equal(a, b) {
			differ = append(differ, fmt.Errorf("two builds of %s differ: %d and %d bytes", file.Name(), len(a), len(b)))
		}
	}
	return errors.Join(differ...)
}
