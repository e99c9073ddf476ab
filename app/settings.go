package main

import (
	"time"

	"github.com/sirupsen/logrus"
	"github.com/spf13/pflag"

	"banyan/modules/kernel/config"
	"banyan/modules/kernel/service"
	"banyan/proxy/admin"
	"banyan/proxy/routes"
)

// serveSettings are those of banyan serve; banyan check-config judges the same.
type serveSettings struct {
	data        *dataSettings
	listen      *string
	adminListen *string
	adminToken  *string
	routesFile  *string
	sampleData  *bool
	logLevel    *string
	drainDelay  *time.Duration
	routes      *routes.Config // of routesFile, once checked
}

func addServeFlags(fs *pflag.FlagSet) *serveSettings {
	return &serveSettings{
		data:        addDataFlags(fs),
		listen:      fs.String("listen", "127.0.0.1:8080", "address of the public API"),
		adminListen: fs.String("admin-listen", "127.0.0.1:8090", "address of the admin API"),
		adminToken:  config.Secret(fs, "admin-token", "bearer token of the admin API; needed unless it listens on the loopback"),
		routesFile:  fs.String("routes", "", "routes.yaml: who answers what; without it, everything is answered here"),
		sampleData:  fs.Bool("sample-data", false, "load sample airports and flights, if they are not there yet"),
		logLevel:    fs.String("log-level", "info", "error, warn, info or debug"),
		drainDelay:  fs.Duration("drain-delay", 0, "how long to serve on with /health failing after SIGTERM, for balancers to notice"),
	}
}

// maxDrainDelay bounds how long a stop may be put off.
const maxDrainDelay = 5 * time.Minute

func (s *serveSettings) check(p *config.Problems) {
	s.data.check(p)
	checkAddress(p, "listen", *s.listen)
	checkAddress(p, "admin-listen", *s.adminListen)
	if *s.listen == *s.adminListen && service.CheckAddress(*s.listen) == "" && !service.AnyPort(*s.listen) {
		p.Add("--listen and --admin-listen are both %s; the admin API needs an address of its own", *s.listen)
	}
	if service.CheckAddress(*s.adminListen) == "" && !admin.Loopback(*s.adminListen) && *s.adminToken == "" {
		p.Add("--admin-listen %s can be reached by others; set --admin-token-file (or --admin-token), or listen on 127.0.0.1", *s.adminListen)
	}
	if _, err := logrus.ParseLevel(*s.logLevel); err != nil {
		p.Add("--log-level %q is not one of error, warn, info, debug", *s.logLevel)
	}
	if *s.drainDelay < 0 || *s.drainDelay > maxDrainDelay {
		p.Add("--drain-delay %s is not between 0s and %s", *s.drainDelay, maxDrainDelay)
	}
	s.checkRoutes(p)
}

func checkAddress(p *config.Problems, flag, address string) {
	if wrong := service.CheckAddress(address); wrong != "" {
		p.Add("--%s %q: %s", flag, address, wrong)
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
