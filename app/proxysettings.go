package main

import (
	"fmt"

	"github.com/spf13/pflag"

	"banyan/modules/kernel/config"
	"banyan/modules/kernel/service"
	"banyan/proxy/routes"
)

// proxySettings are those of banyan proxy: serve's, less what is the contexts'.
type proxySettings struct {
	*serveSettings
	monolith *string
	only     *bool // judged, nothing is started
}

func addProxyFlags(fs *pflag.FlagSet) *proxySettings {
	s := &proxySettings{serveSettings: &serveSettings{
		data: addDataFlagsOf(fs, "MySQL or MariaDB as "+service.DSNForm+" for what replicas share; …/banyan makes the schema banyan_proxy", proxyData),
	}}
	s.addRouterFlags(fs)
	fs.Lookup("listen").Usage = "address that clients use instead of the monolith's"
	fs.Lookup("admin-listen").Usage = "address of the admin API, /metrics and /health"
	fs.Lookup("routes").Usage = "routes.yaml, whose backend monolith is of kind http"
	s.only = fs.Bool("check", false, "judge the settings and routes.yaml, as check-config does those of serve, and start nothing")
	s.monolith = fs.String("monolith", "", "without a routes file: where the monolith is, such as http://127.0.0.1:3000")
	return s
}

func (s *proxySettings) check(p *config.Problems) {
	s.data.check(p)
	s.common.Check(p)
	s.checkAdmin(p)
	switch {
	case *s.routesFile != "" && *s.monolith != "":
		p.Add("--routes and --monolith are both given; with a routes file its backend monolith says where the monolith is")
	case *s.routesFile != "":
		s.checkRoutes(p)
		s.checkBackends(p)
	case *s.monolith == "":
		p.Add("there is no monolith: give --monolith http://host:port, or --routes with a backend monolith of kind http")
	default:
		foreign, err := routes.Foreign(*s.monolith)
		if err != nil {
			p.Add("--monolith %q is not an address such as http://127.0.0.1:3000", *s.monolith)
		}
		s.routes = foreign
	}
}

// checkBackends refuses what is in this process: there is nothing in it.
func (s *proxySettings) checkBackends(p *config.Problems) {
	if s.routes == nil {
		return // it has been said why
	}
	for _, b := range s.routes.Backends {
		switch {
		case b.Kind == routes.HTTP:
		case b.Line == 0:
			p.Add("%s: the backend monolith is not declared: write such as \"monolith: { kind: http, url: http://127.0.0.1:3000 }\"", s.routes.File)
		default:
			p.Add("%s:%d: backend %s is inproc, but banyan proxy has no modules in its process: make it kind http with a url", s.routes.File, b.Line, b.Name)
		}
	}
}

// target tells a person where everything goes that no route matches.
func (s *proxySettings) target() string {
	home, _ := s.routes.Backend(routes.Monolith)
	if n := len(home.Instances()); n > 1 {
		return fmt.Sprintf("%s and %d more", home.URL, n-1)
	}
	return home.URL
}
