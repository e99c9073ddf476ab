package redisdb_test

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"banyan/modules/kernel/dbtest"
	"banyan/modules/kernel/redisdb"
)

// TestOnceOfMany sends from many callers, of whom some lose patience: each gets the
// answer to their own command, and what was acknowledged was done, once.
func TestOnceOfMany(t *testing.T) {
	db := open(t, redisdb.Options{Addrs: dbtest.RedisAddr(t), Connections: 4})
	key := dbtest.Namespace()
	var acknowledged, unknown atomic.Int64
	var wg sync.WaitGroup
	for caller := range 200 {
		wg.Go(func() {
			for n := range 20 {
				ctx, cancel := t.Context(), context.CancelFunc(func() {})
				if caller%4 == 0 {
					ctx, cancel = context.WithTimeout(ctx, rand.N(5*time.Millisecond))
				}
				mine := fmt.Sprint(caller, "-", n)
				cmd := redis.NewCmd(ctx, "eval", "redis.call('INCR', KEYS[1]) return ARGV[1]", 1, key, mine)
				err := db.Once(ctx, cmd)
				cancel()
				switch {
				case err == nil && cmd.Val() != mine:
					t.Errorf("asked %s, was answered %v", mine, cmd.Val())
				case err == nil:
					acknowledged.Add(1)
				case errors.Is(err, context.DeadlineExceeded):
					unknown.Add(1)
				default:
					t.Error(err)
				}
			}
		})
	}
	wg.Wait()
	time.Sleep(500 * time.Millisecond) // those under way when their callers left
	done, err := db.Get(t.Context(), key).Int64()
	if err != nil || done < acknowledged.Load() || done > acknowledged.Load()+unknown.Load() || acknowledged.Load() < 3000 {
		t.Errorf("%d done, %d acknowledged, %d unknown, %v", done, acknowledged.Load(), unknown.Load(), err)
	}
	cmd := redis.NewCmd(t.Context(), "incr", key)
	if err := db.Once(t.Context(), cmd); err != nil || cmd.Val() != done+1 {
		t.Errorf("afterwards: %v, %v", cmd.Val(), err)
	}
}

// TestOnceFailsWithTheServer checks that nobody waits for ever on a server that died.
func TestOnceFailsWithTheServer(t *testing.T) {
	server := dbtest.StartRedis(t)
	db := open(t, redisdb.Options{Addrs: server.Addr})
	var wg sync.WaitGroup
	var failed atomic.Int64
	for range 50 {
		wg.Go(func() {
			for range 100 {
				if err := db.Once(t.Context(), redis.NewCmd(t.Context(), "incr", "n")); err != nil {
					failed.Add(1)
				}
			}
		})
	}
	time.Sleep(5 * time.Millisecond)
	server.Kill9()
	wg.Wait()
	if failed.Load() == 0 {
		t.Error("every command went through: the server died too late")
	}
	server.Restart()
	var err error
	for range 30 { // the pool looks for the server once a second
		if err = db.Once(t.Context(), redis.NewCmd(t.Context(), "incr", "n")); err == nil {
			return
		}
		time.Sleep(100 * time.Millisecond)
	}
	t.Errorf("after the restart: %v", err)
}
