package engine

import (
	"testing"

	"modernc.org/libc"
)

// TestTheNumberWithoutContentLeavesTheMark works on a page cache as SQLite would.
func TestTheNumberWithoutContentLeavesTheMark(t *testing.T) {
	e := install()
	if e.err != nil {
		t.Fatal(e.err)
	}
	tls := libc.NewTLS()
	defer tls.Close()
	const size, extra, purgeable, create, pages = 4096, 64, 1, 2, 10
	cache := function[func(*libc.TLS, int32, int32, int32) uintptr](e.cache.FxCreate)(tls, size, extra, purgeable)
	defer function[func(*libc.TLS, uintptr)](e.cache.FxDestroy)(tls, cache)
	function[func(*libc.TLS, uintptr, int32)](e.cache.FxCachesize)(tls, cache, 100)
	held := map[uint32]uintptr{}
	for key := uint32(1); key <= pages; key++ {
		held[key] = function[func(*libc.TLS, uintptr, uint32, int32) uintptr](e.cache.FxFetch)(tls, cache, key, create)
	}
	rekey := function[rekeyFunc](e.cache.FxRekey)
	mark := func() uint32 { return at[pageCache](cache).FiMaxKey }
	count := func() int32 {
		return function[func(*libc.TLS, uintptr) int32](e.cache.FxPagecount)(tls, cache)
	}
	// Pages 3 and 7 change places.
	rekey(tls, cache, held[7], 7, lockByte/size+1)
	rekey(tls, cache, held[3], 3, 7)
	rekey(tls, cache, held[7], lockByte/size+1, 3)
	if mark() != pages || count() != pages {
		t.Errorf("after a swap the mark is %d, with %d pages; want %d", mark(), count(), pages)
	}
	// Any other number raises it, so that a commit finds the page.
	rekey(tls, cache, held[5], 5, 50)
	if mark() != 50 {
		t.Errorf("the mark is %d, want 50", mark())
	}
	function[func(*libc.TLS, uintptr, uint32)](e.cache.FxTruncate)(tls, cache, 20)
	if mark() != 19 || count() != pages-1 {
		t.Errorf("after the cut the mark is %d, with %d pages; want 19 and %d", mark(), count(), pages-1)
	}
}
