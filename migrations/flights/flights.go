// Package flights embeds the goose migrations of the flights schema, one set for MySQL,
// MariaDB and SQLite.
package flights

import "embed"

// FS holds the migrations, at its root.
//
//go:embed *.sql
var FS embed.FS
