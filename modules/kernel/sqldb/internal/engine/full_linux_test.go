package engine_test

import (
	"database/sql"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"syscall"
	"testing"

	"banyan/modules/kernel/sqldb/internal/engine"
)

const envFull = "BANYAN_TEST_FULL"

// TestACommitThatFindsNoRoomFails starts itself with a bound on the size of files, commits
// beyond it, and goes on when there is room again.
func TestACommitThatFindsNoRoomFails(t *testing.T) {
	if path := os.Getenv(envFull); path != "" {
		fillUp(t, path)
		return
	}
	cmd := exec.CommandContext(t.Context(), os.Args[0], "-test.run=^TestACommitThatFindsNoRoomFails$") //nolint:gosec // this test itself
	cmd.Env = append(os.Environ(), envFull+"="+filepath.Join(t.TempDir(), "test.db"))
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Errorf("%v\n%s", err, out)
	}
}

func fillUp(t *testing.T, path string) {
	t.Helper()
	signal.Ignore(syscall.SIGXFSZ) // so that a write beyond the bound is an error
	conn := open(t, path, engine.VFS, "FULL")
	run(t, conn, schema)
	want, failed := 0, 0
	for round := range 40 {
		bound := uint64(1 << 30)
		if round%4 == 3 {
			bound = size(t, path+"-wal") + 100<<10 // amid what is to be written
		}
		limit(t, bound)
		n := 10 + 50*(round%3)
		if round%4 == 3 {
			n = 200
		}
		if err := tryInsert(t.Context(), conn, 1_000*round, n); err != nil {
			failed++
		} else {
			want += n
		}
		checkRows(t, conn, want, round)
	}
	if failed != 10 {
		t.Errorf("%d commits found no room, want 10", failed)
	}
	limit(t, 1<<30)
	checkRows(t, open(t, copied(t, path), plain, "FULL"), want, -1)
}

func checkRows(t *testing.T, conn *sql.Conn, want, round int) {
	t.Helper()
	var n int
	if err := conn.QueryRowContext(t.Context(), "SELECT COUNT(*) FROM things WHERE length(body)=1000").Scan(&n); err != nil || n != want {
		t.Fatalf("round %d: %d rows, want %d: %v", round, n, want, err)
	}
	if sound := text(t, conn, "PRAGMA integrity_check"); sound != "ok" {
		t.Fatalf("round %d: %s", round, sound)
	}
}

func size(t *testing.T, path string) uint64 {
	t.Helper()
	info, err := os.Stat(path)
	if err != nil {
		t.Fatal(err)
	}
	return uint64(info.Size()) //nolint:gosec // not negative
}

// limit bounds the size of files that this process writes.
func limit(t *testing.T, bytes uint64) {
	t.Helper()
	var l syscall.Rlimit
	if err := syscall.Getrlimit(syscall.RLIMIT_FSIZE, &l); err != nil {
		t.Fatal(err)
	}
	l.Cur = min(bytes, l.Max)
	if err := syscall.Setrlimit(syscall.RLIMIT_FSIZE, &l); err != nil {
		t.Fatal(err)
	}
}
