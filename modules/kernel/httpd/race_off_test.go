//go:build !race

package httpd

const racing = false
