package main

import (
	"context"
	"net/http"

	"banyan/modules/flights/flightshttp"
	"banyan/modules/flights/flightslocal"
	"banyan/modules/kernel/health"
	"banyan/modules/kernel/service"
	"banyan/modules/kernel/web"
	"banyan/proxy"
	"banyan/proxy/routes"
	"banyan/proxy/weights"
)

// banyan is the contexts and the router in front of them.
type banyan struct {
	flights *flightslocal.Service
	router  *proxy.Router
	public  http.Handler
}

// wire is the only place where contexts meet.
func wire(ctx context.Context, svc *service.Service, d *data, config *routes.Config) (*banyan, error) {
	b := &banyan{flights: flightslocal.New(d.flights)}
	svc.DependsOn(flightsData, health.Database(d.flights))
	svc.DependsOn(reservationsData, health.Database(d.reservations))
	svc.DependsOn(proxyData, health.Database(d.proxy))

	monolith := web.NewRouter()
	flightshttp.Mount(monolith, b.flights)

	var err error
	b.router, err = proxy.New(ctx, proxy.Options{
		Config: config, Modules: map[string]http.Handler{routes.Monolith: monolith},
		Weights: weights.New(d.proxy), Log: svc.Log, Registry: svc.Registry,
	})
	if err != nil {
		return nil, err
	}
	common := web.NewRouter()
	if err := svc.MountCommon(common, "Banyan", description, flightshttp.Spec); err != nil {
		return nil, err
	}
	b.public = svc.Edge().Wrap(inFront(common, b.router))
	return b, nil
}

const description = "Seats on flights: search, hold, confirm. Errors are application/problem+json with a stable code."

// inFront answers the paths of the program itself and leaves the others to the router.
func inFront(common, router http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch r.URL.Path {
		case "/ping", "/health", "/metrics", "/version", "/openapi.json", "/docs":
			common.ServeHTTP(w, r)
		default:
			router.ServeHTTP(w, r)
		}
	})
}
func (b *banyan) loadSample(context.Context) error { return nil }
