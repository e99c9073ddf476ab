// Package dbtest gives tests real databases: SQLite files, schemas on a private
// MariaDB, a private Redis and a private Redis Cluster. Servers start when the first
// test of a process asks, keep their data below the temporary directory, listen on the
// loopback only and end with the process, whichever way it ends.
//
// BANYAN_TEST_MYSQL_DSN (user:password@tcp(host:port)/) and BANYAN_TEST_REDIS_ADDR
// (host:port) name servers to use instead. They are never flushed: tests get a schema,
// or a key namespace, of their own.
//
// A server that is not installed skips the test; with CI set it fails it.
package dbtest

import (
	"context"
	"crypto/rand"
	"database/sql"
	"encoding/hex"
	"fmt"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/go-sql-driver/mysql"

	"banyan/modules/kernel/sqldb"
)

// The environment's names for servers that are there already.
const (
	EnvMySQL = "BANYAN_TEST_MYSQL_DSN"
	EnvRedis = "BANYAN_TEST_REDIS_ADDR"
)

// One server of a kind serves all tests of the process; starting one costs a second.
//
//nolint:gochecknoglobals // set once, by the first test that asks
var (
	sharedMariaDB = sync.OnceValues(func() (*instance, error) { return startMariaDB() })
	sharedRedis   = sync.OnceValues(func() (*instance, error) { return startRedis() })
	sharedCluster = sync.OnceValues(startCluster)
)

// SQLite opens a new database in a temporary file.
func SQLite(t testing.TB) *sqldb.DB {
	t.Helper()
	db, err := sqldb.OpenSQLite(t.Context(), filepath.Join(t.TempDir(), "test.db"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = db.Close() })
	return db
}

// MySQL opens a new, empty schema.
func MySQL(t testing.TB) *sqldb.DB {
	t.Helper()
	db, err := sqldb.OpenMySQL(t.Context(), MySQLDSN(t))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = db.Close() })
	return db
}

// MySQLDSN names a new, empty schema. It is dropped at the test's end, with those
// whose names begin with its name and an underscore.
func MySQLDSN(t testing.TB) string {
	t.Helper()
	base := os.Getenv(EnvMySQL)
	if base == "" {
		server, err := sharedMariaDB()
		need(t, err)
		base = server.dsn
	}
	cfg, err := mysql.ParseDSN(base)
	if err != nil {
		t.Fatalf("%s: %v", EnvMySQL, err)
	}
	cfg.DBName = ""
	root := cfg.FormatDSN()
	cfg.DBName = "banyan_test_" + random()
	if err := execute(t.Context(), root, "CREATE DATABASE "+cfg.DBName); err != nil {
		t.Fatalf("new schema: %v", err)
	}
	t.Cleanup(func() { dropSchemas(t, root, cfg.DBName) })
	return cfg.FormatDSN()
}

// RedisAddr gives the address of a Redis that syncs every write to disk. Other tests
// use it too: prefix keys with Namespace, and never flush it.
func RedisAddr(t testing.TB) string {
	t.Helper()
	if addr := os.Getenv(EnvRedis); addr != "" {
		return addr
	}
	server, err := sharedRedis()
	need(t, err)
	return server.addr
}

// RedisCluster gives the addresses of three masters that share the slots; as with
// RedisAddr, other tests use them too.
func RedisCluster(t testing.TB) []string {
	t.Helper()
	nodes, err := sharedCluster()
	need(t, err)
	addrs := make([]string, len(nodes))
	for n, node := range nodes {
		addrs[n] = node.addr
	}
	return addrs
}

// Namespace gives a key prefix that no other test has.
func Namespace() string { return "test-" + random() }

// need ends a test whose server did not start.
func need(t testing.TB, err error) {
	t.Helper()
	if err == nil {
		return
	}
	if missing(err) && os.Getenv("CI") == "" {
		t.Skipf("SKIPPED, NOT TESTED: %v", err)
	}
	t.Fatal(err)
}

func random() string {
	var b [8]byte
	_, _ = rand.Read(b[:]) // never fails
	return hex.EncodeToString(b[:])
}

func execute(ctx context.Context, dsn, query string) error {
	pool, err := sql.Open("mysql", dsn)
	if err != nil {
		return err
	}
	defer func() { _ = pool.Close() }()
	ctx, cancel := context.WithTimeout(ctx, 30*time.Second)
	defer cancel()
	_, err = pool.ExecContext(ctx, query)
	return err
}

func dropSchemas(t testing.TB, root, schema string) {
	ctx := context.WithoutCancel(t.Context())
	pool, err := sql.Open("mysql", root)
	if err != nil {
		return
	}
	defer func() { _ = pool.Close() }()
	var names []string
	rows, err := pool.QueryContext(ctx,
		"SELECT schema_name FROM information_schema.schemata WHERE schema_name = ? OR LEFT(schema_name, ?) = ?",
		schema, len(schema)+1, schema+"_")
	if err != nil {
		return // a crash test may have left the server down
	}
	defer func() { _ = rows.Close() }()
	for rows.Next() {
		var name string
		if rows.Scan(&name) == nil {
			names = append(names, name)
		}
	}
	if err := rows.Err(); err != nil {
		t.Logf("schemas left behind: %v", err)
	}
	for _, name := range names {
		if err := execute(ctx, root, fmt.Sprintf("DROP DATABASE IF EXISTS `%s`", name)); err != nil {
			t.Logf("schema %s left behind: %v", name, err)
		}
	}
}
