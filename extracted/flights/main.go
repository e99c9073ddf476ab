// Command banyan-flights is the flights context alone: the same code as in the single
// binary, over the monolith's schema, or with one of its own, to which flights are handed
// over.
package main

import (
	"context"
	"errors"
	"time"

	"github.com/spf13/pflag"
	"golang.org/x/sync/errgroup"

	migrations "banyan/migrations/flights"
	"banyan/modules/flights/flightslocal"
	"banyan/modules/kernel/config"
	"banyan/modules/kernel/health"
	"banyan/modules/kernel/service"
	"banyan/modules/kernel/web"
)

const name = "banyan-flights"

func main() { service.Main(name, run) }

// settings: over the monolith's schema the service is but another replica of it. One with
// a schema of its own takes part in handovers; it needs --home-url.
type settings struct {
	*service.Settings
	dsn     *string
	migrate *bool
	home    *string
	own     *bool
	token   *string
	keep    *time.Duration
}

// participates tells whether flights can be handed over to the store: one that is shared
// has the monolith as its participant.
func (s settings) participates() bool { return *s.home != "" }

func addFlags(fs *pflag.FlagSet) settings {
	return settings{
		Settings: service.AddFlags(fs, "127.0.0.1:8081"),
		dsn:      config.Secret(fs, "mysql-dsn", "MySQL or MariaDB as "+service.DSNForm+"; …/banyan makes the schema banyan_flights, which a monolith with the same DSN shares"),
		migrate:  fs.Bool("migrate", true, "bring the schema up to date at the start"),
		home:     fs.String("home-url", "", "where the monolith is that hands flights over to this store, such as http://127.0.0.1:8080, for airports, aircraft and seat maps; the schema must be this service's own. Absent: it is the monolith's"),
		own:      fs.Bool("own", false, "make a store of its own that was never used the owner of every flight; without it, flights are handed over to it"),
		token:    config.Secret(fs, "participant-token", "what a coordinator must show to hand flights over to this store or on; absent: whoever reaches --listen may"),
		keep:     fs.Duration("keep-events", flightslocal.KeepsEvents, "how long events that others have put under /events/ stay; 0: for ever; the last of each type stays"),
	}
}

func run(ctx context.Context, p service.Process) (err error) {
	fs := pflag.NewFlagSet(name, pflag.ContinueOnError)
	s := addFlags(fs)
	if start, err := service.Parse(fs, p, name+" serves flights: airports, schedules, seat maps.", s.check); err != nil || !start {
		return err
	}
	svc, listener, err := s.Start(ctx, name, p.Stderr)
	if err != nil {
		return err
	}
	defer func() { _ = listener.Close() }()
	db, err := service.OpenContext(ctx, *s.dsn, "flights", migrations.FS, *s.migrate)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, db.Close()) }()
	svc.DependsOn("flights", health.Database(db))
	store, err := s.openStore(ctx, db)
	if err != nil {
		return err
	}
	if s.participates() && s.Exposed() && *s.token == "" {
		svc.Log.Warn("whoever reaches --listen can hand flights over: set --participant-token, or keep /participant/ from others")
	}
	router := web.NewRouter()
	if err := svc.MountCommon(router, "Banyan flights", "Airports, dated flights, seat maps.", s.mount(router, store)...); err != nil {
		return err
	}
	group, ctx := errgroup.WithContext(ctx)
	s.takePart(ctx, svc, store, group)
	group.Go(func() error {
		store.KeepEvents(ctx, *s.keep, func(err error) { svc.Log.WithError(err).Warn("old events of others stay; it is tried again") })
		return nil
	})
	group.Go(func() error { return svc.Serve(ctx, listener, s.wrap(svc, router), s.ServerOptions()) })
	return group.Wait()
}

func (s settings) check(p *config.Problems) {
	s.Check(p)
	if err := service.CheckBaseDSN(*s.dsn); err != nil {
		p.Add("--mysql-dsn: %s", service.Explain(err))
	}
	service.CheckURL(p, "home-url", *s.home, "http://127.0.0.1:8080")
	service.CheckToken(p, "participant-token", *s.token)
	service.CheckKeep(p, "keep-events", *s.keep)
	if *s.own && *s.home == "" {
		p.Add("--own needs --home-url: a store that is shared is the monolith's")
	}
}
