//go:build unix

package files

import (
	"io/fs"
	"os"
	"syscall"
)

// ownerOf returns who a file belongs to.
func ownerOf(info fs.FileInfo) (owner, bool) {
	stat, ok := info.Sys().(*syscall.Stat_t)
	if !ok {
		return owner{}, false
	}
	return owner{int(stat.Uid), int(stat.Gid)}, true
}

// self returns who this process is.
func self() identity {
	groups, _ := os.Getgroups() // without them there is still the first
	return identity{os.Geteuid(), append(groups, os.Getegid())}
}
