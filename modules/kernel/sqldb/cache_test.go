package sqldb_test

import (
	"database/sql"
	"fmt"
	"math/rand/v2"
	"slices"
	"sync"
	"testing"

	"banyan/modules/kernel/dbtest"
	"banyan/modules/kernel/sqldb"
)

// More texts than are kept prepared, by several callers at once, who are still reading
// when their statement is forgotten.
func TestQueriesBeyondTheCache(t *testing.T) {
	db := dbtest.SQLite(t)
	const texts, callers, queries = 300, 16, 1000
	var wg sync.WaitGroup
	for range callers {
		wg.Go(func() {
			for i := range queries {
				add := rand.N(texts) //nolint:gosec // an order, no secret
				var got []int
				err := sqldb.Each(t.Context(), db, sqldb.Q(func(rows *sql.Rows) error {
					var n int
					err := rows.Scan(&n)
					got = append(got, n)
					return err
				}, fmt.Sprintf("WITH RECURSIVE up(n) AS (SELECT ? UNION ALL SELECT n+1 FROM up LIMIT 3) SELECT n+%d FROM up", add), i))
				if want := []int{i + add, i + add + 1, i + add + 2}; err != nil || !slices.Equal(got, want) {
					t.Errorf("query %d gave %v, %v, not %v", i, got, err, want)
				}
			}
		})
	}
	wg.Wait()
}
