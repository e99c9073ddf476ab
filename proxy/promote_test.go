package proxy_test

import (
	"context"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"banyan/modules/kernel/dbtest"
	kernel "banyan/modules/kernel/handover"
	"banyan/modules/kernel/sqldb"
	"banyan/modules/kernel/web"
	"banyan/proxy"
	"banyan/proxy/analysis"
	"banyan/proxy/canary"
	"banyan/proxy/promotion"
	"banyan/proxy/routes"
	"banyan/proxy/weights"
)

const climbing = `version: 1
backends:
  monolith: { kind: http, url: "%s", store: shared }
  flights:  { kind: http, url: "%s", store: shared }
routes:
  - id: flights
    match: { paths: ["/v1/flights"] }
    backends: { monolith: 100%%, flights: 0%% }
    hashOn: [ "header:X-Customer-Id" ]
    analysis: { interval: 1s, minSamples: 50, steps: [20%%, 50%%, 100%%], %s }
`

// climb is a system whose routes may be promoted, with any number of routers.
type climb struct {
	t        *testing.T
	db       *sqldb.DB
	file     string
	registry *prometheus.Registry // of the last router that was started
	split    *split               // of a stateful route, nil for others
}

// answering sleeps, and fails every so many requests, 0 for none.
func answering(sleep time.Duration, failEvery int64) http.Handler {
	var n atomic.Int64
	return http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		time.Sleep(sleep)
		if failEvery > 0 && n.Add(1)%failEvery == 0 {
			w.WriteHeader(http.StatusInternalServerError)
		}
	})
}

func newClimb(t *testing.T, home, away http.Handler, analysis string) *climb {
	t.Helper()
	c := &climb{t: t, db: dbtest.SQLite(t), file: filepath.Join(t.TempDir(), "routes.yaml")}
	storeOn(t, c.db)
	file := fmt.Sprintf(climbing, startBackend(t, home).URL, startBackend(t, away).URL, analysis)
	if err := os.WriteFile(c.file, []byte(file), 0o600); err != nil {
		t.Fatal(err)
	}
	return c
}

// start adds a replica; stop ends it as a shutdown does.
func (c *climb) start() (router *proxy.Router, url string, stop func()) {
	c.t.Helper()
	config, err := routes.Load(c.file)
	if err != nil {
		c.t.Fatal(err)
	}
	c.registry = prometheus.NewRegistry()
	o := proxy.Options{Config: config, Weights: weights.New(c.db), Promotions: promotion.New(c.db), Registry: c.registry}
	if c.split != nil {
		o.Modules = map[string]http.Handler{"monolith": notes(c.split.home)}
		o.Handover = proxy.Handover{Journal: c.db, Participants: map[string]kernel.Participant{"notes": c.split.home}}
	}
	if router, err = proxy.New(c.t.Context(), o); err != nil {
		c.t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	var done sync.WaitGroup
	done.Go(func() { router.Run(ctx) })
	front := startFront(c.t, web.RequestIDs(router))
	var once sync.Once
	stop = func() { once.Do(func() { front.Close(); cancel(); done.Wait() }) }
	c.t.Cleanup(stop)
	return router, front.URL, stop
}

// busy sends requests of many customers until the test ends, or it is stopped.
func busy(t *testing.T, url string, request func(n int) (method, path, body string)) (stop func()) {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	client := &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: 16}, Timeout: 30 * time.Second}
	var callers sync.WaitGroup
	for range 16 {
		callers.Go(func() {
			for ctx.Err() == nil {
				method, path, body := request(rand.IntN(1_000_000)) //nolint:gosec // customers, not secrets
				r, _ := http.NewRequestWithContext(ctx, method, url+path, strings.NewReader(body))
				r.Header.Set("X-Customer-Id", path+body)
				if resp, err := client.Do(r); err == nil {
					_, _ = io.Copy(io.Discard, resp.Body)
					_ = resp.Body.Close()
				}
			}
		})
	}
	var once sync.Once
	stop = func() { once.Do(func() { cancel(); callers.Wait(); client.CloseIdleConnections() }) }
	t.Cleanup(stop)
	return stop
}

func flightsGet(n int) (method, path, body string) {
	return http.MethodGet, fmt.Sprintf("/v1/flights?n=%d", n), ""
}

func promote(t *testing.T, router *proxy.Router, id string) {
	t.Helper()
	_, err := router.Promote(t.Context(), proxy.PromoteOrder{Ask: proxy.Ask{Route: id, Reason: "it is time", Actor: "anna@home"}})
	if err != nil {
		t.Fatal(err)
	}
}

func standingOf(t *testing.T, router *proxy.Router, id string) proxy.PromotionView {
	t.Helper()
	v, err := router.Promotion(t.Context(), id)
	if err != nil || v == nil {
		t.Fatalf("the promotion of %s is %v, %v", id, v, err)
	}
	return *v
}

// until polls a promotion, with a bound that no working test meets.
func until(t *testing.T, router *proxy.Router, id, what string, ok func(proxy.PromotionView) bool) proxy.PromotionView {
	t.Helper()
	var v proxy.PromotionView
	for deadline := time.Now().Add(2 * time.Minute); time.Now().Before(deadline); time.Sleep(50 * time.Millisecond) {
		if v = standingOf(t, router, id); ok(v) {
			return v
		}
	}
	t.Fatalf("%s: never; the promotion is %+v", what, v)
	return v
}

func ended(v proxy.PromotionView) bool { return v.State.Ended() }

func share(t *testing.T, router *proxy.Router, id, backend string) canary.Weight {
	t.Helper()
	v, err := router.Route(id)
	if err != nil {
		t.Fatal(err)
	}
	return v.Weights.Effective[backend]
}

// A backend that is as good as the home gets everything, step by step.
func TestPromoteGood(t *testing.T) {
	c := newClimb(t, answering(0, 0), answering(0, 0), "metrics: [{name: success-rate, min: 95%}, {name: p50, maxRatio: 10}]")
	router, url, _ := c.start()
	busy(t, url, flightsGet)
	promote(t, router, "flights")
	if _, err := router.Promote(t.Context(), proxy.PromoteOrder{Ask: proxy.Ask{Route: "flights", Reason: "again"}}); err == nil {
		t.Error("it is promoted twice at once")
	}
	v := until(t, router, "flights", "the end", ended)
	if v.State != promotion.Promoted || share(t, router, "flights", "flights") != canary.Full || v.Verdict != analysis.Pass || len(v.Metrics) != 3 {
		t.Errorf("it is %+v", v)
	}
	entries, err := router.Audit(t.Context(), "flights", 0, 10)
	if err != nil {
		t.Fatal(err)
	}
	var log []string
	for _, e := range entries {
		log = append(log, fmt.Sprintf("%s %s by %s: %s", e.Action, e.To["flights"], e.Actor, e.Reason))
	}
	for i, want := range []string{"promoted 100% by promoter: promoted: 100% passed: success-rate", "set 100% by promoter: promotion, step 3 of 3: 50% passed", "set 50% by promoter", "set 20% by promoter: promotion, step 1 of 3", "promote 0% by anna@home"} {
		if i >= len(log) || !strings.HasPrefix(log[i], want) {
			t.Errorf("line %d of the audit log is not %q:\n%s", i, want, strings.Join(log, "\n"))
			break
		}
	}
	eventually(t, "the metric shows it", func() bool {
		return verdictsOf(t, c.registry) == "client-errors/flights 1, p50/flights 1, success-rate/flights 1, "
	})
}

// verdictsOf writes down the metric of verdicts.
func verdictsOf(t *testing.T, registry *prometheus.Registry) string {
	t.Helper()
	families, err := registry.Gather()
	if err != nil {
		t.Fatal(err)
	}
	var out strings.Builder
	for _, f := range families {
		if f.GetName() != "banyan_analysis_verdict" {
			continue
		}
		for _, m := range f.GetMetric() {
			_, _ = fmt.Fprintf(&out, "%s/%s %g, ", m.GetLabel()[0].GetValue(), m.GetLabel()[1].GetValue(), m.GetGauge().GetValue())
		}
	}
	return out.String()
}

// One that is worse loses what it had, and the sentence says why.
func TestPromoteBad(t *testing.T) {
	for _, b := range []struct {
		name       string
		home, away http.Handler
		metrics    string
		says       []string
	}{
		{"3 % errors", answering(0, 0), answering(0, 33), "{name: success-rate, min: 99.5%}", []string{"rolled back at 20%: success-rate of flights was 9", "against 100.00% of monolith (allowed 99.50%) over "}},
		{"twice as slow", answering(50*time.Millisecond, 0), answering(100*time.Millisecond, 0), "{name: p50, maxRatio: 1.3}", []string{"rolled back at 20%: p50 of flights was ", " (ratio ", ", allowed 1.3) over "}},
		{"404 to everything", answering(0, 0), http.NotFoundHandler(), "{name: success-rate, min: 99.5%}", []string{"rolled back at 20%: client-errors of flights was 100.00% against 0.00% of monolith (allowed 20.00%) over "}},
		{"never there", answering(0, 0), http.HandlerFunc(func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) }), "{name: success-rate, min: 99.5%}", []string{"success-rate of flights was 0.00%"}},
	} {
		t.Run(b.name, func(t *testing.T) {
			c := newClimb(t, b.home, b.away, "metrics: ["+b.metrics+"]")
			router, url, _ := c.start()
			busy(t, url, flightsGet)
			promote(t, router, "flights")
			v := until(t, router, "flights", "the end", func(v proxy.PromotionView) bool {
				return v.State.Ended() && share(t, router, "flights", "flights") == canary.None
			})
			if v.State != promotion.Failed || v.Verdict != analysis.Fail {
				t.Errorf("it is %+v", v)
			}
			for _, text := range b.says {
				if !strings.Contains(v.Sentence, text) {
					t.Errorf("the sentence %q has no %q", v.Sentence, text)
				}
			}
			entries, err := router.Audit(t.Context(), "flights", 0, 1)
			if err != nil || len(entries) != 1 || entries[0].Reason != v.Sentence || entries[0].To["flights"] != canary.None {
				t.Errorf("the audit log ends with %+v (%v)", entries, err)
			}
		})
	}
}

// Without requests nothing is concluded, however long it lasts; who asked for it gets a
// rollback after a while.
func TestPromoteIdle(t *testing.T) {
	const metrics = "metrics: [{name: success-rate, min: 50%}, {name: p50, max: 1h}]"
	holds := newClimb(t, answering(0, 0), answering(0, 0), metrics)
	gives := newClimb(t, answering(0, 0), answering(0, 0), "onInconclusive: rollback, "+metrics)
	router, _, _ := holds.start()
	other, _, _ := gives.start()
	promote(t, router, "flights")
	promote(t, other, "flights")
	v := until(t, other, "flights", "the end", ended)
	if v.State != promotion.Failed || v.Verdict != analysis.Inconclusive || !strings.Contains(v.Sentence, "undecided after 10 looks: success-rate waits: 0 of 50 requests") {
		t.Errorf("it is %+v", v)
	}
	v = until(t, router, "flights", "nine looks", func(v proxy.PromotionView) bool { return v.Looks >= 9 })
	if v.State != promotion.Running || v.Step != 1 || v.Verdict != analysis.Inconclusive || share(t, router, "flights", "flights") != 2000 {
		t.Errorf("it is %+v", v)
	}
}

// What one process began another one ends, and only one drives at a time.
func TestPromoteGoesOn(t *testing.T) {
	c := newClimb(t, answering(0, 0), answering(0, 0), "metrics: [{name: success-rate, min: 90%}]")
	first, url, stop := c.start()
	quiet := busy(t, url, flightsGet)
	promote(t, first, "flights")
	v := until(t, first, "flights", "the second step", func(v proxy.PromotionView) bool { return v.Step == 2 && v.Driver != "" })
	quiet()
	second, url, _ := c.start()
	begun := standingOf(t, second, "flights")
	if begun.Driver != v.Driver {
		t.Errorf("%s drives, and then %s, though the first is alive", v.Driver, begun.Driver)
	}
	stop()
	busy(t, url, flightsGet)
	v = until(t, second, "flights", "the end", ended)
	if v.State != promotion.Promoted || v.Driver == begun.Driver || v.Actor != "anna@home" || share(t, second, "flights", "flights") != canary.Full {
		t.Errorf("it is %+v", v)
	}
}

// Operators are obeyed: a pause is followed, and any other change ends the promotion.
func TestPromoteGivesWay(t *testing.T) {
	c := newClimb(t, answering(0, 0), answering(0, 0), "metrics: [{name: success-rate, min: 90%}]")
	router, _, _ := c.start()
	promote(t, router, "flights")
	until(t, router, "flights", "a look", func(v proxy.PromotionView) bool { return v.Looks > 0 })
	apply := func(o proxy.Order) {
		t.Helper()
		o.Route, o.Reason, o.Actor = "flights", "lunch", "bob@home"
		if _, err := router.Apply(t.Context(), o); err != nil {
			t.Fatal(err)
		}
	}
	apply(proxy.Order{Action: proxy.Pause})
	v := until(t, router, "flights", "the pause", func(v proxy.PromotionView) bool { return v.State == promotion.Paused })
	if !strings.HasPrefix(v.Sentence, "paused at 20% by bob@home: lunch") {
		t.Errorf("the sentence is %q", v.Sentence)
	}
	apply(proxy.Order{Action: proxy.Resume})
	looks := until(t, router, "flights", "running again", func(v proxy.PromotionView) bool { return v.State == promotion.Running }).Looks
	until(t, router, "flights", "another look", func(v proxy.PromotionView) bool { return v.Looks > looks })
	apply(proxy.Order{Action: proxy.Set, Weights: weights.Weights{"flights": 300}})
	v = until(t, router, "flights", "the end", ended)
	if v.State != promotion.Stopped || v.Sentence != "stopped at 20%: flights was set to 3% by bob@home: lunch" || share(t, router, "flights", "flights") != 300 {
		t.Errorf("it is %+v", v)
	}
}

// On a stateful route the data moves with each step, and a step's requests count only
// when it has arrived.
func TestPromoteStateful(t *testing.T) {
	s := newSplit(t, "20s", 256)
	file, err := os.ReadFile(s.file)
	if err != nil {
		t.Fatal(err)
	}
	file = append(file, "    analysis: { interval: 1s, minSamples: 50, steps: [5%, 40%], metrics: [{name: success-rate, min: 90%}, {name: audit-violations, max: 0}] }\n"...)
	if err := os.WriteFile(s.file, file, 0o600); err != nil {
		t.Fatal(err)
	}
	c := &climb{t: t, db: s.db, file: s.file, split: s}
	router, url, _ := c.start()
	busy(t, url, func(n int) (method, path, body string) {
		return http.MethodGet, fmt.Sprintf("/notes/AA%d-JFK-20261121", n), ""
	})
	promote(t, router, "notes")
	until(t, router, "notes", "a look", func(v proxy.PromotionView) bool {
		if v.Looks > 0 && v.Step == 1 && owned(t, s.away) < 500 {
			t.Errorf("a look at 5%%, with %d buckets away", owned(t, s.away))
		}
		return v.Looks > 0 || v.Step == 2
	})
	v := until(t, router, "notes", "the end", ended)
	if v.State != promotion.Promoted || share(t, router, "notes", "notes") != 4000 || owned(t, s.away) != 4000 {
		t.Errorf("%d buckets are away: %+v", owned(t, s.away), v)
	}
}
