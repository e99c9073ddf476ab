package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"time"

	"github.com/spf13/cobra"
	"golang.org/x/sync/errgroup"

	"banyan/modules/kernel/service"
	"banyan/modules/kernel/web"
	"banyan/proxy/admin"
	"banyan/proxy/playbook"
)

func (c *cli) newServeCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use: "serve", Short: "Run every context in one process, with the router in front", Args: cobra.NoArgs,
	}
	s := addServeFlags(cmd.Flags())
	c.checks[cmd] = s.check
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		return serve(cmd.Context(), s, c.Process)
	}
	return cmd
}

// serve runs until ctx ends and then drains.
func serve(ctx context.Context, s *serveSettings, p service.Process) (err error) {
	f, err := openFront(ctx, s, "banyan serve", p.Stderr)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	b, err := wire(ctx, f.svc, f.data, s)
	if err != nil {
		return err
	}
	if *s.sampleData {
		if err := b.flights.LoadSample(ctx, time.Now().UTC()); err != nil {
			return err
		}
	}
	host, err := newPlaybooks(f, s, p.Environ)
	if err != nil {
		return err
	}
	return b.run(ctx, f, s, host, p.Stdout)
}

// run serves on both listeners and keeps the loops going; when one of them fails, all
// stop.
func (b *banyan) run(ctx context.Context, f *front, s *serveSettings, host *playbook.Host, stdout io.Writer) error {
	api, err := admin.New(admin.Options{
		Router: b.router, Usage: b.usage, Listen: f.private.Addr().String(), Token: *s.adminToken, Playbooks: host, Stop: ctx.Done(),
	})
	if err != nil {
		return err
	}
	group, ctx := errgroup.WithContext(ctx)
	group.Go(func() error { return f.svc.Serve(ctx, f.public, b.public, s.common.ServerOptions()) })
	group.Go(func() error { return serveAdmin(ctx, f, s, api) })
	group.Go(func() error { host.Run(ctx); return nil })
	b.loops(ctx, f.svc, group)
	greet(stdout, s, f.public.Addr(), f.private.Addr())
	f.svc.Log.WithField("listen", f.public.Addr().String()).Info("serving")
	err = group.Wait()
	f.svc.Log.Info("stopped")
	return err
}

// adminDrain bounds how long operators' requests may hold up the stop.
const adminDrain = 5 * time.Second

func serveAdmin(ctx context.Context, f *front, s *serveSettings, api http.Handler) error {
	edge := web.Edge{Log: f.svc.Log.WithField("listener", "admin"), MaxBody: web.MaxBody}
	return web.Serve(ctx, f.private, edge.Wrap(api), web.ServerOptions{DrainTimeout: adminDrain, TLS: s.adminTLS.Config()})
}

// greet tells a person what runs and what to try.
func greet(w io.Writer, s *serveSettings, public, private net.Addr) {
	url := s.common.TLS.Scheme() + "://" + public.String()
	routing := "no routes file: everything is answered by this process"
	if s.routes != nil {
		routing = fmt.Sprintf("%s: %d routes", *s.routesFile, len(s.routes.Routes))
	}
	_, _ = fmt.Fprintf(w, `Banyan is up.

  API        %[1]s  (described at %[1]s/docs)
  admin API  %[2]s
  data       %[3]s
  routes     %[4]s

Try
  curl '%[1]s/v1/flights?limit=3'
  curl '%[1]s/health'

Ctrl-C stops it; what was booked stays.
`, url, s.adminURL(private), s.data.where(), routing)
}
