//go:build !unix

package hop

// quiet cannot be told here without waiting.
func (k *conn) quiet() bool { return true }
