package service

import (
	"runtime"
	"runtime/debug"
)

// headroomBytes never hold anything, so they cost address space and no memory.
const headroomBytes = 32 << 20

// headroom makes the collector wait until there is garbage worth collecting. It waits until
// the heap has doubled, and that of a server of ours is so small that under load it would
// run many times a second. What the start left behind is given back first. GOGC and
// GOMEMLIMIT mean what they always do. The function that it gives ends it.
func headroom() (end func()) {
	debug.FreeOSMemory()
	ballast := make([]byte, headroomBytes)
	return func() { runtime.KeepAlive(ballast) }
}
