package sqlitestore_test

import (
	"bytes"
	"database/sql"
	"fmt"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"
	"unsafe"

	"modernc.org/libc"
	sqlite3 "modernc.org/sqlite/lib"
)

// disk is a layer between SQLite and the files: it counts, delays, logs and fails
// what is done to them. To SQLite it is a VFS, a copy of the system's, that goes
// through here where it opens a file, and from there on.
type disk struct {
	name string
	vfs  uintptr // *Tsqlite3_vfs
	base sqlite3.Tsqlite3_vfs

	// delay is what a sync takes longer, in nanoseconds.
	delay atomic.Int64
	// lie makes every sync return at once, with nothing done.
	lie atomic.Bool

	mu     sync.Mutex
	counts map[string]int
	log    []op // nil if nothing is logged
	logs   bool
	// fault returns SQLite's answer to an operation, or 0 to let it happen.
	fault func(kind, file string) int32
}

// op is something that happened to a file, or that the test wants to know the
// place of.
type op struct {
	kind string // open, write, truncate, sync, delete; mark
	file string // the base name
	off  int64
	data []byte
	mark any
}

// handle is a file that SQLite has open.
type handle struct {
	disk    *disk
	file    string
	methods sqlite3.Tsqlite3_io_methods // the system's
	ours    uintptr                     // *Tsqlite3_io_methods
}

// What SQLite gives back are addresses in C's memory.
var (
	disks   sync.Map // of the VFS → *disk
	handles sync.Map // of the file → *handle
)

// at returns what an address in C's memory points to.
func at[T any](p uintptr) *T { return (*T)(*(*unsafe.Pointer)(unsafe.Pointer(&p))) }

// call returns the Go function that C's function pointer stands for.
func call[F any](p uintptr) F {
	f := &struct{ p uintptr }{p}
	return *(*F)(unsafe.Pointer(f))
}

// pointer is the reverse of call, for functions of the package.
func pointer[F any](f F) uintptr {
	return *(*uintptr)(unsafe.Pointer(&struct{ f F }{f}))
}

type (
	openFunc     = func(tls *libc.TLS, vfs, name, file uintptr, flags int32, out uintptr) int32
	deleteFunc   = func(tls *libc.TLS, vfs, name uintptr, sync int32) int32
	closeFunc    = func(tls *libc.TLS, file uintptr) int32
	readFunc     = func(tls *libc.TLS, file, buffer uintptr, n int32, off int64) int32
	truncateFunc = func(tls *libc.TLS, file uintptr, size int64) int32
	syncFunc     = func(tls *libc.TLS, file uintptr, flags int32) int32
	mapFunc      = func(tls *libc.TLS, file uintptr, page, size, extend int32, out uintptr) int32
)

var diskNumber atomic.Int64

func newDisk(t testing.TB) *disk {
	tls := libc.NewTLS()
	defer tls.Close()
	d := &disk{name: fmt.Sprintf("keyrack-test-%d", diskNumber.Add(1)), counts: map[string]int{}}
	d.base = *at[sqlite3.Tsqlite3_vfs](sqlite3.Xsqlite3_vfs_find(tls, 0))
	name, err := libc.CString(d.name)
	if err != nil {
		t.Fatal(err)
	}
	d.vfs = libc.Xmalloc(tls, libc.Tsize_t(unsafe.Sizeof(d.base)))
	ours := d.base
	ours.FpNext, ours.FzName = 0, name
	ours.FxOpen = pointer(diskOpen)
	ours.FxDelete = pointer(diskDelete)
	*at[sqlite3.Tsqlite3_vfs](d.vfs) = ours
	disks.Store(d.vfs, d)
	if rc := sqlite3.Xsqlite3_vfs_register(tls, d.vfs, 0); rc != 0 {
		t.Fatalf("registering the VFS: %d", rc)
	}
	t.Cleanup(func() {
		tls := libc.NewTLS()
		defer tls.Close()
		sqlite3.Xsqlite3_vfs_unregister(tls, d.vfs)
		disks.Delete(d.vfs)
	})
	return d
}

// open returns a handle of a database on the disk.
func (d *disk) open(t testing.TB, path string) *sql.DB {
	path, query, _ := strings.Cut(path, "?")
	db, err := sql.Open("sqlite", "file:"+path+"?vfs="+d.name+"&"+query)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { db.Close() })
	return db
}

// record begins to log.
func (d *disk) record() {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.logs = true
}

// recorded ends it, and returns the log.
func (d *disk) recorded() []op {
	d.mu.Lock()
	defer d.mu.Unlock()
	log := d.log
	d.log, d.logs = nil, false
	return log
}

// mark puts something into the log.
func (d *disk) mark(what any) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.logs {
		d.log = append(d.log, op{kind: "mark", mark: what})
	}
}

func (d *disk) count(kind string) int {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.counts[kind]
}

func (d *disk) fail(fault func(kind, file string) int32) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.fault = fault
}

// begin counts an operation, and returns its error if it is to fail.
func (d *disk) begin(kind, file string) int32 {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.counts[kind]++
	if d.fault != nil {
		return d.fault(kind, file)
	}
	return 0
}

// end logs an operation that happened.
func (d *disk) end(o op) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.logs {
		o.data = bytes.Clone(o.data)
		d.log = append(d.log, o)
	}
}

func diskOpen(tls *libc.TLS, vfs, name, file uintptr, flags int32, out uintptr) int32 {
	v, _ := disks.Load(vfs)
	d := v.(*disk)
	at[sqlite3.Tsqlite3_file](file).FpMethods = 0
	if name == 0 {
		return call[openFunc](d.base.FxOpen)(tls, vfs, name, file, flags, out)
	}
	base := filepath.Base(libc.GoString(name))
	if rc := d.begin("open", base); rc != 0 {
		return rc
	}
	rc := call[openFunc](d.base.FxOpen)(tls, vfs, name, file, flags, out)
	if rc != 0 {
		return rc
	}
	d.end(op{kind: "open", file: base})
	f := &handle{disk: d, file: base}
	f.methods = *at[sqlite3.Tsqlite3_io_methods](at[sqlite3.Tsqlite3_file](file).FpMethods)
	f.ours = libc.Xmalloc(tls, libc.Tsize_t(unsafe.Sizeof(f.methods)))
	ours := f.methods
	ours.FxClose, ours.FxRead, ours.FxWrite = pointer(diskClose), pointer(diskRead), pointer(diskWrite)
	ours.FxTruncate, ours.FxSync = pointer(diskTruncate), pointer(diskSync)
	ours.FxShmMap = pointer(diskShmMap)
	*at[sqlite3.Tsqlite3_io_methods](f.ours) = ours
	at[sqlite3.Tsqlite3_file](file).FpMethods = f.ours
	handles.Store(file, f)
	return 0
}

func of(file uintptr) *handle {
	v, _ := handles.Load(file)
	return v.(*handle)
}

func diskDelete(tls *libc.TLS, vfs, name uintptr, dirSync int32) int32 {
	v, _ := disks.Load(vfs)
	d := v.(*disk)
	if rc := d.begin("delete", filepath.Base(libc.GoString(name))); rc != 0 {
		return rc
	}
	rc := call[deleteFunc](d.base.FxDelete)(tls, vfs, name, dirSync)
	if rc == 0 {
		d.end(op{kind: "delete", file: filepath.Base(libc.GoString(name))})
	}
	return rc
}

func diskClose(tls *libc.TLS, file uintptr) int32 {
	f := of(file)
	handles.Delete(file)
	rc := call[closeFunc](f.methods.FxClose)(tls, file)
	libc.Xfree(tls, f.ours)
	return rc
}

func diskRead(tls *libc.TLS, file, buffer uintptr, n int32, off int64) int32 {
	f := of(file)
	if rc := f.disk.begin("read", f.file); rc != 0 {
		return rc
	}
	return call[readFunc](f.methods.FxRead)(tls, file, buffer, n, off)
}

func diskWrite(tls *libc.TLS, file, buffer uintptr, n int32, off int64) int32 {
	f := of(file)
	if rc := f.disk.begin("write", f.file); rc != 0 {
		return rc
	}
	rc := call[readFunc](f.methods.FxWrite)(tls, file, buffer, n, off)
	if rc == 0 {
		f.disk.end(op{kind: "write", file: f.file, off: off, data: unsafe.Slice(at[byte](buffer), n)})
	}
	return rc
}

func diskTruncate(tls *libc.TLS, file uintptr, size int64) int32 {
	f := of(file)
	if rc := f.disk.begin("truncate", f.file); rc != 0 {
		return rc
	}
	rc := call[truncateFunc](f.methods.FxTruncate)(tls, file, size)
	if rc == 0 {
		f.disk.end(op{kind: "truncate", file: f.file, off: size})
	}
	return rc
}

func diskSync(tls *libc.TLS, file uintptr, flags int32) int32 {
	f := of(file)
	if rc := f.disk.begin("sync", f.file); rc != 0 {
		return rc
	}
	if f.disk.lie.Load() {
		return 0
	}
	if delay := f.disk.delay.Load(); delay > 0 {
		time.Sleep(time.Duration(delay))
	}
	rc := call[syncFunc](f.methods.FxSync)(tls, file, flags)
	if rc == 0 {
		f.disk.end(op{kind: "sync", file: f.file})
	}
	return rc
}

func diskShmMap(tls *libc.TLS, file uintptr, page, size, extend int32, out uintptr) int32 {
	f := of(file)
	if rc := f.disk.begin("map", f.file); rc != 0 {
		return rc
	}
	return call[mapFunc](f.methods.FxShmMap)(tls, file, page, size, extend, out)
}

// isLog tells the write-ahead log from the database.
func isLog(file string) bool { return strings.HasSuffix(file, "-wal") }
