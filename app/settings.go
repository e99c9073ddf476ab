package main

import (
	"net"
	"time"

	"github.com/spf13/pflag"

	"banyan/modules/flights/flightslocal"
	"banyan/modules/kernel/config"
	"banyan/modules/kernel/service"
	"banyan/proxy/admin"
	"banyan/proxy/playbook"
	"banyan/proxy/routes"
)

// serveSettings are those of banyan serve; banyan check-config judges the same.
type serveSettings struct {
	data        *dataSettings
	common      *service.Settings
	adminListen *string
	adminToken  *string
	adminTLS    *service.TLS
	participant *string // token
	routesFile  *string
	sampleData  *bool
	playbooks   *bool          // callers of the admin API may run them here
	keepEvents  *time.Duration // of others, in flights
	keepRuns    *time.Duration // of playbooks
	routes      *routes.Config // of routesFile, once checked
}

func addServeFlags(fs *pflag.FlagSet) *serveSettings {
	s := &serveSettings{
		data:       addDataFlags(fs),
		sampleData: fs.Bool("sample-data", false, "load sample airports and flights, if they are not there yet"),
		keepEvents: fs.Duration("keep-events", flightslocal.KeepsEvents, "how long events that others have put under /events/ stay; 0: for ever; the last of each type stays"),
	}
	s.addRouterFlags(fs)
	return s
}

// addRouterFlags defines what banyan proxy has as well.
func (s *serveSettings) addRouterFlags(fs *pflag.FlagSet) {
	s.common = service.AddFlags(fs, "127.0.0.1:8080")
	s.adminListen = fs.String("admin-listen", "127.0.0.1:8090", "address of the admin API")
	s.adminToken = config.Secret(fs, "admin-token", "bearer token of the admin API; needed unless it listens on the loopback")
	s.adminTLS = service.AddTLSFlags(fs, "admin-", "the admin API")
	s.participant = config.Secret(fs, "participant-token", "bearer token that is shown to extracted services which take over data")
	s.routesFile = fs.String("routes", "", "routes.yaml: who answers what; without it, everything is answered here")
	s.playbooks = fs.Bool("allow-playbook-runs", false, "let callers of the admin API run the playbooks that this program brings along: they execute commands as this process's user")
	s.keepRuns = fs.Duration("keep-playbook-runs", playbook.KeepRuns, "how long runs of playbooks that have ended stay in the journal; 0: for ever; each page's latest stays")
}

func (s *serveSettings) check(p *config.Problems) {
	s.data.check(p)
	s.common.Check(p)
	service.CheckKeep(p, "keep-events", *s.keepEvents)
	s.checkAdmin(p)
	s.checkRoutes(p)
}

func (s *serveSettings) checkAdmin(p *config.Problems) {
	service.CheckKeep(p, "keep-playbook-runs", *s.keepRuns)
	service.CheckAddress(p, "admin-listen", *s.adminListen)
	s.adminTLS.Check(p)
	_, port, err := net.SplitHostPort(*s.adminListen)
	if err == nil && port != "0" && *s.common.Listen == *s.adminListen {
		p.Add("--listen and --admin-listen are both %s; the admin API needs an address of its own", *s.adminListen)
	}
	if err == nil && !admin.Loopback(*s.adminListen) && *s.adminToken == "" {
		p.Add("--admin-listen %s can be reached by others; set --admin-token-file (or --admin-token), or listen on 127.0.0.1", *s.adminListen)
	}
}

func (s *serveSettings) checkRoutes(p *config.Problems) {
	if *s.routesFile == "" {
		return
	}
	loaded, err := routes.Load(*s.routesFile)
	if err == nil {
		s.routes = loaded
		return
	}
	add := p.Add
	if config.ExitCode(err) == config.ExitUnsafe {
		add = p.AddUnsafe
	}
	for _, line := range routes.Explain(err) {
		add("%s", line)
	}
}

// adminURL is where the admin API listens.
func (s *serveSettings) adminURL(addr net.Addr) string {
	return s.adminTLS.Scheme() + "://" + addr.String()
}
