package redisdb

import (
	"context"

	"github.com/redis/go-redis/v9"
)

// scanned is about how many keys or fields are asked for at once.
const scanned = 500

// EachHash calls fn for the hashes whose keys match a glob, with fields and values in
// turn, a part of a hash at a time; pairs is nil for a key that is no hash. As SCAN does,
// it may give again what changes meanwhile. It stops at an error of fn. errs: Unavailable.
func (d *DB) EachHash(ctx context.Context, match string, fn func(key string, pairs []string) error) error {
	return d.EachMaster(ctx, func(ctx context.Context, c *redis.Client) error {
		for cursor := uint64(0); ; {
			keys, next, err := c.Scan(ctx, cursor, match, scanned).Result()
			if err != nil {
				return Fail(err)
			}
			for _, key := range keys {
				if err := eachPart(ctx, c, key, fn); err != nil {
					return err
				}
			}
			if cursor = next; cursor == 0 {
				return nil
			}
		}
	})
}

func eachPart(ctx context.Context, c *redis.Client, key string, fn func(key string, pairs []string) error) error {
	for cursor := uint64(0); ; {
		pairs, next, err := c.HScan(ctx, key, cursor, "", scanned).Result()
		if redis.HasErrorPrefix(err, "WRONGTYPE") {
			return fn(key, nil)
		}
		if err != nil {
			return Fail(err)
		}
		if err := fn(key, pairs); err != nil {
			return err
		}
		if cursor = next; cursor == 0 {
			return nil
		}
	}
}
