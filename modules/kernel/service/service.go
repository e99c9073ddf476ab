// Package service is what every program of ours is made of besides its contexts: the
// process around it (signals, exit codes), log, metrics, health, the common paths, and
// the schema of a context on a shared MySQL server.
package service

import (
	"context"
	"io"
	"net"
	"net/http"
	"runtime"
	"time"

	"github.com/gorilla/mux"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/sirupsen/logrus"

	"banyan/modules/kernel/errs"
	"banyan/modules/kernel/health"
	"banyan/modules/kernel/openapi"
	"banyan/modules/kernel/telemetry"
	"banyan/modules/kernel/web"
)

const (
	// maxBody bounds every request's body; most handlers allow far less.
	maxBody = 2 << 20
	// requestTimeout bounds the work for one request.
	requestTimeout = 30 * time.Second
)

// Service is a program's own equipment.
type Service struct {
	Name     string
	Log      *logrus.Entry
	Registry *prometheus.Registry
	Health   *health.Health
	metrics  *web.Metrics
}

// New equips a program. Log lines go to out.
func New(name, level string, out io.Writer) (*Service, error) {
	log, err := telemetry.NewLog(out, name, level)
	if err != nil {
		return nil, errs.E(errs.Invalid, "--log-level: %v; use error, warn, info or debug", err)
	}
	reg := telemetry.NewRegistry(name)
	return &Service{
		Name: name, Log: log, Registry: reg, metrics: web.NewMetrics(reg),
		Health: health.New(name, telemetry.Version()),
	}, nil
}

// DependsOn makes readiness depend on a datastore. Failures go to the log.
func (s *Service) DependsOn(component string, ping func(context.Context) error) {
	s.Health.Add(health.Responds(component, "datastore", ping, func(err error) {
		s.Log.WithError(err).WithField("component", component).Error("a health check failed")
	}))
}

// MountCommon serves the paths that every program has, and describes them together
// with specs.
func (s *Service) MountCommon(r *mux.Router, title, description string, specs ...[]byte) error {
	doc, err := openapi.Merge(title, telemetry.Version(), description, append(specs, openapi.Common)...)
	if err != nil {
		return err
	}
	get := r.Methods(http.MethodGet).Subrouter()
	get.HandleFunc("/ping", health.Ping)
	get.Handle("/health", s.Health)
	get.Handle("/metrics", telemetry.MetricsHandler(s.Registry))
	get.HandleFunc("/version", s.version)
	return doc.Mount(r)
}

func (s *Service) version(w http.ResponseWriter, _ *http.Request) {
	web.JSON(w, http.StatusOK, map[string]string{
		"service": s.Name, "version": telemetry.Version(), "go": runtime.Version(),
	})
}

// Edge is the middleware around the program's public handler.
func (s *Service) Edge() web.Edge {
	return web.Edge{Log: s.Log, Metrics: s.metrics, MaxBody: maxBody, Timeout: requestTimeout}
}

// Serve serves until ctx ends and drains; readiness fails before anything else.
func (s *Service) Serve(ctx context.Context, l net.Listener, h http.Handler, o web.ServerOptions) error {
	defer headroom()()
	o.OnDrain, o.ErrorLog = s.Health.Drain, logWriter{s.Log}
	return web.Serve(ctx, l, h, o)
}

// logWriter gives net/http's remarks, such as a failed accept, to the log.
type logWriter struct{ log *logrus.Entry }

func (w logWriter) Write(p []byte) (int, error) {
	w.log.Warn(string(p))
	return len(p), nil
}
