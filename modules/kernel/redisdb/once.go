package redisdb

import (
	"context"
	"fmt"
	"sync"

	"github.com/redis/go-redis/v9"
)

// Once runs a command that must not be repeated when its connection breaks. On one
// server, commands of callers who come at once share a round trip; on a Cluster they do
// not, for a dead master would hold up the others. Look at c only if there is no error,
// or an error of Redis itself: after one of ctx the command may still be under way.
func (d *DB) Once(ctx context.Context, c *redis.Cmd) error {
	return d.once(ctx, &passage{cmd: c, wake: make(chan struct{}, 1)})
}

// OnceJoined is Once for a call of a script that takes many calls as one: it is given the
// keys of all and then the arguments of all, and answers a list with the answer of each,
// so that callers who come at once also share what a call costs. c is EVAL or EVALSHA as
// it is for one, and gets its own answer, or its own error, out of the list. The script
// must be able to tell whose arguments are whose.
func (d *DB) OnceJoined(ctx context.Context, c *redis.Cmd) error {
	return d.once(ctx, &passage{cmd: c, joins: true, wake: make(chan struct{}, 1)})
}

func (d *DB) once(ctx context.Context, p *passage) error {
	if d.ferry != nil {
		return d.ferry.do(ctx, p)
	}
	err := d.Process(ctx, once{p.cmd})
	if p.joins {
		share([]*passage{p}, p.cmd.Val(), err)
		return p.cmd.Err()
	}
	return err
}

type once struct{ *redis.Cmd }

func (once) NoRetry() bool { return true }

// oneRead is how much Redis reads of a connection before it executes and syncs to disk:
// a longer pipeline costs another sync, pipelines on several connections share one.
const oneRead = 16 << 10

// together sends commands in as few pipelines as fit oneRead, each on a connection of
// its own; each command keeps its own answer or error.
func together(ctx context.Context, c *redis.Client, load []*passage) {
	var others sync.WaitGroup
	defer others.Wait()
	list := join(load)
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

// joined is a command and whose it is.
type joined struct {
	cmd *redis.Cmd
	of  []*passage // who shares its answer; nil: it is a caller's own
}

// Positions in EVAL and EVALSHA.
const (
	scriptAt   = 1
	keyCountAt = 2
	firstKeyAt = 3
)

// join makes one command of the calls that may be one.
func join(load []*passage) []joined {
	list := make([]joined, 0, len(load))
next:
	for _, p := range load {
		if !p.joins {
			list = append(list, joined{cmd: p.cmd})
			continue
		}
		for i := range list {
			if of := list[i].of; of != nil && p.joinable(of[0]) {
				list[i].of = append(of, p)
				continue next
			}
		}
		list = append(list, joined{of: append(make([]*passage, 0, len(load)), p)})
	}
	for i := range list {
		if of := list[i].of; of != nil {
			list[i].cmd = sum(of)
		}
	}
	return list
}

// joinable tells whether two call the same script in the same way.
func (p *passage) joinable(other *passage) bool {
	a, b := p.cmd.Args(), other.cmd.Args()
	return a[0] == b[0] && a[scriptAt] == b[scriptAt]
}

// sum is the call of all keys and all arguments.
func sum(of []*passage) *redis.Cmd {
	n, keys := 0, 0
	for _, p := range of {
		args := p.cmd.Args()
		n += len(args)
		count, _ := args[keyCountAt].(int)
		keys += count
	}
	all := append(make([]any, 0, n), of[0].cmd.Args()[:keyCountAt]...)
	all = append(all, keys)
	for _, p := range of {
		args := p.cmd.Args()
		count, _ := args[keyCountAt].(int)
		all = append(all, args[firstKeyAt:firstKeyAt+count]...)
	}
	for _, p := range of {
		args := p.cmd.Args()
		count, _ := args[keyCountAt].(int)
		all = append(all, args[firstKeyAt+count:]...)
	}
	cmd := redis.NewCmd(context.Background(), all...)
	cmd.SetFirstKeyPos(firstKeyAt)
	return cmd
}

// share gives each its part of a joined call's answer.
func share(of []*passage, answer any, err error) {
	parts, ok := answer.([]any)
	if err == nil && (!ok || len(parts) != len(of)) {
		err = fmt.Errorf("redisdb: a script answered %d calls with %v", len(of), answer)
	}
	for i, p := range of {
		if err != nil {
			p.cmd.SetVal(nil)
			p.cmd.SetErr(err)
			continue
		}
		failed, _ := parts[i].(error)
		p.cmd.SetErr(failed)
		if failed == nil {
			p.cmd.SetVal(parts[i])
		}
	}
}

// size estimates the bytes of a command on the wire.
func size(cmd *redis.Cmd) int {
	n := 0
	for _, a := range cmd.Args() {
		n += 7
		if text, ok := a.(string); ok {
			n += len(text)
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
		if j.of != nil {
			share(j.of, j.cmd.Val(), j.cmd.Err())
		}
	}
}
