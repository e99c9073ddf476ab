package redisdb

import (
	"context"
	"sync"

	"github.com/redis/go-redis/v9"
)

// Once runs a command that must not be repeated when its connection breaks. On one
// server, commands of callers who come at once share a round trip; on a Cluster they do
// not, for a dead master would hold up the others. Look at c only if there is no error,
// or an error of Redis itself: after one of ctx the command may still be under way.
func (d *DB) Once(ctx context.Context, c *redis.Cmd) error {
	if d.ferry != nil {
		return d.ferry.do(ctx, &passage{cmd: c, wake: make(chan struct{}, 1)})
	}
	return d.Process(ctx, once{c})
}

type once struct{ *redis.Cmd }

func (once) NoRetry() bool { return true }

// oneRead is how much Redis reads of a connection before it executes and syncs to disk:
// a longer pipeline costs another sync, pipelines on several connections share one.
const oneRead = 16 << 10

// together sends what callers want in as few pipelines as fit oneRead, each on a
// connection of its own; each caller keeps their own answer or error.
func together(ctx context.Context, c *redis.Client, load []*passage) {
	var others sync.WaitGroup
	defer others.Wait()
	list := join(ctx, load)
	for len(list) > 0 {
		n, bytes := 0, 0
		for n < len(list) {
			if bytes += size(list[n].cmd); bytes > oneRead && n > 0 {
				break
			}
			n++
		}
		part := list[:n]
		if list = list[n:]; len(list) > 0 {
			others.Go(func() { pipeline(ctx, c, part) })
		} else {
			pipeline(ctx, c, part)
		}
	}
}

// size estimates the bytes of a command on the wire.
func size(cmd *redis.Cmd) int {
	n := 0
	for _, a := range cmd.Args() {
		n += 7
		switch text := a.(type) {
		case string:
			n += len(text)
		case *string:
			n += len(*text)
		}
	}
	return n
}

func pipeline(ctx context.Context, c *redis.Client, list []joined) {
	if len(list) == 1 {
		_ = c.Process(ctx, list[0].cmd)
	} else {
		pipe := c.Pipeline()
		for _, j := range list {
			_ = pipe.Process(ctx, j.cmd)
		}
		_, _ = pipe.Exec(ctx)
	}
	for _, j := range list {
		j.share()
	}
}
