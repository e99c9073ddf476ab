package main

import (
	"context"
	"errors"
	"io"
	"net"

	"banyan/modules/kernel/service"
)

// front is what serve and proxy begin with.
type front struct {
	svc             *service.Service
	public, private net.Listener
	data            *data
}

// openFront takes the ports first: that fails fast and changes nothing. Then it opens the
// databases for the owner named and brings their schemas up to date.
func openFront(ctx context.Context, s *serveSettings, owner string, stderr io.Writer) (f *front, err error) {
	f = &front{}
	defer func() {
		if err != nil {
			err = errors.Join(err, f.Close())
		}
	}()
	if f.svc, f.public, err = s.common.Start(ctx, "banyan", stderr); err != nil {
		return f, err
	}
	if f.private, err = service.Listen(ctx, "admin-listen", *s.adminListen); err != nil {
		return f, err
	}
	if f.data, err = openData(ctx, s.data, owner+" on "+f.public.Addr().String()); err != nil {
		return f, err
	}
	return f, f.data.migrate(ctx)
}

// Close gives back what was taken.
func (f *front) Close() (err error) {
	if f.data != nil {
		err = f.data.Close()
	}
	for _, l := range []net.Listener{f.private, f.public} {
		if l != nil {
			_ = l.Close() // a server that ran on it has closed it already
		}
	}
	return err
}
