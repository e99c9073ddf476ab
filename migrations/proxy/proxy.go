// Package proxy holds the goose migrations of the router's schema: run-time weights
// and the audit log.
package proxy

import "embed"

// FS is the migrations, at its root.
//
//go:embed *.sql
var FS embed.FS
