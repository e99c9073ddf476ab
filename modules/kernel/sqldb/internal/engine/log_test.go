package engine_test

import (
	"bytes"
	"context"
	"database/sql"
	"encoding/binary"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"testing"

	_ "modernc.org/sqlite"

	"banyan/modules/kernel/sqldb/internal/engine"
)

// plain is SQLite as it is.
const plain = ""

// open gives one connection to a database whose cache holds few pages, so that what is
// larger goes to the log before the commit.
func open(t *testing.T, path, vfs, synchronous string) *sql.Conn {
	t.Helper()
	if err := engine.Install(); err != nil {
		t.Fatal(err)
	}
	dsn := "file:" + path + "?_pragma=journal_mode(WAL)&_pragma=wal_autocheckpoint(0)&_pragma=cache_size(20)&_pragma=synchronous(" + synchronous + ")"
	if vfs != plain {
		dsn += "&vfs=" + vfs
	}
	pool, err := sql.Open("sqlite", dsn)
	if err != nil {
		t.Fatal(err)
	}
	conn, err := pool.Conn(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _, _ = conn.Close(), pool.Close() })
	return conn
}

func run(t *testing.T, conn *sql.Conn, statements ...string) {
	t.Helper()
	for _, s := range statements {
		if _, err := conn.ExecContext(t.Context(), s); err != nil {
			t.Fatalf("%s: %v", s, err)
		}
	}
}

func text(t *testing.T, conn *sql.Conn, query string) (answer string) {
	t.Helper()
	if err := conn.QueryRowContext(t.Context(), query).Scan(&answer); err != nil {
		t.Fatalf("%s: %v", query, err)
	}
	return answer
}

const schema = "CREATE TABLE things (id INTEGER PRIMARY KEY, body TEXT NOT NULL)"

// many inserts n rows of 1,000 bytes from an id on.
func many(from, n int) string {
	return fmt.Sprintf("WITH RECURSIVE c(i) AS (SELECT %d UNION ALL SELECT i+1 FROM c WHERE i<%d) "+
		"INSERT INTO things SELECT i, printf('%%0*d', 1000, i) FROM c", from, from+n-1)
}

// workload has commits of one page and of more than the buffer, spills, rollbacks of them,
// whole and in part, and pages that a transaction writes to the log twice.
func workload(t *testing.T, conn *sql.Conn) {
	t.Helper()
	run(t, conn, schema, many(1, 1), many(1_000, 400))
	run(t, conn, "BEGIN", many(5_000, 200), "ROLLBACK", many(2, 3))
	run(t, conn, "BEGIN", many(10_000, 60), "SAVEPOINT half", many(20_000, 90), "ROLLBACK TO half", many(30_000, 40),
		"UPDATE things SET body=body||'x' WHERE id%3=0", "UPDATE things SET body=body||'y' WHERE id%7=0", "COMMIT")
	run(t, conn, "DELETE FROM things WHERE id BETWEEN 1100 AND 1300", many(40_000, 1))
	run(t, conn, "PRAGMA wal_checkpoint(PASSIVE)", many(50_000, 100), "UPDATE things SET body='z' WHERE id=1")
}

// TestTheLogIsWhatSQLiteWrites compares the frames of the logs, but for their random salt
// and the sums that depend on it.
func TestTheLogIsWhatSQLiteWrites(t *testing.T) {
	for _, synchronous := range []string{"FULL", "NORMAL", "OFF"} {
		var logs [2][]byte
		for i, vfs := range []string{plain, engine.VFS} {
			t.Run(synchronous+vfs, func(t *testing.T) { // alone: connections share the memory for pages
				path := filepath.Join(t.TempDir(), "test.db")
				conn := open(t, path, vfs, synchronous)
				workload(t, conn)
				logs[i] = frames(t, path+"-wal")
				if sound := text(t, conn, "PRAGMA integrity_check"); sound != "ok" {
					t.Error(sound)
				}
			})
		}
		if len(logs[0]) < 1<<20 || !bytes.Equal(logs[0], logs[1]) {
			t.Errorf("%s: logs of %d and %d bytes differ", synchronous, len(logs[0]), len(logs[1]))
		}
	}
}

// frames is a log without salts and sums.
func frames(t *testing.T, path string) []byte {
	t.Helper()
	log, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	const head, header = 32, 24
	size := header + int(binary.BigEndian.Uint32(log[8:]))
	clear(log[16:head])
	for at := head; at+size <= len(log); at += size {
		clear(log[at+8 : at+header])
	}
	return log
}

// TestWhatIsCommittedIsInTheFiles opens copies of the files, as they are after each
// commit, the way SQLite does after a crash. Without syncs too, which would bring out
// whatever is held back.
func TestWhatIsCommittedIsInTheFiles(t *testing.T) {
	for _, synchronous := range []string{"FULL", "OFF"} {
		path := filepath.Join(t.TempDir(), "test.db")
		conn := open(t, path, engine.VFS, synchronous)
		run(t, conn, schema)
		other := open(t, path, plain, synchronous)
		for n := 1; n <= 20; n++ {
			run(t, conn, many(1_000*n, n*n))
			const sum = "SELECT COUNT(*)||' '||SUM(id*length(body)) FROM things"
			want := text(t, conn, sum)
			crashed := open(t, copied(t, path), plain, synchronous)
			if got := text(t, crashed, sum); got != want {
				t.Fatalf("%s: after commit %d a crash leaves %s, want %s", synchronous, n, got, want)
			}
			if got, sound := text(t, other, sum), text(t, other, "PRAGMA integrity_check"); got != want || sound != "ok" {
				t.Fatalf("%s: after commit %d another connection sees %s, want %s; %s", synchronous, n, got, want, sound)
			}
		}
	}
}

func copied(t *testing.T, path string) string {
	t.Helper()
	to := filepath.Join(t.TempDir(), "copy.db")
	for _, end := range []string{"", "-wal"} {
		if err := copyFile(to+end, path+end); err != nil {
			t.Fatal(err)
		}
	}
	return to
}

func copyFile(to, from string) error {
	in, err := os.Open(from)
	if err != nil {
		return err
	}
	defer func() { _ = in.Close() }()
	out, err := os.Create(to)
	if err != nil {
		return err
	}
	defer func() { _ = out.Close() }()
	_, err = io.Copy(out, in)
	return err
}

// TestWhatIsRolledBackIsForgotten lets another writer use the place in the log where a
// transaction had been that was rolled back.
func TestWhatIsRolledBackIsForgotten(t *testing.T) {
	path := filepath.Join(t.TempDir(), "test.db")
	a := open(t, path, engine.VFS, "FULL")
	run(t, a, schema, many(1, 100))
	b := open(t, path, engine.VFS, "FULL")
	for n := 1; n <= 10; n++ {
		run(t, a, "BEGIN", "UPDATE things SET body=body||'lost'", "ROLLBACK")
		run(t, b, fmt.Sprintf("UPDATE things SET body=body||'%d' WHERE id>%d", n, n))
		const sum = "SELECT group_concat(body) FROM things"
		if got, want := text(t, a, sum), text(t, b, sum); got != want {
			t.Fatalf("round %d: the two connections see different rows", n)
		}
		if sound := text(t, a, "PRAGMA integrity_check"); sound != "ok" {
			t.Fatalf("round %d: %s", n, sound)
		}
	}
}

// tryInsert commits a row and tells how that went.
func tryInsert(ctx context.Context, conn *sql.Conn, from, n int) error {
	_, err := conn.ExecContext(ctx, many(from, n))
	return err
}

// TestWhatIsHeldBackCanBeRead reads pages again, amid a transaction, that had to leave
// memory a moment before and are on their way to the log.
func TestWhatIsHeldBackCanBeRead(t *testing.T) {
	conn := open(t, filepath.Join(t.TempDir(), "test.db"), engine.VFS, "FULL")
	run(t, conn, "PRAGMA cache_size(5)", schema, many(1, 400))
	for from := 1; from < 400; from += 100 {
		run(t, conn, "BEGIN")
		for id := from; id < from+100; id += 4 { // of a page each, about
			run(t, conn, fmt.Sprintf("UPDATE things SET body=substr(body, 2)||'x' WHERE id=%d", id))
		}
		for id := from; id < from+100; id += 4 {
			if end := text(t, conn, fmt.Sprintf("SELECT substr(body, -1) FROM things WHERE id=%d", id)); end != "x" {
				t.Fatalf("row %d is as it was before: %s", id, end)
			}
		}
		run(t, conn, "COMMIT")
	}
	if sound := text(t, conn, "PRAGMA integrity_check"); sound != "ok" {
		t.Error(sound)
	}
}
