package flightslocal_test

import (
	"bufio"
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"banyan/modules/flights/flightslocal"
	"banyan/modules/kernel/dbtest"
	"banyan/modules/kernel/sqldb"
)

// Environment of the process that TestImportSurvivesKill9 kills.
const (
	envKilledDB  = "BANYAN_TEST_KILLED_DB" // a SQLite file, or a MySQL DSN
	envKilledDir = "BANYAN_TEST_KILLED_DIR"
)

func openNamed(ctx context.Context, name string) (*sqldb.DB, error) {
	if strings.Contains(name, "@") {
		return sqldb.OpenMySQL(ctx, name)
	}
	return sqldb.OpenSQLite(ctx, name)
}

func killedImport(dir string) flightslocal.Import {
	return flightslocal.Import{Dir: dir, Days: 7, From: importDay}
}

// TestKilledImport is the process to be killed: it imports and tells how far it is.
func TestKilledImport(t *testing.T) {
	name := os.Getenv(envKilledDB)
	if name == "" {
		t.Skip("runs as the child of TestImportSurvivesKill9")
	}
	db, err := openNamed(t.Context(), name)
	if err != nil {
		t.Fatal(err)
	}
	in := killedImport(os.Getenv(envKilledDir))
	in.Progress = func(done, _ int) {
		fmt.Printf("done %d\n", done)
		time.Sleep(20 * time.Millisecond) // so that it is killed on the way
	}
	if _, err := flightslocal.New(db).Import(t.Context(), in); err != nil {
		t.Fatal(err)
	}
}

// Killed at several places, the import ends with every flight once, with one event each
// and in one run.
func TestImportSurvivesKill9(t *testing.T) {
	if testing.Short() {
		t.Skip("starts processes")
	}
	dir := smallFolder(t, 600)
	for name, where := range map[string]func(*testing.T) string{
		"sqlite": func(t *testing.T) string { return filepath.Join(t.TempDir(), "flights.db") },
		"mysql":  func(t *testing.T) string { return dbtest.MySQLDSN(t) },
	} {
		t.Run(name, func(t *testing.T) {
			target := where(t)
			db, err := openNamed(t.Context(), target)
			if err != nil {
				t.Fatal(err)
			}
			newService(t, db)
			if err := db.Close(); err != nil {
				t.Fatal(err)
			}
			for _, after := range []int{1, 3, 2} {
				killWhenDone(t, target, dir, after)
			}
			checkAfterKill(t, target, dir)
		})
	}
}

// killWhenDone starts the import and kills it after so many reports of progress.
func killWhenDone(t *testing.T, target, dir string, reports int) {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), os.Args[0], "-test.run=^TestKilledImport$", "-test.v")
	cmd.Env = append(os.Environ(), envKilledDB+"="+target, envKilledDir+"="+dir)
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	lines := bufio.NewScanner(out)
	for lines.Scan() && reports > 0 {
		if strings.HasPrefix(lines.Text(), "done ") {
			reports--
		}
	}
	if reports > 0 {
		t.Fatal("the import ended before it was killed")
	}
	_ = cmd.Process.Kill()
	_ = cmd.Wait()
}

func checkAfterKill(t *testing.T, target, dir string) {
	t.Helper()
	db, err := openNamed(t.Context(), target)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = db.Close() }()
	time.Sleep(300 * time.Millisecond) // a server may still commit what it had got
	stored := count(t, db, "SELECT COUNT(*) FROM flights")
	in := killedImport(dir)
	start := -1
	in.Progress = func(done, _ int) {
		if start < 0 {
			start = done
		}
	}
	report := mustImport(t, flightslocal.New(db), in)
	t.Logf("%d of %d flights were stored when it was killed last", stored, report.Flights)
	if stored == 0 || start != stored || report.New != report.Flights-stored {
		t.Errorf("%d flights were stored, it went on at %d: %+v", stored, start, report)
	}
	if n := count(t, db, "SELECT COUNT(*) FROM flights"); n != report.Flights {
		t.Errorf("%d flights are stored, want %d", n, report.Flights)
	}
	if n := count(t, db, "SELECT COUNT(*) FROM import_runs WHERE done=1"); n != 1 {
		t.Errorf("%d runs are done", n)
	}
	events, err := flightslocal.New(db).Events(t.Context(), 0, 1000)
	if err != nil {
		t.Fatal(err)
	}
	told := 0
	for _, e := range events {
		told += strings.Count(string(e.Data), `"flight_id"`)
	}
	if told != report.Flights {
		t.Errorf("events tell of %d flights, want %d", told, report.Flights)
	}
}
