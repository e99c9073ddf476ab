// Command banyan-flights is the flights context alone: the same code as in the single
// binary, over the monolith's schema or one of its own.
package main

import (
	"context"
	"errors"

	"github.com/spf13/pflag"

	migrations "banyan/migrations/flights"
	"banyan/modules/flights/flightshttp"
	"banyan/modules/flights/flightslocal"
	"banyan/modules/kernel/config"
	"banyan/modules/kernel/health"
	"banyan/modules/kernel/service"
	"banyan/modules/kernel/web"
)

const name = "banyan-flights"

func main() { service.Main(name, run) }

type settings struct {
	*service.Settings
	dsn     *string
	migrate *bool
}

func run(ctx context.Context, p service.Process) (err error) {
	fs := pflag.NewFlagSet(name, pflag.ContinueOnError)
	s := settings{
		Settings: service.AddFlags(fs, "127.0.0.1:8081"),
		dsn:      config.Secret(fs, "mysql-dsn", "MySQL or MariaDB as "+service.DSNForm+"; …/banyan makes the schema banyan_flights, which a monolith with the same DSN shares"),
		migrate:  fs.Bool("migrate", true, "bring the schema up to date at the start"),
	}
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
	router := web.NewRouter()
	flightshttp.Mount(router, flightslocal.New(db))
	if err := svc.MountCommon(router, "Banyan flights", "Airports, dated flights, seat maps.", flightshttp.Spec); err != nil {
		return err
	}
	return svc.Serve(ctx, listener, svc.Edge().Wrap(router), *s.DrainDelay)
}

func (s settings) check(p *config.Problems) {
	s.Check(p)
	if err := service.CheckBaseDSN(*s.dsn); err != nil {
		p.Add("--mysql-dsn: %s", service.Explain(err))
	}
}
