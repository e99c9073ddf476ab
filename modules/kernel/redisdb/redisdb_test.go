package redisdb_test

import (
	"context"
	"strings"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"banyan/modules/kernel/dbtest"
	"banyan/modules/kernel/errs"
	"banyan/modules/kernel/redisdb"
)

func open(t *testing.T, o redisdb.Options) *redisdb.DB {
	t.Helper()
	db, err := redisdb.Open(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = db.Close() })
	return db
}

func TestOpenFindsOutWhatItTalksTo(t *testing.T) {
	nodes := dbtest.RedisCluster(t)
	for _, c := range []struct {
		name, addrs string
		masters     int
	}{
		{"one server", dbtest.RedisAddr(t), 1},
		{"a cluster by one seed", nodes[0], len(nodes)},
		{"a cluster by all seeds", strings.Join(nodes, " , "), len(nodes)},
	} {
		t.Run(c.name, func(t *testing.T) {
			db, masters := open(t, redisdb.Options{Addrs: c.addrs}), 0
			if err := db.EachMaster(t.Context(), func(context.Context, *redis.Client) error { masters++; return nil }); err != nil {
				t.Fatal(err)
			}
			if masters != c.masters {
				t.Errorf("%d masters, want %d", masters, c.masters)
			}
			if err := db.CheckDurable(t.Context()); err != nil {
				t.Error(err)
			}
		})
	}
}

func TestOpenRefuses(t *testing.T) {
	addr := dbtest.RedisAddr(t)
	for _, c := range []struct {
		name, addrs string
		code        errs.Code
		says        string
	}{
		{"no address", "", errs.Invalid, "host:port"},
		{"no port", "localhost", errs.Invalid, "host:port"},
		{"nobody there", "127.0.0.1:1", errs.Unavailable, "Redis"},
		{"seeds that are no cluster", addr + "," + addr, errs.Invalid, "one address"},
	} {
		t.Run(c.name, func(t *testing.T) {
			_, err := redisdb.Open(t.Context(), redisdb.Options{Addrs: c.addrs, DialTimeout: time.Second})
			if errs.CodeOf(err) != c.code || !strings.Contains(err.Error(), c.says) {
				t.Errorf("got %v, want code %s and %q", err, c.code, c.says)
			}
		})
	}
}

// TestCheckDurable changes the settings of a running server one by one.
func TestCheckDurable(t *testing.T) {
	db := open(t, redisdb.Options{Addrs: dbtest.StartRedis(t).Addr})
	for _, c := range []struct{ setting, bad, good string }{
		{"appendfsync", "everysec", "always"},
		{"appendfsync", "no", "always"},
		{"no-appendfsync-on-rewrite", "yes", "no"},
		{"maxmemory-policy", "allkeys-lru", "noeviction"},
		{"maxmemory-policy", "volatile-ttl", "noeviction"},
		{"appendonly", "no", "yes"},
	} {
		t.Run(c.setting+" "+c.bad, func(t *testing.T) {
			set(t, db, c.setting, c.bad)
			defer set(t, db, c.setting, c.good)
			err := db.CheckDurable(t.Context())
			if errs.CodeOf(err) != errs.Unsafe {
				t.Fatalf("got %v", err)
			}
			for _, says := range []string{c.setting + " " + c.bad, "\n  " + c.setting + " " + c.good + "\n", "CONFIG SET " + c.setting + " " + c.good, "--accept-data-loss"} {
				if !strings.Contains(err.Error(), says) {
					t.Errorf("%v\ndoes not say %q", err, says)
				}
			}
		})
	}
	if err := db.CheckDurable(t.Context()); err != nil {
		t.Error(err)
	}
}

func set(t *testing.T, db *redisdb.DB, setting, value string) {
	t.Helper()
	if err := db.ConfigSet(t.Context(), setting, value).Err(); err != nil {
		t.Fatal(err)
	}
}

func TestCheckDurableWithoutConfig(t *testing.T) {
	addr := dbtest.StartRedis(t).Addr
	admin := open(t, redisdb.Options{Addrs: addr})
	if err := admin.Do(t.Context(), "ACL", "SETUSER", "app", "on", ">secret", "~*", "+@all", "-config").Err(); err != nil {
		t.Fatal(err)
	}
	db := open(t, redisdb.Options{Addrs: addr, Username: "app", Password: "secret"})
	err := db.CheckDurable(t.Context())
	if errs.CodeOf(err) != errs.Unsafe || !strings.Contains(err.Error(), "appendfsync always") || !strings.Contains(err.Error(), "--accept-data-loss") {
		t.Errorf("got %v", err)
	}
	if _, err := redisdb.Open(t.Context(), redisdb.Options{Addrs: addr, Username: "app", Password: "wrong"}); errs.CodeOf(err) != errs.Unavailable {
		t.Errorf("wrong password: %v", err)
	}
}

// TestOnceIsSentOnce lets the client give up on a slow script: what the server then
// still does must have been sent a single time.
func TestOnceIsSentOnce(t *testing.T) {
	for _, c := range []struct{ name, addrs string }{
		{"standalone", dbtest.StartRedis(t).Addr}, {"cluster", strings.Join(dbtest.RedisCluster(t), ",")},
	} {
		t.Run(c.name, func(t *testing.T) {
			key := dbtest.Namespace() + "{b0001}"
			db := open(t, redisdb.Options{Addrs: c.addrs})
			hasty := open(t, redisdb.Options{Addrs: c.addrs, Timeout: 50 * time.Millisecond})
			if err := hasty.Get(t.Context(), key).Err(); err != nil && err != redis.Nil { //nolint:errorlint // never wrapped
				t.Fatal(err)
			}
			slow := redis.NewCmd(t.Context(), "eval", "for i = 1, 20000000 do end return redis.call('INCR', KEYS[1])", 1, key)
			slow.SetFirstKeyPos(3)
			if err := hasty.Once(t.Context(), slow); err == nil {
				t.Skip("the server was faster than the client's patience")
			}
			time.Sleep(time.Second)
			if n, err := db.Get(t.Context(), key).Int(); n != 1 || err != nil {
				t.Errorf("done %d times, %v", n, err)
			}
		})
	}
}
