package redisstore

import (
	"context"
	"fmt"

	"github.com/redis/go-redis/v9"

	"banyan/modules/kernel/bucket"
	"banyan/modules/kernel/idempotency"
	"banyan/modules/kernel/redisdb"
)

const (
	sweepBuckets = 50   // of one pipeline
	sweepLook    = 5000 // records that a sweep looks at, or one round of the buckets
)

// position is where the next sweep goes on: the buckets under way with their cursors.
type position struct {
	next  int // first bucket not yet begun
	begun []bucketCursor
}

type bucketCursor struct {
	bucket int
	cursor string // of HSCAN
}

// Sweep implements store.Keeper. It goes round the buckets, a bounded number of records
// a call, and remembers where it stopped.
func (s *Store) Sweep(ctx context.Context) (int, error) {
	s.sweepMu.Lock()
	defer s.sweepMu.Unlock()
	removed, looked, begun := 0, 0, 0
	for looked < sweepLook {
		at := &s.sweepAt
		for len(at.begun) < sweepBuckets && begun < bucket.Count {
			at.begun = append(at.begun, bucketCursor{bucket: at.next, cursor: "0"})
			at.next = (at.next + 1) % bucket.Count
			begun++
		}
		if len(at.begun) == 0 {
			break
		}
		r, l, err := s.sweepStep(ctx)
		removed += r
		looked += l
		if err != nil {
			return removed, redisdb.Fail(err)
		}
	}
	return removed, nil
}

// sweepStep does one step in each bucket under way and keeps those that need more.
func (s *Store) sweepStep(ctx context.Context) (removed, looked int, err error) {
	answers, err := s.sweepPipeline(ctx)
	if redis.HasErrorPrefix(err, "NOSCRIPT") {
		if err = s.teach(ctx, s.scripts.sweep); err == nil {
			answers, err = s.sweepPipeline(ctx)
		}
	}
	if err != nil {
		return 0, 0, err
	}
	var more []bucketCursor
	for i, a := range answers {
		fields, ok := a.Val().([]any)
		if !ok || len(fields) != 3 {
			return removed, looked, fmt.Errorf("redisstore: sweep answered %v", a.Val())
		}
		r, _ := fields[0].(int64)
		l, _ := fields[1].(int64)
		removed += int(r)
		looked += int(l)
		if cursor := text(fields[2]); cursor != "" {
			more = append(more, bucketCursor{bucket: s.sweepAt.begun[i].bucket, cursor: cursor})
		}
	}
	s.sweepAt.begun = more
	return removed, looked, nil
}

func (s *Store) sweepPipeline(ctx context.Context) ([]*redis.Cmd, error) {
	pipe := s.db.Pipeline()
	answers := make([]*redis.Cmd, len(s.sweepAt.begun))
	for i, c := range s.sweepAt.begun {
		answers[i] = pipe.EvalSha(ctx, s.scripts.sweep.digest, []string{s.buckets[c.bucket]},
			idempotency.Keep.Microseconds(), c.cursor)
	}
	_, err := pipe.Exec(ctx)
	return answers, err
}
