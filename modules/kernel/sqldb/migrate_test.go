package sqldb_test

import (
	"io/fs"
	"os"
	"os/exec"
	"sync"
	"sync/atomic"
	"testing"
	"testing/fstest"

	"banyan/modules/kernel/dbtest"
	"banyan/modules/kernel/sqldb"
)

func migrations() fs.FS {
	return fstest.MapFS{
		"00001_first.sql": {Data: []byte("-- +goose Up\nCREATE TABLE first (id BIGINT PRIMARY KEY);\nINSERT INTO first VALUES (1);\n" +
			"-- +goose Down\nDROP TABLE first;\n")},
		"00002_second.sql": {Data: []byte("-- +goose Up\nCREATE TABLE second (id BIGINT PRIMARY KEY);\n-- +goose Down\nDROP TABLE second;\n")},
	}
}

func migrator(t *testing.T, db *sqldb.DB) *sqldb.Migrator {
	t.Helper()
	m, err := sqldb.NewMigrator(db, migrations())
	if err != nil {
		t.Fatal(err)
	}
	return m
}

func applied(t *testing.T, m *sqldb.Migrator) (n int) {
	t.Helper()
	list, err := m.Status(t.Context())
	if err != nil || len(list) != 2 {
		t.Fatalf("status %v, err %v", list, err)
	}
	for _, l := range list {
		if l.Applied {
			n++
		}
	}
	return n
}

func TestMigrateUpTwiceAndDown(t *testing.T) {
	onBoth(t, func(t *testing.T, db *sqldb.DB) {
		m := migrator(t, db)
		if n := applied(t, m); n != 0 {
			t.Errorf("%d applied before the start", n)
		}
		for _, want := range []int{2, 0} {
			if n, err := m.Up(t.Context()); err != nil || n != want {
				t.Errorf("up: %d, %v; want %d", n, err, want)
			}
		}
		for i, want := range []string{"00002_second.sql", "00001_first.sql", ""} {
			if name, err := m.Down(t.Context()); err != nil || name != want {
				t.Errorf("down %d: %q, %v; want %q", i, name, err, want)
			}
		}
		if n, err := m.Up(t.Context()); err != nil || n != 2 || applied(t, m) != 2 {
			t.Errorf("up again: %d, %v", n, err)
		}
		if n := number(t, db, "SELECT COUNT(*) FROM first"); n != 1 {
			t.Errorf("%d rows, want 1", n)
		}
	})
}

// TestMigrationForSQLite runs a file that only SQLite understands, and its way back.
func TestMigrationForSQLite(t *testing.T) {
	files := fstest.MapFS{
		"00001_first.sql": {Data: []byte("-- +goose Up\nCREATE TABLE first (id BIGINT PRIMARY KEY);\n-- +goose Down\nDROP TABLE first;\n")},
		"00002_second.sqlite.sql": {Data: []byte("-- +goose Up\nCREATE TABLE second (id BIGINT PRIMARY KEY) WITHOUT ROWID;\n" +
			"-- +goose Down\nDROP TABLE second;\n")},
		"00003_third.sql": {Data: []byte("-- +goose Up\nCREATE TABLE third (id BIGINT PRIMARY KEY);\n-- +goose Down\nDROP TABLE third;\n")},
	}
	onBoth(t, func(t *testing.T, db *sqldb.DB) {
		names := []string{"00003_third.sql", "00002_second.sqlite.sql", "00001_first.sql", ""}
		if db.Dialect() == sqldb.MySQL {
			names = []string{"00003_third.sql", "00001_first.sql", ""}
		}
		m, err := sqldb.NewMigrator(db, files)
		if err != nil {
			t.Fatal(err)
		}
		if n, err := m.Up(t.Context()); err != nil || n != len(names)-1 {
			t.Fatalf("up: %d, %v; want %d", n, err, len(names)-1)
		}
		for i, want := range names {
			if name, err := m.Down(t.Context()); err != nil || name != want {
				t.Errorf("down %d: %q, %v; want %q", i, name, err, want)
			}
		}
	})
}

func TestMigrationThatFailsSaysWhich(t *testing.T) {
	onBoth(t, func(t *testing.T, db *sqldb.DB) {
		bad := fstest.MapFS{"00001_bad.sql": {Data: []byte("-- +goose Up\nNONSENSE;\n-- +goose Down\nSELECT 1;\n")}}
		m, err := sqldb.NewMigrator(db, bad)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := m.Up(t.Context()); err == nil {
			t.Error("no error")
		}
	})
	if _, err := sqldb.NewMigrator(dbtest.SQLite(t), fstest.MapFS{}); err == nil {
		t.Error("a folder without migrations was accepted")
	}
}

func TestReplicasMigrateAtOnce(t *testing.T) {
	dsn := dbtest.MySQLDSN(t)
	var total atomic.Int64
	var wait sync.WaitGroup
	for range 6 {
		wait.Go(func() {
			db, err := sqldb.OpenMySQL(t.Context(), dsn)
			if err != nil {
				t.Error(err)
				return
			}
			defer func() { _ = db.Close() }()
			n, err := migrator(t, db).Up(t.Context())
			if err != nil {
				t.Error(err)
			}
			total.Add(int64(n))
		})
	}
	wait.Wait()
	if total.Load() != 2 {
		t.Errorf("%d migrations applied in all, want 2", total.Load())
	}
}

const envMigrate = "BANYAN_TEST_MIGRATE_DSN"

// TestProcessesMigrateAtOnce starts itself several times over.
func TestProcessesMigrateAtOnce(t *testing.T) {
	if dsn := os.Getenv(envMigrate); dsn != "" {
		migrateAsAReplica(t, dsn)
		return
	}
	dsn := dbtest.MySQLDSN(t)
	var wait sync.WaitGroup
	for range 4 {
		wait.Go(func() {
			cmd := exec.CommandContext(t.Context(), os.Args[0], "-test.run=^TestProcessesMigrateAtOnce$") //nolint:gosec // this test itself
			cmd.Env = append(os.Environ(), envMigrate+"="+dsn)
			if out, err := cmd.CombinedOutput(); err != nil {
				t.Errorf("%v\n%s", err, out)
			}
		})
	}
	wait.Wait()
	db, err := sqldb.OpenMySQL(t.Context(), dsn)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = db.Close() }()
	if n := applied(t, migrator(t, db)); n != 2 {
		t.Errorf("%d applied, want 2", n)
	}
	if n := number(t, db, "SELECT COUNT(*) FROM first"); n != 1 {
		t.Errorf("%d rows, want 1", n)
	}
}

func migrateAsAReplica(t *testing.T, dsn string) {
	t.Helper()
	db, err := sqldb.OpenMySQL(t.Context(), dsn)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = db.Close() }()
	if _, err := migrator(t, db).Up(t.Context()); err != nil {
		t.Fatal(err)
	}
}
