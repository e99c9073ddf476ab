package store_test

import (
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/jmoiron/sqlx"

	"banyan/modules/kernel/bucket"
	"banyan/modules/kernel/dbtest"
	"banyan/modules/kernel/handover"
	"banyan/modules/kernel/sqldb"
	"banyan/modules/reservations/internal/store"
)

// TestBucketsAreFoundByKey holds the statements that read and wipe buckets to the keys: a
// scan would lock, or wait for, the rows of everybody else.
func TestBucketsAreFoundByKey(t *testing.T) {
	each(t, func(t *testing.T, db *sqldb.DB, _ *store.SQL) {
		many(t, db)
		all := rand.New(rand.NewPCG(7, 8)).Perm(bucket.Count)
		for _, n := range []int{1, 7, 16, 250} {
			for _, s := range store.HandoverStatements(db, all[:n]) {
				plan := dbtest.Explain(t, db, s.SQL, s.Args...)
				scans := strings.Contains(plan, "type=ALL") || strings.Contains(plan, "type=index") || strings.Contains(plan, "SCAN ")
				by := []string{"type=range", "type=ref", "type=const", "SEARCH"}
				if scans || !slices.ContainsFunc(by, func(way string) bool { return strings.Contains(plan, way) }) {
					t.Errorf("%d buckets: %.80s\n%s", n, s.SQL, plan)
				}
			}
		}
	})
}

// many fills the tables with rows of all buckets.
func many(t *testing.T, db *sqldb.DB) {
	t.Helper()
	const chunk = 500
	for from := 0; from < bucket.Count; from += chunk {
		buckets := make([]int, chunk)
		for i := range buckets {
			buckets[i] = from + i
		}
		rowsIn(t, db, buckets)
	}
	if db.Dialect() == sqldb.MySQL { // statistics as a server has them after a while
		if _, err := db.Writer().ExecContext(t.Context(), "ANALYZE TABLE fences, seats, events, holds, reservations"); err != nil {
			t.Fatal(err)
		}
	}
}

// A thousand empty buckets cost few statements.
func TestEmptyBucketsAreCheap(t *testing.T) {
	p := open(t, dbtest.MySQL(t), true, nil)
	buckets := rand.New(rand.NewPCG(9, 9)).Perm(bucket.Count)[:handover.MaxBuckets]
	exec(t, p.db, "DELETE FROM fences")
	p.db.Writer().SetMaxOpenConns(1) // a session counts its own statements, the server counts everybody's
	p.db.Reader().SetMaxOpenConns(1)
	epoch := int64(1)
	for _, step := range []struct {
		name string
		most int
		do   func()
	}{
		{"seal of new ones", 60, func() { give(t, p, handover.Seal, epoch, buckets) }},
		{"seal", 60, func() { epoch++; give(t, p, handover.Seal, epoch, buckets) }},
		{"export", 100, func() { export(t, p, epoch, buckets) }},
		{"activate", 40, func() { give(t, p, handover.Activate, epoch, buckets, make([]int64, len(buckets))...) }},
		{"freeze", 40, func() { epoch++; give(t, p, handover.Freeze, epoch, buckets) }},
		{"seal of the source", 40, func() { give(t, p, handover.SealSource, epoch, buckets) }},
		{"purge", 40, func() { give(t, p, handover.Purge, epoch, buckets) }},
	} {
		before := statements(t, p.db)
		step.do()
		if n := statements(t, p.db) - before; n > step.most {
			t.Errorf("%s took %d statements", step.name, n)
		} else {
			t.Logf("%s took %d statements", step.name, n)
		}
	}
}

// statements counts those that both pools, of one connection each, have given the server.
func statements(t *testing.T, db *sqldb.DB) int {
	t.Helper()
	if db.Reader() == db.Writer() {
		return sessionStatements(t, db.Writer())
	}
	return sessionStatements(t, db.Writer()) + sessionStatements(t, db.Reader())
}

func sessionStatements(t *testing.T, pool *sqlx.DB) int {
	t.Helper()
	sum := 0
	err := pool.GetContext(t.Context(), &sum, `SELECT SUM(variable_value) FROM information_schema.session_status
		WHERE variable_name IN ('COM_SELECT','COM_INSERT','COM_DELETE','COM_UPDATE')`)
	if err != nil {
		t.Fatal(err)
	}
	return sum
}
