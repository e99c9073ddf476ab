package redisdb_test

import (
	"strings"
	"sync"
	"testing"
	"time"

	"banyan/modules/kernel/dbtest"
	"banyan/modules/kernel/redisdb"
)

// TestRestarts kills a server behind an open client: whoever gets an answer of the new
// run must find the count raised.
func TestRestarts(t *testing.T) {
	server := dbtest.StartRedis(t)
	db := open(t, redisdb.Options{Addrs: server.Addr})
	for n := int64(0); n < 3; n++ {
		for range 2 {
			var many sync.WaitGroup
			for range 20 {
				many.Go(func() { _ = db.Ping(t.Context()).Err() })
			}
			many.Wait()
			if got := db.Restarts(); got != n {
				t.Fatalf("%d restarts are counted, %d took place", got, n)
			}
		}
		server.Kill9()
		server.Restart()
		for deadline := time.Now().Add(30 * time.Second); ; {
			if db.Ping(t.Context()).Err() == nil {
				break
			}
			if time.Now().After(deadline) {
				t.Fatal("the server does not come back")
			}
		}
		if got := db.Restarts(); got != n+1 {
			t.Fatalf("an answer of run %d, but %d restarts are counted", n+2, got)
		}
	}
}

// TestClusterWithoutRestarts meets every master many times.
func TestClusterWithoutRestarts(t *testing.T) {
	nodes := dbtest.RedisCluster(t)
	for _, addrs := range []string{nodes[0], strings.Join(nodes, ",")} {
		db := open(t, redisdb.Options{Addrs: addrs})
		var many sync.WaitGroup
		for n := range 60 {
			many.Go(func() { _ = db.Get(t.Context(), redisdb.Tag(n*100)).Err() })
		}
		many.Wait()
		if got := db.Restarts(); got != 0 {
			t.Errorf("%d restarts of servers that were there all the time", got)
		}
	}
}
