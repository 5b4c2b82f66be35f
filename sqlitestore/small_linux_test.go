package sqlitestore_test

import (
	"errors"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"testing"

	"github.com/keyrack-dev/keyrack/sqlitestore"
)

// smallDisk mounts a file system of its own, which takes root. Without root it runs the
// test as root of a user name space of its own; then ok is false, and the test is done.
// If that is impossible the test is skipped, but not under CI.
func smallDisk(t *testing.T, size string) (dir string, ok bool) {
	if os.Getuid() != 0 {
		cmd := exec.Command(os.Args[0], "-test.run=^"+t.Name()+"$", "-test.v")
		cmd.SysProcAttr = &syscall.SysProcAttr{
			Cloneflags:  syscall.CLONE_NEWUSER | syscall.CLONE_NEWNS,
			UidMappings: []syscall.SysProcIDMap{{HostID: os.Getuid(), Size: 1}},
			GidMappings: []syscall.SysProcIDMap{{HostID: os.Getgid(), Size: 1}},
		}
		out, err := cmd.CombinedOutput()
		var exit *exec.ExitError
		switch {
		case err == nil:
			t.Logf("as root of a name space:\n%s", out)
		case errors.As(err, &exit):
			t.Errorf("as root of a name space: %v\n%s", err, out)
		case os.Getenv("CI") != "":
			t.Fatalf("no small disk, and CI must not skip: %v", err)
		default:
			t.Skipf("NOT TESTED, since only root mounts a disk: %v", err)
		}
		return "", false
	}
	dir = t.TempDir()
	if err := syscall.Mount("tmpfs", dir, "tmpfs", 0, "size="+size); err != nil {
		if os.Getenv("CI") != "" {
			t.Fatalf("no small disk, and CI must not skip: %v", err)
		}
		t.Skipf("NOT TESTED, since only root mounts a disk: %v", err)
	}
	t.Cleanup(func() {
		if err := syscall.Unmount(dir, 0); err != nil {
			t.Error(err)
		}
	})
	return dir, true
}

// TestFullDisk fills the disk with commits until there is no room, makes room, and
// goes on with the same store.
func TestFullDisk(t *testing.T) {
	dir, ok := smallDisk(t, "2m")
	if !ok {
		return
	}
	ballast := filepath.Join(dir, "ballast")
	if err := os.WriteFile(ballast, make([]byte, 1<<20), 0o600); err != nil {
		t.Fatal(err)
	}
	ctx := t.Context()
	path := filepath.Join(dir, "keyrack.db")
	s, err := sqlitestore.Open(ctx, path, nil)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { s.Close() }()
	known := acknowledged{}
	version := uint64(0)
	for {
		if _, err = s.Commit(ctx, testCommit("a", version, 3000)); err != nil {
			break
		}
		version++
		known["a"] = version
		if version > 10000 {
			t.Fatal("the disk is never full")
		}
	}
	if !errors.Is(err, sqlitestore.ErrFull) {
		t.Errorf("a full disk is: %v", err)
	}
	t.Logf("full after %d commits: %v", version, err)
	for range 20 {
		if _, err := s.Commit(ctx, testCommit("a", version, 3000)); err == nil {
			t.Fatal("the disk is full, and a commit succeeds")
		}
	}
	// Reading goes on, and nothing is lost.
	if err := known.kept(ctx, s); err != nil {
		t.Error(err)
	}
	if err := os.Remove(ballast); err != nil {
		t.Fatal(err)
	}
	stored, err := s.Load(ctx, "a")
	if err != nil {
		t.Fatal(err)
	}
	for version = stored.Version; version < stored.Version+20; version++ {
		if _, err := s.Commit(ctx, testCommit("a", version, 3000)); err != nil {
			t.Fatalf("the disk has room again, and a commit fails: %v", err)
		}
	}
	if err := wholeness(ctx, s); err != nil {
		t.Error(err)
	}
}

func TestReadOnly(t *testing.T) {
	dir, ok := smallDisk(t, "4m")
	if !ok {
		return
	}
	path := filepath.Join(dir, "keyrack.db")
	ctx := t.Context()
	s, err := sqlitestore.Open(ctx, path, nil)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := s.Commit(ctx, testCommit("a", 0, 10)); err != nil {
		t.Fatal(err)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	readOnly := func(on uintptr) {
		t.Helper()
		if err := syscall.Mount("tmpfs", dir, "tmpfs", syscall.MS_REMOUNT|on, ""); err != nil {
			t.Fatal(err)
		}
	}
	readOnly(syscall.MS_RDONLY)
	for _, path := range []string{path, filepath.Join(dir, "new.db")} {
		if _, err := sqlitestore.Open(ctx, path, nil); !errors.Is(err, sqlitestore.ErrReadOnly) {
			t.Errorf("on a disk that is read only, Open says: %v", err)
		}
	}
	readOnly(0)
	if s, err = sqlitestore.Open(ctx, path, nil); err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	if _, err := s.Commit(ctx, testCommit("a", 1, 10)); err != nil {
		t.Error(err)
	}
}

// TestHandlerOnAFullDisk is what Mews sees of it: 503 while there is no room, 204 from
// the same Rack once there is.
func TestHandlerOnAFullDisk(t *testing.T) {
	dir, ok := smallDisk(t, "2m")
	if !ok {
		return
	}
	ballast := filepath.Join(dir, "ballast")
	writeFile(t, ballast, make([]byte, 1<<20))
	s, err := sqlitestore.Open(t.Context(), filepath.Join(dir, "keyrack.db"), nil)
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	r, err := newReceiver(t, s, map[string]int{})
	if err != nil {
		t.Fatal(err)
	}
	n, refused := 0, 0
	for ; refused < 5; n++ { // in a row: a shorter one may still find its place
		if refused++; r.deliver(n%50) == http.StatusNoContent {
			refused = 0
		}
		if n > 10000 {
			t.Fatal("the disk is never full")
		}
	}
	if err := os.Remove(ballast); err != nil {
		t.Fatal(err)
	}
	for i := range 20 {
		if code := r.deliver(i); code != http.StatusNoContent {
			t.Errorf("the disk has room again, and a delivery is answered %d", code)
		}
	}
	t.Logf("full after %d deliveries", n)
	r.kept(s)
}
