package dbtest_test

import (
	"context"
	"strings"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"banyan/modules/kernel/dbtest"
	"banyan/modules/kernel/sqldb"
)

func TestSQLitesAreSeparate(t *testing.T) {
	for range 2 {
		create(t, dbtest.SQLite(t))
	}
}

func TestSchemasAreSeparate(t *testing.T) {
	for range 2 {
		create(t, dbtest.MySQL(t))
	}
}

func TestSchemaIsDroppedWithItsRelatives(t *testing.T) {
	var schema string
	watch := dbtest.MySQL(t)
	t.Run("user", func(t *testing.T) {
		db := dbtest.MySQL(t)
		if err := db.Reader().GetContext(t.Context(), &schema, "SELECT DATABASE()"); err != nil {
			t.Fatal(err)
		}
		if _, err := db.Writer().ExecContext(t.Context(), "CREATE DATABASE "+schema+"_flights"); err != nil {
			t.Fatal(err)
		}
	})
	var left int
	err := watch.Reader().GetContext(t.Context(), &left,
		"SELECT COUNT(*) FROM information_schema.schemata WHERE LEFT(schema_name, ?) = ?", len(schema), schema)
	if err != nil || left != 0 {
		t.Errorf("%d schemas left, err %v", left, err)
	}
}

func TestMariaDBKeepsItsDataOverKill9(t *testing.T) {
	server := dbtest.StartMariaDB(t)
	db, err := sqldb.OpenMySQL(t.Context(), server.DSN)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = db.Close() })
	create(t, db)
	server.Kill9()
	if err := db.Ping(t.Context()); err == nil {
		t.Fatal("a killed server answered")
	}
	server.Restart()
	if n := count(t, db); n != 1 {
		t.Errorf("%d rows after the restart, want 1", n)
	}
}

func TestRedisKeepsItsDataOverKill9(t *testing.T) {
	server := dbtest.StartRedis(t)
	c := connect(t, server.Addr)
	if err := c.Set(t.Context(), "k", "v", 0).Err(); err != nil {
		t.Fatal(err)
	}
	server.Kill9()
	server.Restart()
	if v, err := c.Get(t.Context(), "k").Result(); v != "v" {
		t.Errorf("after the restart: %q, %v", v, err)
	}
}

func TestSharedRedisSyncsEveryWrite(t *testing.T) {
	c := connect(t, dbtest.RedisAddr(t))
	key := dbtest.Namespace()
	t.Cleanup(func() { c.Del(context.WithoutCancel(t.Context()), key) })
	if err := c.Set(t.Context(), key, "v", 0).Err(); err != nil {
		t.Fatal(err)
	}
	info, err := c.ConfigGet(t.Context(), "append*").Result()
	if err != nil || info["appendonly"] != "yes" || info["appendfsync"] != "always" {
		t.Errorf("settings %v, err %v", info, err)
	}
}

func TestClusterServesAllSlots(t *testing.T) {
	addrs := dbtest.RedisCluster(t)
	if len(addrs) != 3 {
		t.Fatalf("addresses %v", addrs)
	}
	c := redis.NewClusterClient(&redis.ClusterOptions{Addrs: addrs})
	t.Cleanup(func() { _ = c.Close() })
	ns := dbtest.Namespace()
	for _, tag := range strings.Split("abcdefghij", "") {
		if err := c.Set(t.Context(), ns+"{"+tag+"}", 1, time.Minute).Err(); err != nil {
			t.Fatal(err)
		}
	}
}

func connect(t *testing.T, addr string) *redis.Client {
	t.Helper()
	c := redis.NewClient(&redis.Options{Addr: addr})
	t.Cleanup(func() { _ = c.Close() })
	return c
}

func create(t *testing.T, db *sqldb.DB) {
	t.Helper()
	if _, err := db.Writer().ExecContext(t.Context(), "CREATE TABLE things (id BIGINT PRIMARY KEY)"); err != nil {
		t.Fatal(err)
	}
	err := db.Do(t.Context(), func(tx *sqldb.Tx) error {
		return tx.Run(t.Context(), sqldb.S("INSERT INTO things (id) VALUES (?)", 1))
	})
	if err != nil {
		t.Fatal(err)
	}
	if n := count(t, db); n != 1 {
		t.Fatalf("%d rows, want 1", n)
	}
}

func count(t *testing.T, db *sqldb.DB) int {
	t.Helper()
	var n int
	if err := db.Reader().GetContext(t.Context(), &n, "SELECT COUNT(*) FROM things"); err != nil {
		t.Fatal(err)
	}
	return n
}
