// Package redisdb opens a Redis, one server or a Cluster, and refuses one that would
// lose writes it has acknowledged.
//
// Nothing is sent twice behind the caller's back: a command whose answer was lost may
// have had its effect, so the client library's retries are off. On a Cluster MOVED and
// ASK answers are followed, for they prove that nothing was done, but the library also
// repeats a command after a broken connection; use Once for what must not be repeated.
package redisdb

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"strings"
	"sync"
	"time"

	"github.com/redis/go-redis/v9"
	"github.com/redis/go-redis/v9/maintnotifications"

	"banyan/modules/kernel/errs"
)

// Options say which Redis and how to reach it. The zero values of the durations and
// of Connections are usable defaults.
type Options struct {
	Addrs       string // host:port, comma-separated; several are the seeds of a Cluster
	Username    string
	Password    string
	TLS         *tls.Config   // nil: no TLS
	DialTimeout time.Duration // 2 s
	Timeout     time.Duration // of one read or write, 3 s; a caller's deadline is kept too
	Connections int           // at most so many per server, 64
}

// DB is a Redis, standalone or Cluster.
type DB struct {
	redis.UniversalClient
	ferry *ferry // nil on a Cluster
	runs  *runs
}

// Open connects. A single address that turns out to be a node of a Cluster is taken as
// its seed.
func Open(ctx context.Context, o Options) (*DB, error) {
	addrs, err := split(o.Addrs)
	if err != nil {
		return nil, err
	}
	quiet()
	base, met := universal(addrs, o), &runs{of: map[string]string{}}
	base.OnConnect = met.meet
	if len(addrs) > 1 {
		return ping(ctx, cluster(base), met)
	}
	single := redis.NewClient(base.Simple())
	info, err := single.Info(ctx, "cluster").Result()
	if err == nil && strings.Contains(info, "cluster_enabled:1") {
		_ = single.Close()
		return ping(ctx, cluster(base), met)
	}
	return ping(ctx, single, met)
}

// quiet stops the client library from writing lines of its own to the error output;
// what they say comes back as errors.
var quiet = sync.OnceFunc(func() { redis.SetLogger(silent{}) }) //nolint:gochecknoglobals // the library's logger is global

type silent struct{}

func (silent) Printf(context.Context, string, ...any) {}

func split(list string) ([]string, error) {
	var addrs []string
	for a := range strings.SplitSeq(list, ",") {
		a = strings.TrimSpace(a)
		if _, _, err := net.SplitHostPort(a); err != nil {
			return nil, errs.E(errs.Invalid, "Redis address %q: give host:port, several separated by commas", a).Because(err)
		}
		addrs = append(addrs, a)
	}
	return addrs, nil
}

func universal(addrs []string, o Options) *redis.UniversalOptions {
	u := &redis.UniversalOptions{
		Addrs: addrs, Username: o.Username, Password: o.Password, TLSConfig: o.TLS,
		DialTimeout: o.DialTimeout, ReadTimeout: o.Timeout, WriteTimeout: o.Timeout,
		PoolSize: o.Connections, ContextTimeoutEnabled: true,
		MaxRetries: -1, DialerRetries: 1,
		Protocol: 2, DisableIdentity: true, // nothing of RESP3 is used, and its push messages cost a look at every answer
		MaintNotificationsConfig: &maintnotifications.Config{Mode: maintnotifications.ModeDisabled},
	}
	if u.DialTimeout == 0 {
		u.DialTimeout = 2 * time.Second
	}
	if u.ReadTimeout == 0 {
		u.ReadTimeout, u.WriteTimeout = 3*time.Second, 3*time.Second
	}
	if u.PoolSize == 0 {
		u.PoolSize = 64
	}
	return u
}

func cluster(u *redis.UniversalOptions) redis.UniversalClient {
	o := u.Cluster()
	o.DisableRoutingPolicies = true // every command names its key; no fan-out wanted
	return redis.NewClusterClient(o)
}

func ping(ctx context.Context, c redis.UniversalClient, met *runs) (*DB, error) {
	if err := c.Ping(ctx).Err(); err != nil {
		_ = c.Close()
		if strings.Contains(err.Error(), "cluster support disabled") {
			return nil, errs.E(errs.Invalid, "several Redis addresses are the seeds of a Cluster, but this server is none; give one address").Because(err)
		}
		return nil, Fail(err)
	}
	d := &DB{UniversalClient: c, runs: met}
	// A master that is away will be met later, and counts as another one then.
	_ = d.EachMaster(ctx, func(ctx context.Context, c *redis.Client) error { return c.Ping(ctx).Err() })
	met.settle()
	if single, ok := c.(*redis.Client); ok {
		d.ferry = &ferry{send: func(ctx context.Context, load []*passage) { together(ctx, single, load) }}
	}
	return d, nil
}

// Fail makes an error of Redis one of ours: errs.Unavailable, with the cause for the
// log. Our own errors pass as they are. A write that fails so may have happened.
func Fail(err error) error {
	if err == nil {
		return nil
	}
	if e := (*errs.Error)(nil); errors.As(err, &e) {
		return err
	}
	return errs.E(errs.Unavailable, "Redis gave no usable answer; try again").Because(err)
}

// Tag is the hash tag of a bucket, such as {b0042}: keys that carry it share a slot of
// a Cluster, so that one script may touch all of them.
func Tag(bucket int) string { return fmt.Sprintf("{b%04d}", bucket) }

// EachMaster calls fn for the server, or for every master of the Cluster, one by one.
func (d *DB) EachMaster(ctx context.Context, fn func(ctx context.Context, c *redis.Client) error) error {
	switch c := d.UniversalClient.(type) {
	case *redis.ClusterClient:
		turn := make(chan struct{}, 1)
		return c.ForEachMaster(ctx, func(ctx context.Context, node *redis.Client) error {
			turn <- struct{}{}
			defer func() { <-turn }()
			return fn(ctx, node)
		})
	case *redis.Client:
		return fn(ctx, c)
	}
	return errs.E(errs.Internal, "redisdb: unknown client %T", d.UniversalClient)
}
