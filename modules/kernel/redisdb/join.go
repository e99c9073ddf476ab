package redisdb

import (
	"context"
	"fmt"

	"github.com/redis/go-redis/v9"
)

// Call is a call of a script that takes the calls of many callers as one: it is given the
// keys of all and then the arguments of all, in the same order, and answers a list with
// the answer or the error of each. It must be able to tell whose is what.
type Call struct {
	Command string // evalsha or eval
	Script  string // its digest or its text
	Keys    []string
	Args    []string

	answer any
	err    error
}

// Join is Once for a call of such a script, and gives its own answer. Callers who come at
// once also share what a call costs. After an error of ctx the call may still be under
// way: c is to be left alone.
func (d *DB) Join(ctx context.Context, c *Call) (any, error) {
	if d.ferry == nil {
		j := joined{cmd: sum(ctx, []*Call{c}), calls: []*Call{c}}
		_ = d.Process(ctx, once{j.cmd})
		j.share()
		return c.answer, c.err
	}
	if err := d.ferry.do(ctx, &passage{call: c, wake: make(chan struct{}, 1)}); err != nil {
		return nil, err
	}
	return c.answer, nil
}

// joined is a command and whose calls it carries, if it is not a caller's own.
type joined struct {
	cmd   *redis.Cmd
	calls []*Call
}

// join makes one command of the calls that may be one.
func join(ctx context.Context, load []*passage) []joined {
	list := make([]joined, 0, len(load))
next:
	for _, p := range load {
		if p.call == nil {
			list = append(list, joined{cmd: p.cmd})
			continue
		}
		for i, j := range list {
			if len(j.calls) > 0 && j.calls[0].Command == p.call.Command && j.calls[0].Script == p.call.Script {
				list[i].calls = append(j.calls, p.call)
				continue next
			}
		}
		list = append(list, joined{calls: append(make([]*Call, 0, len(load)), p.call)})
	}
	for i, j := range list {
		if j.cmd == nil {
			list[i].cmd = sum(ctx, j.calls)
		}
	}
	return list
}

// sum is the call of all keys and all arguments.
func sum(ctx context.Context, calls []*Call) *redis.Cmd {
	const first = 3 // key
	keys, args := 0, 0
	for _, c := range calls {
		keys += len(c.Keys)
		args += len(c.Args)
	}
	all := append(make([]any, 0, first+keys+args), calls[0].Command, calls[0].Script, keys)
	for _, c := range calls {
		for i := range c.Keys {
			all = append(all, &c.Keys[i]) // unlike a string, a pointer needs no memory here
		}
	}
	for _, c := range calls {
		for i := range c.Args {
			all = append(all, &c.Args[i])
		}
	}
	cmd := redis.NewCmd(ctx, all...)
	cmd.SetFirstKeyPos(first)
	return cmd
}

// share gives each call its part of the answer.
func (j joined) share() {
	if len(j.calls) == 0 {
		return
	}
	err := j.cmd.Err()
	parts, ok := j.cmd.Val().([]any)
	if err == nil && (!ok || len(parts) != len(j.calls)) {
		err = fmt.Errorf("redisdb: a script answered %d calls with %v", len(j.calls), j.cmd.Val())
	}
	for i, c := range j.calls {
		if c.err = err; err != nil {
			continue
		}
		if failed, ok := parts[i].(error); ok {
			c.err = failed
		} else {
			c.answer = parts[i]
		}
	}
}
