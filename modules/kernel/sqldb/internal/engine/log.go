package engine

import (
	"encoding/binary"
	"unsafe"

	"modernc.org/libc"
	sqlite3 "modernc.org/sqlite/lib"
)

type (
	vfs         = sqlite3.Tsqlite3_vfs
	fileMethods = sqlite3.Tsqlite3_io_methods

	openFunc    = func(tls *libc.TLS, vfs, name, file uintptr, flags int32, outFlags uintptr) int32
	closeFunc   = func(tls *libc.TLS, file uintptr) int32
	readFunc    = func(tls *libc.TLS, file, into uintptr, size int32, offset int64) int32
	writeFunc   = func(tls *libc.TLS, file, from uintptr, size int32, offset int64) int32
	sizeFunc    = func(tls *libc.TLS, file uintptr, size int64) int32
	syncFunc    = func(tls *libc.TLS, file uintptr, flags int32) int32
	askSizeFunc = func(tls *libc.TLS, file, size uintptr) int32
	lockFunc    = func(tls *libc.TLS, file uintptr, offset, n, flags int32) int32
)

const (
	// bufferSize bounds what a connection that writes holds back: some 30 pages.
	bufferSize = 128 << 10
	// headerSize is that of a frame's header in the log; it is followed by the page.
	headerSize = 24
)

// files is a VFS above SQLite's own for this system. It differs in how a log is written:
// SQLite writes the header and the page of each frame by a system call of their own, some
// 140 for a group of 16 holds; here what follows one another goes out together.
//
// Nobody can miss what is held back. Only frames of a transaction that is not committed
// yet are: from a frame with a commit mark on, everything is written through, whatever
// `synchronous` says, and the header of the shared index, by which other connections
// learn of frames, comes after that. When the connection itself reads one of its frames,
// they are written first. What is still there when it gives up the lock of the one writer was rolled back
// and is dropped, lest it be written over the next writer's frames. An error of writing
// reaches SQLite in a write or a sync of the same transaction, which fails it.
type files struct {
	base    uintptr // SQLite's own VFS
	open    openFunc
	methods logMethods
	unlock  lockFunc
}

type logMethods struct {
	close    closeFunc
	read     readFunc
	write    writeFunc
	truncate sizeFunc
	sync     syncFunc
	size     askSizeFunc
}

// file is behind SQLite's own struct of an open log or database. It begins with the
// methods, so that the pointer to them leads here.
type file struct {
	methods fileMethods
	base    uintptr // SQLite's own methods

	log uintptr // of a database: its log's file, 0 while that is closed

	database uintptr // of a log: its database's file
	buffer   uintptr // bufferSize bytes, from the first write on
	offset   int64   // in the file, of the buffer's first byte
	length   int32
	through  bool // a frame with a commit mark has come
}

// registerFiles makes the VFS known; it gives SQLite's code.
func (e *engine) registerFiles(tls *libc.TLS) int32 {
	e.files = newFiles(sqlite3.Xsqlite3_vfs_find(tls, 0))
	return e.files.register(tls, VFS)
}

func newFiles(base uintptr) *files {
	f := &files{base: base, methods: logMethods{closeLog, readLog, writeLog, truncateLog, syncLog, sizeOfLog}, unlock: unlock}
	f.open = f.openFile
	return f
}

func (f *files) register(tls *libc.TLS, as string) int32 {
	own, name := zeroed[vfs](tls), libc.Xcalloc(tls, 1, libc.Tsize_t(len(as)+1))
	if f.base == 0 || own == 0 || name == 0 {
		return sqlite3.SQLITE_NOMEM
	}
	copy(unsafe.Slice(at[byte](name), len(as)), as)
	v := at[vfs](own)
	*v = *at[vfs](f.base)
	v.FzName, v.FpNext, v.FxOpen = name, 0, pointer(f.open)
	v.FszOsFile += int32(unsafe.Sizeof(file{}))
	return sqlite3.Xsqlite3_vfs_register(tls, own, 0)
}

// openFile lets SQLite open a file and, if it is a log or a database, puts itself before
// some of its methods.
func (f *files) openFile(tls *libc.TLS, _, name, handle uintptr, flags int32, outFlags uintptr) int32 {
	base := at[vfs](f.base)
	rc := function[openFunc](base.FxOpen)(tls, f.base, name, handle, flags, outFlags)
	if rc != sqlite3.SQLITE_OK || flags&(sqlite3.SQLITE_OPEN_WAL|sqlite3.SQLITE_OPEN_MAIN_DB) == 0 {
		return rc
	}
	s := at[file](handle + uintptr(base.FszOsFile))
	methods := &at[sqlite3.Tsqlite3_file](handle).FpMethods
	*s = file{methods: *at[fileMethods](*methods), base: *methods}
	if flags&sqlite3.SQLITE_OPEN_MAIN_DB != 0 {
		s.methods.FxShmLock = pointer(f.unlock)
	} else {
		s.database = sqlite3.Xsqlite3_database_file_object(tls, name)
		stateOf(s.database).log = handle
		m := f.methods
		s.methods.FxClose, s.methods.FxRead, s.methods.FxWrite = pointer(m.close), pointer(m.read), pointer(m.write)
		s.methods.FxTruncate, s.methods.FxSync, s.methods.FxFileSize = pointer(m.truncate), pointer(m.sync), pointer(m.size)
	}
	*methods = handle + uintptr(base.FszOsFile)
	return rc
}

func stateOf(handle uintptr) *file { return at[file](at[sqlite3.Tsqlite3_file](handle).FpMethods) }

func (s *file) own() *fileMethods { return at[fileMethods](s.base) }

// unlock drops what a transaction left that was rolled back, when it ends.
func unlock(tls *libc.TLS, handle uintptr, offset, n, flags int32) int32 {
	s := stateOf(handle)
	if s.log != 0 && flags&sqlite3.SQLITE_SHM_UNLOCK != 0 && offset == 0 { // the writer's lock is the first
		stateOf(s.log).length = 0
	}
	return function[lockFunc](s.own().FxShmLock)(tls, handle, offset, n, flags)
}

func writeLog(tls *libc.TLS, handle, from uintptr, size int32, offset int64) int32 {
	s := stateOf(handle)
	if s.buffer == 0 {
		if s.buffer = libc.Xmalloc(tls, bufferSize); s.buffer == 0 {
			return sqlite3.SQLITE_NOMEM
		}
	}
	if s.length > 0 && (offset != s.offset+int64(s.length) || s.length+size > bufferSize) {
		if rc := s.flush(tls, handle); rc != sqlite3.SQLITE_OK {
			return rc
		}
	}
	data := unsafe.Slice(at[byte](from), size)
	if size == headerSize {
		s.through = binary.BigEndian.Uint32(data[4:]) != 0 // the size of a database that is committed
	}
	if size > bufferSize || s.length == 0 && s.through {
		return function[writeFunc](s.own().FxWrite)(tls, handle, from, size, offset)
	}
	if s.length == 0 {
		s.offset = offset
	}
	copy(unsafe.Slice(at[byte](s.buffer), bufferSize)[s.length:], data)
	s.length += size
	if s.through {
		return s.flush(tls, handle)
	}
	return sqlite3.SQLITE_OK
}

// flush writes what is held back. It is dropped if that fails, for the transaction does too.
func (s *file) flush(tls *libc.TLS, handle uintptr) int32 {
	size := s.length
	if s.length = 0; size == 0 {
		return sqlite3.SQLITE_OK
	}
	return function[writeFunc](s.own().FxWrite)(tls, handle, s.buffer, size, s.offset)
}

// readLog writes what is held back first if some of it is asked for.
func readLog(tls *libc.TLS, handle, into uintptr, size int32, offset int64) int32 {
	s := stateOf(handle)
	if offset < s.offset+int64(s.length) && offset+int64(size) > s.offset {
		if rc := s.flush(tls, handle); rc != sqlite3.SQLITE_OK {
			return rc
		}
	}
	return function[readFunc](s.own().FxRead)(tls, handle, into, size, offset)
}

func syncLog(tls *libc.TLS, handle uintptr, flags int32) int32 {
	s := stateOf(handle)
	if rc := s.flush(tls, handle); rc != sqlite3.SQLITE_OK {
		return rc
	}
	return function[syncFunc](s.own().FxSync)(tls, handle, flags)
}

func truncateLog(tls *libc.TLS, handle uintptr, size int64) int32 {
	s := stateOf(handle)
	if rc := s.flush(tls, handle); rc != sqlite3.SQLITE_OK {
		return rc
	}
	return function[sizeFunc](s.own().FxTruncate)(tls, handle, size)
}

func sizeOfLog(tls *libc.TLS, handle, size uintptr) int32 {
	s := stateOf(handle)
	if rc := s.flush(tls, handle); rc != sqlite3.SQLITE_OK {
		return rc
	}
	return function[askSizeFunc](s.own().FxFileSize)(tls, handle, size)
}

// closeLog drops what is held back: it was never committed.
func closeLog(tls *libc.TLS, handle uintptr) int32 {
	s := stateOf(handle)
	stateOf(s.database).log = 0
	libc.Xfree(tls, s.buffer)
	s.buffer, s.length = 0, 0
	return function[closeFunc](s.own().FxClose)(tls, handle)
}
