package admin_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	migrations "banyan/migrations/proxy"
	"banyan/modules/kernel/bucket"
	"banyan/modules/kernel/dbtest"
	"banyan/modules/kernel/handover"
	"banyan/modules/kernel/handover/handoverhttp"
	"banyan/modules/kernel/handover/handovertest"
	"banyan/modules/kernel/sqldb"
	"banyan/modules/kernel/web"
	"banyan/proxy"
	"banyan/proxy/admin"
	"banyan/proxy/routes"
	"banyan/proxy/weights"
)

const movingFile = `version: 1
backends:
  monolith: { kind: inproc, store: monolith }
  apart:    { kind: http, url: "%s", store: own }
routes:
  - id: bookings-v1
    match: { paths: ["/v1/flights/{flight_id}/holds"] }
    stateful: { aggregate: [ path:flight_id ], participant: apart, pauseBudget: 1m, retain: %s }
    backends: { monolith: 100%%, apart: 0%% }
`

const (
	routeURL = "/admin/v1/routes/bookings-v1"
	flightID = "Zz1-JFK-20261121"
)

// gate holds back the orders of one kind while it is shut.
type gate struct {
	handover.Participant
	shut atomic.Pointer[handover.Op]
	mu   sync.Mutex
	held []int64 // epochs
}

// Order implements handover.Participant.
func (g *gate) Order(ctx context.Context, o handover.Order) ([]handover.Fence, error) {
	if op := g.shut.Load(); op != nil && *op == o.Op {
		g.mu.Lock()
		g.held = append(g.held, o.Epoch)
		g.mu.Unlock()
		for g.shut.Load() != nil {
			select {
			case <-ctx.Done():
				return nil, ctx.Err()
			case <-time.After(5 * time.Millisecond):
			}
		}
		return nil, errors.New("it was held back")
	}
	return g.Participant.Order(ctx, o)
}

// world is an admin API over a router that moves data between two stores in memory.
type world struct {
	t          *testing.T
	api        *httptest.Server
	home, away *handovertest.Memory
	gate       *gate // in front of home
	service    *httptest.Server
}

func newWorld(t *testing.T, retain string) *world {
	t.Helper()
	w := &world{t: t, home: handovertest.NewMemory(), away: handovertest.NewMemory()}
	all := make([]int, bucket.Count)
	for b := range all {
		all[b] = b
	}
	w.home.Own(1, all...)
	w.gate = &gate{Participant: w.home}
	remote := web.NewRouter()
	handoverhttp.Mount(remote, "apart", w.away, "t0ken")
	w.service = httptest.NewServer(remote)
	t.Cleanup(w.service.Close)

	db := dbtest.SQLite(t)
	m, err := sqldb.NewMigrator(db, migrations.FS)
	if err == nil {
		_, err = m.Up(t.Context())
	}
	if err != nil {
		t.Fatal(err)
	}
	c, err := routes.Parse("routes.yaml", fmt.Appendf(nil, movingFile, w.service.URL, retain))
	if err != nil {
		t.Fatal(err)
	}
	p, err := proxy.New(t.Context(), proxy.Options{
		Config: c, Modules: map[string]http.Handler{"monolith": http.NotFoundHandler()}, Weights: weights.New(db),
		Handover: proxy.Handover{Journal: db, Participants: map[string]handover.Participant{"apart": w.gate}, Token: "t0ken"},
	})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan struct{})
	go func() { p.Run(ctx); close(done) }()
	t.Cleanup(func() { w.gate.shut.Store(nil); cancel(); <-done })
	h, err := admin.New(admin.Options{Router: p, Listen: "127.0.0.1:0"})
	if err != nil {
		t.Fatal(err)
	}
	w.api = httptest.NewServer(web.RequestIDs(h))
	t.Cleanup(w.api.Close)
	return w
}

// do wants a status, and gives the answer.
func (w *world) do(status int, method, path, body string, header ...string) map[string]any {
	w.t.Helper()
	got, _, f := call(w.t, w.api, method, path, body, header...)
	if got != status {
		w.t.Fatalf("%s %s %s: %d %v, want %d", method, path, body, got, f, status)
	}
	return f
}

// at gives a value deep inside an answer, as text.
func at(f map[string]any, path string) string {
	var v any = f
	for name := range strings.SplitSeq(path, ".") {
		m, _ := v.(map[string]any)
		v = m[name]
	}
	return fmt.Sprint(v)
}

// until polls the route, with a bound that no working test meets.
func (w *world) until(what string, ok func(map[string]any) bool) map[string]any {
	w.t.Helper()
	var f map[string]any
	for range 4000 {
		if f = w.do(200, "GET", routeURL, ""); ok(f) {
			return f
		}
		time.Sleep(5 * time.Millisecond)
	}
	w.t.Fatalf("%s: never; the route is %v", what, f)
	return nil
}

func (w *world) settled(actual string) map[string]any {
	w.t.Helper()
	return w.until("apart has "+actual, func(f map[string]any) bool {
		return at(f, "settled") == "true" && at(f, "actual.apart") == actual && at(f, "desired.apart") == actual
	})
}
