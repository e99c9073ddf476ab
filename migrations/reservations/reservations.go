// Package reservations holds the schema of the reservations context, as goose files that
// serve MySQL, MariaDB and SQLite alike, but for those named *.sqlite.sql.
package reservations

import "embed"

// FS has the migrations at its root.
//
//go:embed *.sql
var FS embed.FS
