package dbtest

import (
	"fmt"
	"strings"
	"testing"

	"banyan/modules/kernel/sqldb"
)

// Explain gives the database's plan of a query, a line a step.
func Explain(t testing.TB, db *sqldb.DB, query string, args ...any) string {
	t.Helper()
	verb := "EXPLAIN QUERY PLAN "
	if db.Dialect() == sqldb.MySQL {
		verb = "EXPLAIN "
	}
	rows, err := db.Reader().QueryxContext(t.Context(), verb+query, args...)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = rows.Close() }()
	var plan strings.Builder
	for rows.Next() {
		line := map[string]any{}
		if err := rows.MapScan(line); err != nil {
			t.Fatal(err)
		}
		for name, v := range line {
			fmt.Fprintf(&plan, "%s=%s ", name, v)
		}
		plan.WriteByte('\n')
	}
	if err := rows.Err(); err != nil {
		t.Fatal(err)
	}
	return plan.String()
}
