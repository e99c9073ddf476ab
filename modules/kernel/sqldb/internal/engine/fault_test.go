package engine

import (
	"database/sql"
	"fmt"
	"path/filepath"
	"runtime"
	"testing"

	"modernc.org/libc"
	_ "modernc.org/sqlite"
	sqlite3 "modernc.org/sqlite/lib"
)

// disk is SQLite's own VFS, of which one write to a log finds no room; it also looks what
// is held back when the log is synced.
type disk struct {
	base    uintptr
	failing int // the write that fails, counted down; 0: none
	fileMethods
	open  openFunc
	write writeFunc
	sync  syncFunc

	syncs int
	held  int32 // bytes
}

func newDisk(tls *libc.TLS) *disk {
	d := &disk{base: sqlite3.Xsqlite3_vfs_find(tls, 0)}
	d.write = func(tls *libc.TLS, file, from uintptr, size int32, offset int64) int32 {
		if d.failing--; d.failing == 0 {
			return sqlite3.SQLITE_FULL
		}
		return function[writeFunc](d.fileMethods.FxWrite)(tls, file, from, size, offset)
	}
	d.sync = func(tls *libc.TLS, file uintptr, flags int32) int32 {
		d.syncs++
		d.held += stateOf(file).length
		return function[syncFunc](d.fileMethods.FxSync)(tls, file, flags)
	}
	d.open = func(tls *libc.TLS, _, name, file uintptr, flags int32, outFlags uintptr) int32 {
		rc := function[openFunc](at[vfs](d.base).FxOpen)(tls, d.base, name, file, flags, outFlags)
		if rc == sqlite3.SQLITE_OK && flags&sqlite3.SQLITE_OPEN_WAL != 0 {
			methods := &at[sqlite3.Tsqlite3_file](file).FpMethods
			d.fileMethods = *at[fileMethods](*methods)
			own := zeroed[fileMethods](tls)
			*at[fileMethods](own) = d.fileMethods
			at[fileMethods](own).FxWrite = pointer(d.write)
			at[fileMethods](own).FxSync = pointer(d.sync)
			*methods = own
		}
		return rc
	}
	return d
}

// register puts the buffer above the disk, under a name of its own.
func (d *disk) register(tls *libc.TLS, name string) *files {
	own := zeroed[vfs](tls)
	*at[vfs](own) = *at[vfs](d.base)
	at[vfs](own).FxOpen = pointer(d.open)
	f := newFiles(own)
	if rc := f.register(tls, name); rc != sqlite3.SQLITE_OK {
		panic(fmt.Sprint("register: ", rc))
	}
	return f
}

// TestEveryWriteThatFailsFailsItsTransaction lets each write of a large commit find no
// room in turn.
func TestEveryWriteThatFailsFailsItsTransaction(t *testing.T) {
	if err := Install(); err != nil {
		t.Fatal(err)
	}
	tls := libc.NewTLS()
	defer tls.Close()
	d := newDisk(tls)
	const name = "banyan-failing"
	keep := d.register(tls, name)
	for failing, refused := 1, true; refused; failing++ {
		if failing > 100 {
			t.Fatal("too many writes")
		}
		t.Run(fmt.Sprint(failing), func(t *testing.T) {
			refused = commitOn(t, d, name, failing)
			if !refused && failing < 5 {
				t.Errorf("write %d failed, and the transaction did not", failing)
			}
		})
	}
	runtime.KeepAlive(keep)
	if d.syncs == 0 || d.held != 0 { // the log's header must be on disk before its first frame
		t.Errorf("%d syncs, %d bytes held back in them, want none", d.syncs, d.held)
	}
}

// commitOn tells whether a transaction failed whose n-th write of the log did.
func commitOn(t *testing.T, d *disk, name string, n int) bool {
	t.Helper()
	db, err := sql.Open("sqlite", "file:"+filepath.Join(t.TempDir(), "test.db")+"?vfs="+name+
		"&_pragma=journal_mode(WAL)&_pragma=wal_autocheckpoint(0)&_pragma=synchronous(FULL)&_pragma=cache_size(100)")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = db.Close() }()
	db.SetMaxOpenConns(1)
	rows := "WITH RECURSIVE c(i) AS (SELECT 1 UNION ALL SELECT i+1 FROM c WHERE i<600) INSERT INTO things SELECT printf('%0*d', 1000, i) FROM c"
	if _, err := db.ExecContext(t.Context(), "CREATE TABLE things (body TEXT)"); err != nil {
		t.Fatal(err)
	}
	d.failing = n
	_, failed := db.ExecContext(t.Context(), rows)
	reached := d.failing <= 0
	d.failing = 0
	var count int
	var sound string
	if err := db.QueryRowContext(t.Context(), "SELECT COUNT(*) FROM things").Scan(&count); err != nil {
		t.Fatal(err)
	}
	if err := db.QueryRowContext(t.Context(), "PRAGMA integrity_check").Scan(&sound); err != nil || sound != "ok" {
		t.Fatal(sound, err)
	}
	if want := map[bool]int{true: 0, false: 600}[reached]; count != want || (failed != nil) != reached {
		t.Errorf("write %d failed: %t; %d rows, want %d; %v", n, reached, count, want, failed)
	}
	if coded, ok := failed.(interface{ Code() int }); reached && (!ok || coded.Code() != sqlite3.SQLITE_FULL) {
		t.Errorf("write %d: %v, want that the disk is full", n, failed)
	}
	return failed != nil
}
