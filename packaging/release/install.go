package main

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
)

// tidy asks the go command, in each module alone, whether go.mod and go.sum are what it would
// write.
func (r *release) tidy(ctx context.Context) error {
	env, err := r.alone(ctx)
	if err != nil {
		return err
	}
	for _, m := range r.modules {
		if _, err := r.output(ctx, m.file(r.tree, ""), env, "go", "mod", "tidy", "-diff"); err != nil {
			return err
		}
	}
	return nil
}

// install does in an empty folder what a user does: it installs the command, and builds and
// runs a program that needs all libraries.
func (r *release) install(ctx context.Context) error {
	folder := filepath.Join(r.scratch, "empty")
	if err := os.MkdirAll(folder, 0o755); err != nil {
		return err
	}
	env, err := r.alone(ctx)
	if err != nil {
		return err
	}
	env = append(env, "GOBIN="+folder)
	if _, err := r.output(ctx, folder, env, "go", "mod", "init", "example.com/hotel"); err != nil {
		return err
	}
	var imports []string
	for _, m := range r.modules {
		if strings.HasPrefix(m.folder, "cmd/") {
			err = r.installCommand(ctx, m, folder, env)
		} else {
			imports = append(imports, fmt.Sprintf("import _ %q\n", m.path))
			_, err = r.output(ctx, folder, env, "go", "get", m.path+"@"+r.version)
		}
		if err != nil {
			return err
		}
	}
	program := "package main\n\n" + strings.Join(imports, "") + "\nfunc main() {}\n"
	if err := os.WriteFile(filepath.Join(folder, "main.go"), []byte(program), 0o644); err != nil {
		return err
	}
	hotel := filepath.Join(folder, "hotel.exe")
	if _, err := r.output(ctx, folder, env, "go", "build", "-trimpath", "-o", hotel, "."); err != nil {
		return err
	}
	_, err = r.output(ctx, folder, env, hotel)
	return err
}

func (r *release) installCommand(ctx context.Context, m module, folder string, env []string) error {
	if _, err := r.output(ctx, folder, env, "go", "install", "-trimpath", m.path+"@"+r.version); err != nil {
		return err
	}
	name := filepath.Base(m.path)
	said, err := r.output(ctx, folder, env, filepath.Join(folder, name), "version")
	if err == nil && !strings.HasPrefix(said, name+" "+r.version+" ") {
		err = fmt.Errorf("%s version says %q, want %s", name, said, r.version)
	}
	return err
}
