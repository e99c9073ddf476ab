package reservationslocal

import (
	"context"

	"banyan/modules/kernel/redisdb"
	"banyan/modules/reservations/internal/redisstore"
)

// NewRedis runs on a Redis, which Close closes. errs: Unsafe when the Redis would lose
// acknowledged writes or its data was made with another bucket hash, Unavailable.
func NewRedis(ctx context.Context, db *redisdb.DB, o Options) (*Service, error) {
	st, err := redisstore.Open(ctx, db, redisstore.Options{Namespace: o.Namespace, Own: o.Own, AcceptDataLoss: o.AcceptDataLoss})
	if err != nil {
		return nil, err
	}
	return New(st, o), nil
}
