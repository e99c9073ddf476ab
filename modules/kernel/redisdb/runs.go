package redisdb

import (
	"context"
	"strings"
	"sync"

	"github.com/redis/go-redis/v9"
)

// runs knows which run of each server was met last. A server that ended and came back has
// another run id, and may have less than it acknowledged.
type runs struct {
	mu       sync.Mutex
	of       map[string]string // run id by node of a Cluster, "" on one server
	complete bool              // all servers were met
	others   int64
}

// meet asks a new connection, before anything is sent on it, which run it leads to. A
// server that does not tell is not followed.
func (r *runs) meet(ctx context.Context, cn *redis.Conn) error {
	info, err := cn.Info(ctx, "server").Result()
	if refused(err) {
		return nil
	}
	if err != nil {
		return err
	}
	node := ""
	if strings.Contains(info, "redis_mode:cluster") {
		if node, err = cn.ClusterMyID(ctx).Result(); refused(err) {
			return nil
		}
		if err != nil {
			return err
		}
	}
	_, rest, _ := strings.Cut(info, "run_id:")
	run, _, _ := strings.Cut(rest, "\r\n")
	r.mu.Lock()
	defer r.mu.Unlock()
	was, known := r.of[node]
	if known && was != run || !known && r.complete {
		r.others++
	}
	r.of[node] = run
	return nil
}

// settle says that whoever is met from now on was not there at first.
func (r *runs) settle() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.complete = true
}

// Restarts counts how often a connection led to another run of a server than those
// before, or to a server of the Cluster that was not there at first, such as a replica
// that took over. It rises before anything is sent to that server: whoever finds the
// count unchanged after an answer has it from a server that has been there since.
func (d *DB) Restarts() int64 {
	d.runs.mu.Lock()
	defer d.runs.mu.Unlock()
	return d.runs.others
}
