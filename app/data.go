package main

import (
	"context"
	"errors"
	"io"
	"io/fs"
	"path/filepath"

	"github.com/spf13/pflag"

	"banyan/migrations/flights"
	"banyan/migrations/proxy"
	"banyan/migrations/reservations"
	"banyan/modules/kernel/config"
	"banyan/modules/kernel/errs"
	"banyan/modules/kernel/service"
	"banyan/modules/kernel/sqldb"
	"banyan/modules/reservations/reservationslocal"
)

// The contexts that keep data, in the order in which they are opened.
const (
	flightsData      = "flights"
	reservationsData = "reservations"
	proxyData        = "proxy"
)

func contextNames() []string { return []string{flightsData, reservationsData, proxyData} }

func migrationsOf(name string) fs.FS {
	switch name {
	case flightsData:
		return flights.FS
	case reservationsData:
		return reservations.FS
	}
	return proxy.FS
}

// dataSettings say where the data is.
type dataSettings struct {
	dir   *string
	mysql *string            // base DSN
	dsn   map[string]*string // of one context, over the base
	names []string           // the contexts whose data it is

	acceptDataLoss *bool
}

func addDataFlags(fs *pflag.FlagSet) *dataSettings {
	return addDataFlagsOf(fs, "MySQL or MariaDB as "+service.DSNForm+"; …/banyan makes the schemas banyan_flights, banyan_reservations and banyan_proxy", contextNames()...)
}

// addDataFlagsOf is addDataFlags for some contexts only.
func addDataFlagsOf(fs *pflag.FlagSet, mysql string, names ...string) *dataSettings {
	s := &dataSettings{
		dir:   fs.String("data-dir", "./data", "directory of the embedded database, used when no MySQL is named"),
		mysql: config.Secret(fs, "mysql-dsn", mysql),
		dsn:   map[string]*string{},
		names: names,

		acceptDataLoss: fs.Bool("accept-data-loss", false, "run on a MySQL that acknowledges writes before they are on disk"),
	}
	for _, name := range names {
		s.dsn[name] = config.Secret(fs, name+"-dsn", "MySQL schema of "+name+" alone, instead of the one made from --mysql-dsn")
	}
	return s
}

// dsnOf gives the DSN of a context, "" for the embedded database.
func (s *dataSettings) dsnOf(name string) (string, error) {
	if own := *s.dsn[name]; own != "" {
		return own, nil
	}
	if *s.mysql == "" {
		return "", nil
	}
	return service.ContextDSN(*s.mysql, name)
}

func (s *dataSettings) check(p *config.Problems) {
	if *s.mysql != "" {
		if err := service.CheckBaseDSN(*s.mysql); err != nil {
			p.Add("--mysql-dsn: %s", service.Explain(err))
		}
	}
	missing := 0
	for _, name := range s.names {
		own := *s.dsn[name]
		switch {
		case own == "":
			missing++
		case service.CheckDSN(own) != nil:
			p.Add("--%s-dsn: %s", name, service.Explain(service.CheckDSN(own)))
		}
	}
	if *s.mysql == "" && missing > 0 && missing < len(s.names) {
		p.Add("some contexts have a DSN and others none: give --mysql-dsn, or each of --flights-dsn, --reservations-dsn and --proxy-dsn")
	}
	if *s.dir == "" {
		p.Add("--data-dir is empty; name a directory")
	}
}

// where tells a person where the data is, without secrets.
func (s *dataSettings) where() string {
	if dsn, err := s.dsnOf(s.names[0]); err == nil && dsn != "" {
		return "MySQL"
	}
	if abs, err := filepath.Abs(*s.dir); err == nil {
		return abs
	}
	return *s.dir
}

// data is the databases of the contexts, each its own.
type data struct {
	flights, reservations, proxy *sqldb.DB
	lock                         io.Closer // of the data directory, nil with MySQL
	seats                        reservationslocal.Options
}

// openData opens the databases of the settings' contexts; command is what the lock on the data
// directory says of this process. errs: PreconditionFailed when another process has the
// directory or a schema may not be made, Unavailable when a server does not answer.
func openData(ctx context.Context, s *dataSettings, command string) (*data, error) {
	d := &data{seats: reservationslocal.Options{AcceptDataLoss: *s.acceptDataLoss, Own: true}}
	for _, name := range s.names {
		db, err := d.open(ctx, s, name, command)
		if err != nil {
			return nil, errors.Join(err, d.Close())
		}
		*d.at(name) = db
	}
	return d, nil
}

func (d *data) open(ctx context.Context, s *dataSettings, name, command string) (*sqldb.DB, error) {
	dsn, err := s.dsnOf(name)
	if err != nil {
		return nil, err
	}
	if dsn != "" {
		return service.OpenMySQL(ctx, dsn)
	}
	if d.lock == nil {
		if d.lock, err = lockDir(*s.dir, command); err != nil {
			return nil, err
		}
	}
	db, err := sqldb.OpenSQLite(ctx, filepath.Join(*s.dir, name+".db"))
	if err != nil {
		return nil, errs.E(errs.PreconditionFailed, "the embedded database in %s cannot be opened", *s.dir).Because(err)
	}
	return db, nil
}

func (d *data) at(name string) **sqldb.DB {
	switch name {
	case flightsData:
		return &d.flights
	case reservationsData:
		return &d.reservations
	}
	return &d.proxy
}

// migrate brings every open schema up; replicas that start at once take turns.
func (d *data) migrate(ctx context.Context) error {
	for _, name := range contextNames() {
		if *d.at(name) == nil {
			continue
		}
		if err := service.Migrate(ctx, *d.at(name), migrationsOf(name)); err != nil {
			return errs.E(errs.Unavailable, "the schema of %s could not be brought up to date", name).Because(err)
		}
	}
	return nil
}

// Close closes what is open and gives the directory back.
func (d *data) Close() error {
	var problems []error
	for _, name := range contextNames() {
		if db := *d.at(name); db != nil {
			problems = append(problems, db.Close())
		}
	}
	if d.lock != nil {
		problems = append(problems, d.lock.Close())
	}
	return errors.Join(problems...)
}
