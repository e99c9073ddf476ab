// Package engine sets up the SQLite of this process for many small durable commits: the
// log goes to the file in large pieces (log.go), and a commit after a split does not look
// at every page in memory (pages.go). Files, locks and results are SQLite's own; other
// programs may use the same database without it.
package engine

import (
	"fmt"
	"sync"
	"unsafe"

	"modernc.org/libc"
	sqlite3 "modernc.org/sqlite/lib"
)

// VFS is the name to open databases with after Install.
const VFS = "banyan"

// Install sets the engine up, once in a process. It must come before the first database is
// opened; the error says what SQLite refused.
func Install() error { return install().err }

// engine keeps the functions that SQLite has pointers to, which Go does not see.
type engine struct {
	cache pageMethods // what SQLite was given
	rekey rekeyFunc
	files *files
	err   error
}

var install = sync.OnceValue(func() *engine { //nolint:gochecknoglobals // SQLite's configuration is the process's
	tls := libc.NewTLS()
	defer tls.Close()
	e := &engine{}
	if rc := e.keepMark(tls); rc != sqlite3.SQLITE_OK {
		e.err = fmt.Errorf("engine: SQLite refused its page cache with code %d; was a database opened before?", rc)
	} else if rc := e.registerFiles(tls); rc != sqlite3.SQLITE_OK {
		e.err = fmt.Errorf("engine: SQLite refused its files with code %d", rc)
	}
	return e
})

// at is the struct at an address of SQLite's, which is not in Go's heap.
func at[T any](address uintptr) *T { return *(**T)(unsafe.Pointer(&address)) }

// function is the function that a pointer of SQLite's means.
func function[F any](pointer uintptr) F { return *(*F)(unsafe.Pointer(&pointer)) }

// pointer is what SQLite calls a function by; somebody must keep the function.
func pointer[F any](f F) uintptr { return *(*uintptr)(unsafe.Pointer(&f)) }

// zeroed is memory of SQLite's for a struct, and 0 when there is none.
func zeroed[T any](tls *libc.TLS) uintptr {
	var t T
	return libc.Xcalloc(tls, 1, libc.Tsize_t(unsafe.Sizeof(t)))
}
