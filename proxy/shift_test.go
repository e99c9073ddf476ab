package proxy_test

import (
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"banyan/modules/kernel/dbtest"
	"banyan/modules/kernel/errs"
	"banyan/modules/kernel/sqldb"
	"banyan/proxy"
	"banyan/proxy/canary"
	"banyan/proxy/routes"
	"banyan/proxy/weights"
)

// TestUpAndDownUnderLoad: 0→100→0 in steps, reads and writes all the while, not one
// failed request.
func TestUpAndDownUnderLoad(t *testing.T) {
	far := startBackend(t, named("flights"))
	w := start(t, config(far.URL, flightsRoute(0)), sqliteStore(t))
	l := w.load(http.MethodGet, http.MethodPost)
	for _, share := range []canary.Weight{0, 100, 500, 2500, 5000, 10000, 5000, 1, 0} {
		w.set("flights", share)
		const n = 400
		got := float64(w.shares(n)["flights"]) / n
		if diff := got - share.Ratio(); diff > 0.12 || diff < -0.12 || (share == 0 && got > 0) || (share == canary.Full && got < 1) {
			t.Errorf("at %s flights got %.3f of the callers", share, got)
		}
		time.Sleep(50 * time.Millisecond)
	}
	l.none(t)
}

// TestCallersStay: raising the weight moves nobody back.
func TestCallersStay(t *testing.T) {
	far := startBackend(t, named("flights"))
	w := start(t, config(far.URL, flightsRoute(0)), sqliteStore(t))
	moved := map[int]bool{}
	for _, share := range []canary.Weight{500, 3000, 9000} {
		w.set("flights", share)
		for c := range 200 {
			backend, _ := w.get(c)
			if moved[c] && backend != "flights" {
				t.Fatalf("at %s customer %d went back to %s", share, c, backend)
			}
			moved[c] = moved[c] || backend == "flights"
		}
	}
}

func TestFlipAndRollback(t *testing.T) {
	far := startBackend(t, named("flights"))
	w := start(t, config(far.URL, flightsRoute(500)), sqliteStore(t))
	for _, step := range []struct {
		action  proxy.Action
		backend string
		want    canary.Weight
	}{
		{proxy.Flip, "flights", 10000},
		{proxy.Flip, "flights", 0},
		{proxy.Flip, "flights", 10000},
		{proxy.Rollback, "", 0},
		{proxy.Rollback, "", 0},
	} {
		order := proxy.Order{Route: "flights", Action: step.action, Backend: step.backend, Reason: "test", DryRun: true}
		before := w.effective()
		if out, err := w.router.Apply(t.Context(), order); err != nil || out.To["flights"] != step.want || w.effective() != before {
			t.Fatalf("dry %s: %+v, %v, now at %s", step.action, out, err, w.effective())
		}
		order.DryRun = false
		if _, err := w.router.Apply(t.Context(), order); err != nil || w.effective() != step.want {
			t.Fatalf("%s: %v, now at %s, want %s", step.action, err, w.effective(), step.want)
		}
	}
	_, err := w.router.Apply(t.Context(), proxy.Order{Route: "flights", Action: proxy.Flip, Reason: "which one?"})
	if errs.CodeOf(err) != errs.Invalid {
		t.Errorf("a flip between three backends: %v", err)
	}
}

// TestRefusedOrders: each leaves everything as it was.
func TestRefusedOrders(t *testing.T) {
	w := start(t, config(deadAddress(t), flightsRoute(0)), sqliteStore(t))
	set := func(m weights.Weights) proxy.Order {
		return proxy.Order{Route: "flights", Action: proxy.Set, Weights: m, Reason: "test"}
	}
	for name, c := range map[string]struct {
		order proxy.Order
		code  errs.Code
	}{
		"other store":     {set(weights.Weights{"apart": 1}), errs.Unsafe},
		"flip away":       {proxy.Order{Route: "flights", Action: proxy.Flip, Backend: "apart", Reason: "test"}, errs.Unsafe},
		"no reason":       {proxy.Order{Route: "flights", Action: proxy.Rollback}, errs.Invalid},
		"long reason":     {proxy.Order{Route: "flights", Action: proxy.Rollback, Reason: strings.Repeat("x", 513)}, errs.Invalid},
		"unknown route":   {proxy.Order{Route: "nothing", Action: proxy.Rollback, Reason: "test"}, errs.NotFound},
		"unknown backend": {set(weights.Weights{"nobody": 5}), errs.Invalid},
		"nothing":         {set(nil), errs.Invalid},
		"too much":        {set(weights.Weights{"flights": 9000, "monolith": 9000}), errs.Invalid},
		"stale":           {proxy.Order{Route: "flights", Action: proxy.Rollback, Reason: "test", IfVersion: "7-abc"}, errs.PreconditionFailed},
	} {
		_, err := w.router.Apply(t.Context(), c.order)
		if errs.CodeOf(err) != c.code || w.effective() != 0 {
			t.Errorf("%s: %v, want code %s; flights has %s", name, err, c.code, w.effective())
		}
	}
	if log, err := w.router.Audit(t.Context(), "", 0, 10); err != nil || len(log) != 0 {
		t.Errorf("the audit log has %v, %v", log, err)
	}
}

// TestRestartKeepsWeights, and the file's version of the route wins once it changes.
func TestRestartKeepsWeights(t *testing.T) {
	store := sqliteStore(t)
	far := startBackend(t, named("flights"))
	file := filepath.Join(t.TempDir(), "routes.yaml")
	write := func(weight canary.Weight, comment string) {
		t.Helper()
		if err := os.WriteFile(file, []byte(comment+config(far.URL, flightsRoute(weight))), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	write(500, "")
	w := startFile(t, file, store)
	w.set("flights", 4000)
	w.stop()
	write(500, "# only a comment\n")
	w = startFile(t, file, store)
	if w.effective() != 4000 {
		t.Errorf("after a restart flights has %s, want the 40%% that were set", w.effective())
	}
	write(700, "") // while it runs
	eventually(t, "the changed file wins", func() bool { return w.effective() == 700 })
	eventually(t, "the run-time weights are retired", func() bool {
		v, err := w.router.Route("flights")
		return err == nil && v.Runtime != nil && !v.Runtime.InForce && strings.HasPrefix(v.Version, "2-")
	})
	write(500, "") // back to what the run-time weights were set for: they stay retired
	eventually(t, "the file of before", func() bool { return w.effective() == 500 })
	w.stop()
	w = startFile(t, file, store)
	if w.effective() != 500 {
		t.Errorf("retired weights came back: flights has %s", w.effective())
	}
	log, err := w.router.Audit(t.Context(), "flights", 0, 10)
	if err != nil || len(log) != 2 || log[0].Action != "retire" || log[1].Action != "set" || log[1].Actor != "tester" || log[1].To["flights"] != 4000 {
		t.Errorf("the audit log has %+v, %v", log, err)
	}
}

// TestReplicas: two routers on one database see each other's changes within half a
// second, and only one of two changes of the same version wins.
func TestReplicas(t *testing.T) {
	for name, open := range map[string]func(testing.TB) *sqldb.DB{"sqlite": dbtest.SQLite, "mysql": dbtest.MySQL} {
		t.Run(name, func(t *testing.T) {
			store := storeOn(t, open(t))
			far := startBackend(t, named("flights"))
			file := config(far.URL, flightsRoute(0))
			a, b := start(t, file, store), start(t, file, store)
			l := b.load(http.MethodGet)
			a.set("flights", 2500)
			began := time.Now()
			eventually(t, "b sees a's change", func() bool { return b.effective() == 2500 })
			if took := time.Since(began); took > 500*time.Millisecond {
				t.Errorf("it took %s", took)
			}
			b.set("flights", 0)
			eventually(t, "a sees b's change", func() bool { return a.effective() == 0 })
			l.none(t)
			oneWins(t, a, b)
		})
	}
}

func oneWins(t *testing.T, a, b *world) {
	t.Helper()
	v, err := a.router.Route("flights")
	if err != nil {
		t.Fatal(err)
	}
	results := make(chan error, 2)
	for i, w := range []*world{a, b} {
		go func() {
			_, err := w.router.Apply(t.Context(), proxy.Order{
				Route: "flights", Action: proxy.Set, Weights: weights.Weights{"flights": canary.Weight(100 * (i + 1))},
				Reason: "race", IfVersion: v.Version,
			})
			results <- err
		}()
	}
	lost := 0
	for range 2 {
		if err := <-results; errs.CodeOf(err) == errs.PreconditionFailed {
			lost++
		} else if err != nil {
			t.Fatal(err)
		}
	}
	if lost != 1 {
		t.Errorf("%d of two changes of one version lost, want 1", lost)
	}
	eventually(t, "both agree", func() bool { return a.effective() == b.effective() && a.effective() > 0 })
}

// TestDatabaseGone: the last known weights stay in force.
func TestDatabaseGone(t *testing.T) {
	db := dbtest.SQLite(t)
	far := startBackend(t, named("flights"))
	w := start(t, config(far.URL, flightsRoute(0)), storeOn(t, db))
	w.set("flights", 10000)
	if err := db.Close(); err != nil {
		t.Fatal(err)
	}
	eventually(t, "it is loud", func() bool { return strings.Contains(w.log.String(), "the last known ones stay in force") })
	if w.effective() != canary.Full || w.shares(50)["flights"] != 50 {
		t.Errorf("flights has %s", w.effective())
	}
	_, err := w.router.Apply(t.Context(), proxy.Order{Route: "flights", Action: proxy.Rollback, Reason: "test"})
	if err == nil || w.effective() != canary.Full {
		t.Errorf("a change without the database: %v", err)
	}
}

func TestNoConfigIsTheMonolith(t *testing.T) {
	p, err := proxy.New(t.Context(), proxy.Options{Modules: map[string]http.Handler{routes.Monolith: named("monolith")}})
	if err != nil {
		t.Fatal(err)
	}
	resp, err := (&http.Client{Transport: p.Transport()}).Get("http://banyan/anything")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = resp.Body.Close() }()
	if got := resp.Header.Get(proxy.BackendHeader); got != routes.Monolith {
		t.Errorf("%q answered", got)
	}
	if _, err := proxy.New(t.Context(), proxy.Options{}); errs.CodeOf(err) != errs.Invalid {
		t.Errorf("without a monolith: %v", err)
	}
}
