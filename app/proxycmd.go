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

	"banyan/modules/kernel/errs"
	"banyan/modules/kernel/health"
	"banyan/modules/kernel/service"
	"banyan/modules/kernel/web"
	"banyan/proxy"
	"banyan/proxy/admin"
	"banyan/proxy/promotion"
	"banyan/proxy/usage"
	"banyan/proxy/weights"
)

const (
	proxyDescription = "The router's own paths. What it passes on is described by the programs behind it."
	// quiet is how long a client may neither send nor take a byte. It is longer than the
	// router waits for a backend, so that a slow backend is not taken for a slow client.
	quiet = 3 * time.Minute
)

func (c *cli) newProxyCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use: "proxy", Short: "Run the router alone, in front of any HTTP monolith", Args: cobra.NoArgs,
		Long: "Runs the router alone, in front of a monolith in any language:\n\n" +
			"  banyan proxy --monolith http://127.0.0.1:3000\n\n" +
			"Every path is the monolith's or a service's; the router's own (/metrics, /health, /ping,\n" +
			"/version) are at the address of the admin API. What is set at run time is kept in the\n" +
			"embedded database of the data directory; replicas share it by --mysql-dsn.",
	}
	s := addProxyFlags(cmd.Flags())
	c.checks[cmd] = s.check
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		if *s.only {
			result := found(s.serveSettings)
			return emit(cmd, result, append(result.table(*s.routesFile), []string{"monolith", s.target()}))
		}
		return proxyAlone(cmd.Context(), s, c.Process)
	}
	return cmd
}

// proxyAlone runs until ctx ends and then drains, as serve does.
func proxyAlone(ctx context.Context, s *proxySettings, p service.Process) (err error) {
	f, err := openFront(ctx, s.serveSettings, "banyan proxy", p.Stderr)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	counted := usage.New(nil)
	router, err := proxy.New(ctx, proxy.Options{
		Config: s.routes, Weights: weights.New(f.data.proxy), Promotions: promotion.New(f.data.proxy), Log: f.svc.Log, Registry: f.svc.Registry,
		Handover:  proxy.Handover{Token: *s.participant, Journal: f.data.proxy, AcceptDataLoss: *s.data.acceptDataLoss},
		Observers: []proxy.Observer{counted},
	})
	if err != nil {
		return err
	}
	host, err := newPlaybooks(f, s.serveSettings, p.Environ)
	if err != nil {
		return err
	}
	f.svc.DependsOn(proxyData, health.Database(f.data.proxy))
	group, ctx := errgroup.WithContext(ctx)
	api, err := adminOfProxy(f.svc, admin.Options{
		Router: router, Usage: counted, Listen: f.private.Addr().String(), Token: *s.adminToken, Playbooks: host, Stop: ctx.Done(),
	})
	if err != nil {
		return err
	}
	group.Go(func() error { host.Run(ctx); return nil })
	group.Go(func() error { return f.svc.Serve(ctx, f.public, foreign(f.svc, router), foreignBounds(s)) })
	group.Go(func() error { return serveAdmin(ctx, f, s.serveSettings, api) })
	group.Go(func() error { router.Run(ctx); return nil })
	greetProxy(p.Stdout, s, f.public.Addr(), f.private.Addr())
	f.svc.Log.WithField("listen", f.public.Addr().String()).Info("serving")
	err = group.Wait()
	f.svc.Log.Info("stopped")
	return err
}

// adminOfProxy is the admin API with the router's own paths beside it: on the public
// listener they may be the monolith's.
func adminOfProxy(svc *service.Service, o admin.Options) (http.Handler, error) {
	common := web.NewRouter()
	if err := svc.MountCommon(common, "Banyan's router", proxyDescription); err != nil {
		return nil, err
	}
	o.Rest = common
	api, err := admin.New(o)
	if err != nil {
		return nil, err
	}
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/ping" { // tells nothing but that it runs, and probes have no token
			common.ServeHTTP(w, r)
			return
		}
		api.ServeHTTP(w, r)
	}), nil
}

// foreign is the edge before programs that are not ours: bodies of any size and answers
// of any length pass, and nothing is added to them but the backend's name.
func foreign(svc *service.Service, router http.Handler) http.Handler {
	edge := svc.Edge()
	edge.MaxBody, edge.Timeout, edge.Bare = 0, 0, true
	return edge.Wrap(web.Stall(quiet)(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Method == http.MethodConnect {
			web.Fail(w, r, errs.E(errs.MethodNotAllowed, "this is no forward proxy: it serves its backends' paths and opens no tunnels"))
			return
		}
		router.ServeHTTP(w, r)
	})))
}

func foreignBounds(s *proxySettings) web.ServerOptions {
	o := s.common.ServerOptions()
	o.Asterisk = true
	o.ReadTimeout, o.WriteTimeout = -1, quiet // see web.Stall
	return o
}

func greetProxy(w io.Writer, s *proxySettings, public, private net.Addr) {
	url := s.common.TLS.Scheme() + "://" + public.String()
	routing := "no routes file: everything goes to the monolith"
	if *s.routesFile != "" {
		routing = fmt.Sprintf("%s: %d routes", *s.routesFile, len(s.routes.Routes))
	}
	_, _ = fmt.Fprintf(w, `Banyan's router is up.

  clients    %[1]s
  monolith   %[2]s
  admin API  %[3]s  (also /metrics and /health)
  data       %[4]s
  routes     %[5]s

Try
  curl -i '%[1]s/'
  banyan routes list --admin %[3]s

Ctrl-C stops it; what was set at run time stays.
`, url, s.target(), s.adminURL(private), s.data.where(), routing)
}
