package redisstore

import (
	"context"
	"errors"

	"github.com/redis/go-redis/v9"
)

// Bounds of one round trip to each server. The server answers others between the
// commands of some 16 KB; the client waits for a whole pipeline no longer than for one
// command.
const (
	callsAtOnce  = 250
	bytesAtOnce  = 4 << 20
	fencesAtOnce = 1000
)

// call is a script's work on one bucket.
type call struct {
	bucket int
	args   []any
	bytes  int // roughly, of args
}

// once is a command that the client library must not repeat when its connection breaks,
// nor a pipeline that has it.
type once struct{ *redis.Cmd }

// NoRetry tells the library so.
func (once) NoRetry() bool { return true }

// runEach runs a script on many buckets, those of a bucket in their order, and gives the
// answers in the order of the calls. Nothing is sent twice, except to a server that says
// it does not know the script and so has done nothing. After an error the outcome of
// every call is unknown.
func (s *Store) runEach(ctx context.Context, sc script, calls []call) ([]any, error) {
	run, err := s.vouch(ctx)
	if err != nil {
		return nil, err
	}
	answers := make([]any, len(calls))
	for from := 0; from < len(calls); {
		to, bytes := from, 0
		for to < len(calls) && to-from < callsAtOnce && (to == from || bytes+calls[to].bytes <= bytesAtOnce) {
			bytes += calls[to].bytes
			to++
		}
		unknown, err := s.trip(ctx, sc, calls[from:to], answers[from:to])
		if err != nil {
			return nil, err
		}
		if len(unknown) > 0 {
			if err := s.again(ctx, sc, calls[from:to], answers[from:to], unknown); err != nil {
				return nil, err
			}
		}
		from = to
	}
	return answers, s.same(run)
}

// again repeats the calls of servers that did not know the script.
func (s *Store) again(ctx context.Context, sc script, calls []call, answers []any, unknown []int) error {
	if err := s.teach(ctx, sc); err != nil {
		return err
	}
	rest, late := make([]call, len(unknown)), make([]any, len(unknown))
	for i, n := range unknown {
		rest[i] = calls[n]
	}
	still, err := s.trip(ctx, sc, rest, late)
	if err == nil && len(still) > 0 {
		err = errors.New("redisstore: Redis forgets its scripts at once")
	}
	for i, n := range unknown {
		answers[n] = late[i]
	}
	return err
}

// trip sends calls in one pipeline to each server. It tells which ones met a server that
// does not know the script.
func (s *Store) trip(ctx context.Context, sc script, calls []call, answers []any) (unknown []int, err error) {
	pipe := s.db.Pipeline()
	commands := make([]*redis.Cmd, len(calls))
	for i, c := range calls {
		args := make([]any, 0, 4+len(c.args))
		args = append(append(args, "evalsha", sc.digest, 1, s.buckets[c.bucket]), c.args...)
		commands[i] = redis.NewCmd(ctx, args...)
		commands[i].SetFirstKeyPos(3)
		if err := pipe.Process(ctx, once{commands[i]}); err != nil {
			return nil, err
		}
	}
	_, sent := pipe.Exec(ctx)
	for i, c := range commands {
		switch err := c.Err(); {
		case redis.HasErrorPrefix(err, "NOSCRIPT"):
			unknown = append(unknown, i)
		case err != nil:
			return nil, err
		default:
			answers[i] = c.Val()
		}
	}
	if len(unknown) == 0 {
		return nil, sent // all answered: nothing but an error of the pipeline itself
	}
	return unknown, nil
}
