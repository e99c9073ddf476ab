package main

import (
	"context"
	"errors"

	migrations "banyan/migrations/reservations"
	"banyan/modules/kernel/redisdb"
	"banyan/modules/kernel/service"
	"banyan/modules/reservations/reservationslocal"
)

// open opens the store that was chosen; done closes it.
func (s settings) open(ctx context.Context) (seats *reservationslocal.Service, done func() error, err error) {
	options := reservationslocal.Options{AcceptDataLoss: *s.acceptDataLoss, Own: *s.own, Namespace: *s.redisNamespace}
	if *s.redis != "" {
		return s.openRedis(ctx, options)
	}
	db, err := service.OpenContext(ctx, *s.dsn, "reservations", migrations.FS, *s.migrate)
	if err != nil {
		return nil, nil, err
	}
	seats, err = reservationslocal.NewSQL(ctx, db, options)
	if err != nil {
		return nil, nil, errors.Join(err, db.Close())
	}
	return seats, db.Close, nil
}

func (s settings) openRedis(ctx context.Context, o reservationslocal.Options) (*reservationslocal.Service, func() error, error) {
	reached, err := s.redisFlags.Options(*s.redis)
	if err != nil {
		return nil, nil, err
	}
	db, err := redisdb.Open(ctx, reached)
	if err != nil {
		return nil, nil, err
	}
	seats, err := reservationslocal.NewRedis(ctx, db, o)
	if err != nil {
		return nil, nil, errors.Join(err, db.Close())
	}
	return seats, seats.Close, nil
}
