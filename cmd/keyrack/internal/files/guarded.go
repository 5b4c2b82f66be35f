package files

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// guardedLimit is the largest file that Guarded reads, in bytes.
const guardedLimit = 1 << 20

// Guarded says what a file is that not everybody may touch, for the one rule that all of
// them follow:
//
//   - Its owner is this user or root, and so is that of a symbolic link to it.
//   - Nobody else may write it, except a group of this user. Kubernetes gives the files of
//     a volume to the group of fsGroup, with mode 0660.
//   - Nobody else may read it either, unless Public. If it is mounted, which is read-only as
//     a rule, the mode is another program's choice: that is a warning.
//
// On Windows, where modes mean nothing, there is no rule. The zero value is not valid.
type Guarded struct {
	What      string // "the sealing key"
	Elsewhere string // where else its content may come from, as an advice: "set KEYRACK_SEALING_KEY"
	Public    bool   // it holds no secret: who may read it does not matter
}

// Read returns the content of a file, and a warning or "". Its errors name the file, its mode
// and owner, what is wanted, and where else the content may come from.
func (g Guarded) Read(path string) (text []byte, warning string, err error) {
	f, err := os.Open(path)
	if errors.Is(err, fs.ErrPermission) {
		return nil, "", g.unreadable(path)
	}
	if err != nil {
		return nil, "", fmt.Errorf("%s: %w; %s", g.What, g.dangling(path, err), g.Elsewhere)
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return nil, "", fmt.Errorf("%s: %w", g.What, err)
	}
	if info.IsDir() {
		return nil, "", fmt.Errorf("%s: %s is a folder; name a file in it, or %s", g.What, path, g.Elsewhere)
	}
	if warning, err = g.check(path, info); err != nil {
		return nil, "", err
	}
	text, err = io.ReadAll(io.LimitReader(f, guardedLimit+1))
	switch {
	case err != nil:
		return nil, "", fmt.Errorf("%s: reading %s: %w", g.What, path, err)
	case len(text) > guardedLimit:
		return nil, "", fmt.Errorf("%s: %s is larger than %d bytes; it is another file", g.What, path, guardedLimit)
	}
	return text, warning, nil
}

// Check applies the rule to a file that somebody else reads. A file that is not there is fine.
func (g Guarded) Check(path string) (warning string, err error) {
	info, err := os.Stat(path)
	if errors.Is(err, fs.ErrNotExist) {
		return "", nil
	}
	if err != nil {
		return "", fmt.Errorf("%s: %w", g.What, err)
	}
	return g.check(path, info)
}

func (g Guarded) check(path string, info fs.FileInfo) (warning string, err error) {
	who, known := ownerOf(info)
	if !known {
		return "", nil
	}
	a := access{mode: info.Mode().Perm(), owner: who, public: g.Public, mounted: mounted(path), credential: isCredential(path)}
	problem, fix, fatal := a.judge(self())
	if link, err := os.Lstat(path); problem == "" && err == nil && link.Mode()&fs.ModeSymlink != 0 {
		if owner, known := ownerOf(link); known && owner.uid != 0 && owner.uid != self().uid {
			problem, fix, fatal = fmt.Sprintf("the symbolic link belongs to another user (uid %d)", owner.uid), "name the file itself", true
		}
	}
	if problem == "" {
		return "", nil
	}
	said := fmt.Sprintf("%s: %s (mode %04o, uid %d, gid %d): %s; %s",
		g.What, path, a.mode, who.uid, who.gid, problem, strings.ReplaceAll(fix, "FILE", path))
	if !fatal {
		return said, nil
	}
	return "", fmt.Errorf("%s, or %s", said, g.Elsewhere)
}

// unreadable says who may read a file that this process may not.
func (g Guarded) unreadable(path string) error {
	mode := ""
	if info, err := os.Stat(path); err == nil {
		if who, known := ownerOf(info); known {
			mode = fmt.Sprintf(" (mode %04o, uid %d, gid %d)", info.Mode().Perm(), who.uid, who.gid)
		}
	}
	return fmt.Errorf(`%s: %s%s cannot be read by this process (uid %d); make it readable for its user or
group (in Kubernetes: fsGroup, and defaultMode: 0440 of the volume), or %s`, g.What, path, mode, self().uid, g.Elsewhere)
}

// dangling explains a symbolic link that leads nowhere.
func (g Guarded) dangling(path string, err error) error {
	if target, broken := os.Readlink(path); broken == nil && errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("%s is a symbolic link to %s, which is not there", path, target)
	}
	return err
}

// owner is who a file belongs to.
type owner struct{ uid, gid int }

// identity is who this process is.
type identity struct {
	uid    int
	groups []int
}

// access is what the rule looks at.
type access struct {
	mode       fs.FileMode
	owner      owner
	public     bool
	mounted    bool // somebody else chose the mode, and nobody here can write the file
	credential bool // a credential of systemd
}

// judge returns what is wrong and what to do about it, and whether that is more than a
// warning.
func (a access) judge(me identity) (problem, fix string, fatal bool) {
	others := a.mode & 0o007
	if !slices.Contains(me.groups, a.owner.gid) {
		group := a.mode >> 3 & 0o007
		if a.credential {
			// The mode shows the mask of an access list, which names only the service
			// (systemd#29435).
			group &^= 0o004
		}
		others |= group
	}
	const chmod = "run: chmod go= FILE"
	switch {
	case a.owner.uid != 0 && a.owner.uid != me.uid:
		return "it belongs to another user", fmt.Sprintf("only uid %d (this process) or root may own it", me.uid), true
	case others&0o002 != 0:
		return "others can write it", map[bool]string{true: "run: chmod go-w FILE", false: chmod}[a.public], true
	case others&0o004 == 0 || a.public:
		return "", "", false
	case a.mounted:
		return "others can read it", "mount it with mode 0400, or 0440 and a group of this process", false
	}
	return "others can read it", chmod, true
}

// mounted reports whether a file comes from a mount that this process cannot change: a
// read-only file system, /run/secrets, or a volume of Kubernetes, whose files are links into
// the folder ..data.
func mounted(path string) bool {
	full, err := filepath.Abs(path)
	if err != nil {
		return false
	}
	if target, err := os.Readlink(full); err == nil && strings.HasPrefix(filepath.ToSlash(target), "..data/") {
		return true
	}
	if real, err := filepath.EvalSymlinks(full); err == nil {
		full = real
	}
	return strings.HasPrefix(full, "/run/secrets/") || readOnly(full)
}

// isCredential reports whether systemd passes a file to this service.
func isCredential(path string) bool {
	folder := os.Getenv("CREDENTIALS_DIRECTORY")
	return folder != "" && filepath.Dir(path) == filepath.Clean(folder)
}
