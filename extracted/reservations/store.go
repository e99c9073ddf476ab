package main

import (
	"context"
	"errors"

	migrations "banyan/migrations/reservations"
	"banyan/modules/kernel/service"
	"banyan/modules/reservations/reservationslocal"
)

// open opens the store that was chosen; done closes it.
func (s settings) open(ctx context.Context) (seats *reservationslocal.Service, done func() error, err error) {
	options := reservationslocal.Options{AcceptDataLoss: *s.acceptDataLoss, Own: *s.own}
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
