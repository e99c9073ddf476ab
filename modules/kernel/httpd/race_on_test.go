//go:build race

package httpd

// racing tells that sync.Pool forgets at random.
const racing = true
