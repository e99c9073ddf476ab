package engine

import (
	"modernc.org/libc"
	sqlite3 "modernc.org/sqlite/lib"
)

type (
	pageMethods = sqlite3.Tsqlite3_pcache_methods2
	pageCache   = sqlite3.TPCache1
	rekeyFunc   = func(tls *libc.TLS, cache, page uintptr, from, to uint32)
)

// lockByte is where SQLite takes its locks in a file; the page around it has no content.
const lockByte = 0x40000000

// keepMark replaces one function of SQLite's page cache; it gives SQLite's code.
//
// The cache notes the highest number that a page of it ever had, and a commit drops pages
// beyond the file's end only if that mark is beyond it. A split that puts pages in order
// gives one of them, until two calls later, the number of the page that never has content,
// which is 262,145. After that the next commit would look for such a page among all in
// memory, 8,000 perhaps, and find none. So this number leaves the mark as it is.
func (e *engine) keepMark(tls *libc.TLS) int32 {
	methods, args := zeroed[pageMethods](tls), zeroed[uintptr](tls)
	defer libc.Xfree(tls, args)
	defer libc.Xfree(tls, methods) // SQLite copies them
	if methods == 0 || args == 0 {
		return sqlite3.SQLITE_NOMEM
	}
	rc := sqlite3.Xsqlite3_config(tls, sqlite3.SQLITE_CONFIG_GETPCACHE2, libc.VaList(args, methods))
	if rc != sqlite3.SQLITE_OK {
		return rc
	}
	own := at[pageMethods](methods)
	rekey := function[rekeyFunc](own.FxRekey)
	e.rekey = func(tls *libc.TLS, cache, page uintptr, from, to uint32) {
		c := at[pageCache](cache)
		mark := c.FiMaxKey
		rekey(tls, cache, page, from, to)
		if to == lockByte/uint32(c.FszPage)+1 { //nolint:gosec // a page has 512 to 65,536 bytes
			c.FiMaxKey = mark
		}
	}
	own.FxRekey = pointer(e.rekey)
	e.cache = *own
	return sqlite3.Xsqlite3_config(tls, sqlite3.SQLITE_CONFIG_PCACHE2, libc.VaList(args, methods))
}
