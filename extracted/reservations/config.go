package main

import (
	"github.com/spf13/pflag"

	"banyan/modules/kernel/config"
	"banyan/modules/kernel/redisdb"
	"banyan/modules/kernel/service"
)

// settings choose the store: exactly one of --mysql-dsn and --redis-addr.
//
// Over MySQL the service shares the monolith's schema, copy of flights included, unless
// --flights-url says where to follow flights' events itself. On Redis it must. A store
// that is shared with nobody takes part in handovers.
type settings struct {
	*service.Settings
	dsn            *string
	migrate        *bool
	redis          *string
	redisFlags     *redisdb.Flags
	redisNamespace *string
	own            *bool
	acceptDataLoss *bool
	flights        *string
	flightsAway    *string
	router         *string
	token          *string
}

func addFlags(fs *pflag.FlagSet) settings {
	return settings{
		Settings:       service.AddFlags(fs, "127.0.0.1:8082"),
		dsn:            config.Secret(fs, "mysql-dsn", "MySQL or MariaDB as "+service.DSNForm+"; …/banyan makes the schema banyan_reservations, which a monolith with the same DSN shares"),
		migrate:        fs.Bool("migrate", true, "bring the MySQL schema up to date at the start"),
		redis:          fs.String("redis-addr", "", "Redis as host:port; several, separated by commas, are the seeds of a Cluster"),
		redisFlags:     redisdb.AddFlags(fs),
		redisNamespace: fs.String("redis-namespace", "r", "what the names of all keys in Redis begin with"),
		own:            fs.Bool("own", false, "make a store that was never used the owner of every flight; without it, flights are handed over to it"),
		acceptDataLoss: fs.Bool("accept-data-loss", false, "run on a server that acknowledges writes before they are on disk"),
		flights:        fs.String("flights-url", "", "where to follow flights' events, such as http://127.0.0.1:8081; absent: the monolith that shares the MySQL schema does"),
		flightsAway:    fs.String("flights-away-url", "", "where to follow, too, the events of flights that were handed over to a service of their own, such as http://127.0.0.1:8081"),
		router:         fs.String("router", "", "where flights that this store does not own are asked for when a reservation is rebooked to them, such as http://127.0.0.1:8080; absent: only flights of this store can be rebooked to"),
		token:          config.Secret(fs, "participant-token", "what a coordinator must show to hand flights over to this store or on; absent: whoever reaches --listen may"),
	}
}

func (s settings) check(p *config.Problems) {
	s.Check(p)
	switch {
	case *s.dsn == "" && *s.redis == "":
		p.Add("there is no store: give --mysql-dsn or --redis-addr")
	case *s.dsn != "" && *s.redis != "":
		p.Add("--mysql-dsn and --redis-addr are both set; keep one: seats have one store")
	case *s.dsn != "":
		if err := service.CheckBaseDSN(*s.dsn); err != nil {
			p.Add("--mysql-dsn: %s", service.Explain(err))
		}
	case *s.flights == "":
		p.Add("--flights-url is missing: a Redis shares no copy of flights with anyone, so its service must follow their events")
	}
	s.redisFlags.Check(p)
	service.CheckURL(p, "flights-url", *s.flights, "http://127.0.0.1:8081")
	service.CheckURL(p, "flights-away-url", *s.flightsAway, "http://127.0.0.1:8081")
	if *s.flightsAway != "" && *s.flights == "" {
		p.Add("--flights-away-url needs --flights-url: events of flights that were handed over go on those of the monolith")
	}
	service.CheckURL(p, "router", *s.router, "http://127.0.0.1:8080")
	service.CheckToken(p, "participant-token", *s.token)
}

// participates tells whether flights can be handed over to the store: one that is shared
// has the monolith as its participant.
func (s settings) participates() bool { return *s.flights != "" }
