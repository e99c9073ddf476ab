package httpd_test

import (
	"bytes"
	"strings"
	"testing"
)

// FuzzAgainstNetHTTP: whatever is sent, client and handler cannot tell the servers apart.
func FuzzAgainstNetHTTP(f *testing.F) {
	for _, form := range forms() {
		for _, path := range []string{"echo", "half", "flush", "trailers", "close", "hijack", "panic-late", "pieces"} {
			if script := strings.ReplaceAll(form, "{}", path); len(script) < 1000 {
				f.Add([]byte(script+form), uint8(7))
			}
		}
	}
	for path := range behaviours() {
		f.Add([]byte(strings.ReplaceAll(forms()["chunks"]+forms()["HTTP/1.0 keep-alive"], "{}", path)), uint8(11))
	}
	for _, script := range oddities() {
		if len(script) < 1000 {
			f.Add([]byte(script), uint8(0))
		}
	}
	f.Fuzz(func(t *testing.T, script []byte, step uint8) {
		// Larger ones meet the bound of heads, HTTP/2 is another matter, and the kinds
		// are those of meant.
		if len(script) > 8<<10 || bytes.HasPrefix(script, []byte("PRI * HTTP/2.0\r\n\r\nSM")) || bytes.Contains(script, []byte("duplex")) {
			return
		}
		steps := int(step)
		if steps == 0 {
			steps = len(script) + 1
		}
		compare(t, script, steps)
	})
}
