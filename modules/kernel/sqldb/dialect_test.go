package sqldb_test

import (
	"errors"
	"testing"
	"time"

	"banyan/modules/kernel/dbtest"
	"banyan/modules/kernel/errs"
	"banyan/modules/kernel/sqldb"
)

func TestErrorsAreSorted(t *testing.T) {
	onBoth(t, func(t *testing.T, db *sqldb.DB) {
		if err := do(t, db, sqldb.S(insert, 1, 0)); err != nil {
			t.Fatal(err)
		}
		cases := []struct {
			name string
			stmt sqldb.Stmt
			want sqldb.Class
			code errs.Code
		}{
			{"same key", sqldb.S(insert, 1, 0), sqldb.Duplicate, errs.Internal},
			{"check", sqldb.S(insert, 2, 1_000_000), sqldb.Violation, errs.Internal},
			{"null", sqldb.S(insert, 2, nil), sqldb.Violation, errs.Internal},
			{"no such table", sqldb.S("SELECT 1 FROM nothing"), sqldb.Other, errs.Unavailable},
		}
		for _, c := range cases {
			err := do(t, db, c.stmt)
			if got := sqldb.ClassOf(err); got != c.want || errs.CodeOf(err) != c.code {
				t.Errorf("%s: class %d, want %d; code %s, want %s: %v", c.name, got, c.want, errs.CodeOf(err), c.code, err)
			}
		}
	})
}

func TestDialectHelpersDoTheSame(t *testing.T) {
	onBoth(t, func(t *testing.T, db *sqldb.DB) {
		d := db.Dialect()
		var ignored, now, locked int64
		ignore := sqldb.S(d.InsertIgnore()+" INTO things (id, n) VALUES (?, ?)", 1, 99)
		ignore.Affected = &ignored
		err := do(t, db, sqldb.S(insert, 1, 5), ignore, sqldb.S(insert+d.Upsert("id", "n"), 2, 7), sqldb.S(insert+d.Upsert("id", "n"), 2, 8))
		if err != nil || ignored != 0 || number(t, db, sum) != 13 {
			t.Errorf("ignored %d, sum %d, want 0 and 13; err %v", ignored, number(t, db, sum), err)
		}
		err = do(t, db, sqldb.Q(into(&now), "SELECT "+d.NowMicros()), sqldb.Q(into(&locked), "SELECT n FROM things WHERE id = 1"+d.ShareLock()))
		if err != nil || locked != 5 {
			t.Errorf("read %d, err %v", locked, err)
		}
		if off := time.Since(time.UnixMicro(now)).Abs(); off > 10*time.Second {
			t.Errorf("the store's clock is %s off", off)
		}
	})
}

func TestMarks(t *testing.T) {
	for want, got := range map[string]string{
		"(?)": sqldb.Marks(1, 1), "(?,?,?)": sqldb.Marks(1, 3), "(?,?),(?,?)": sqldb.Marks(2, 2),
	} {
		if got != want {
			t.Errorf("got %s, want %s", got, want)
		}
	}
}

func TestFailKeepsErrorsOfOurs(t *testing.T) {
	ours := errs.E(errs.NotFound, "nothing here")
	if sqldb.Fail(nil) != nil || !errors.Is(sqldb.Fail(ours), ours) || errs.CodeOf(sqldb.Fail(ours)) != errs.NotFound {
		t.Error("Fail changed an error of ours")
	}
}

func TestManyStatementTextsStayBounded(t *testing.T) {
	db := dbtest.SQLite(t)
	makeThings(t, db)
	for i := range 600 { // more than the writer keeps prepared
		var n int64
		if err := do(t, db, sqldb.Q(into(&n), "SELECT COUNT(*) FROM things WHERE id IN "+sqldb.Marks(1, i+1), make([]any, i+1)...)); err != nil {
			t.Fatal(err)
		}
	}
}
