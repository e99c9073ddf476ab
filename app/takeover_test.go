package main

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"banyan/modules/kernel/dbtest"
	"banyan/proxy"
	"banyan/proxy/admin"
	"banyan/proxy/promotion"
)

const ramp = `version: 1
backends:
  monolith: { kind: http, url: "%s", store: orders }
  new: { kind: http, url: "%s", store: orders }
routes:
  - id: orders
    match: { paths: ["/orders/{id}"] }
    backends: { monolith: 100%%, new: 0%% }
    hashOn: [ path:id ]
    analysis: { interval: 3s, minSamples: 20, steps: [20%%, 50%%, 100%%], metrics: [{name: success-rate, min: 90%%}] }
`

// customers ask a replica for orders until they are stopped, and count what was wrong:
// anything but an answer of a backend itself, or a failure by the home.
type customers struct {
	asked  atomic.Int64
	mu     sync.Mutex
	wrong  []string // the first ones
	cancel context.CancelFunc
	done   sync.WaitGroup
}

func startCustomers(t *testing.T, url string) *customers {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	c := &customers{cancel: cancel}
	for n := range 4 {
		c.done.Go(func() {
			for i := 0; ctx.Err() == nil; i++ {
				c.ask(ctx, fmt.Sprintf("%s/orders/%d-%d", url, n, i))
				time.Sleep(5 * time.Millisecond)
			}
		})
	}
	t.Cleanup(c.stop)
	return c
}

func (c *customers) ask(ctx context.Context, url string) {
	status, header, _, err := call(ctx, http.MethodGet, url, "")
	if ctx.Err() != nil {
		return
	}
	c.asked.Add(1)
	own := status == http.StatusInternalServerError && header.Get("X-Banyan-Backend") == "new" && header.Get("X-Application") == "new"
	if err != nil || status != http.StatusOK && !own {
		c.mu.Lock()
		defer c.mu.Unlock()
		if len(c.wrong) < 10 {
			c.wrong = append(c.wrong, fmt.Sprint(url, ": ", status, " by ", header.Get("X-Banyan-Backend"), " ", err))
		}
	}
}

func (c *customers) stop() { c.cancel(); c.done.Wait() }

// breakable is an application that fails while it is broken.
func breakable(t *testing.T, broken *atomic.Bool) string {
	t.Helper()
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("X-Application", "new")
		if broken.Load() {
			w.WriteHeader(http.StatusInternalServerError)
		}
	}))
	t.Cleanup(s.Close)
	return s.URL
}

// TestPromotionTakenOver kills the replica that drives a promotion in the middle of a
// step. The other one goes on: it ends the ramp of a good service at 100 %, takes that
// of a bad one back, and fails no request meanwhile.
func TestPromotionTakenOver(t *testing.T) {
	if testing.Short() {
		t.Skip("it builds the program")
	}
	binary := build(t)
	for _, c := range []struct {
		name  string
		bad   bool // from the kill on
		state promotion.State
		share string
		last  string // line of the audit log
	}{
		{"good", false, promotion.Promoted, "100%", "promoted"},
		{"bad", true, promotion.Failed, "0%", "set"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel() // most of it is waiting for the lease to end
			var broken atomic.Bool
			file := writeFile(t, "routes.yaml", fmt.Sprintf(ramp, application(t, "old"), breakable(t, &broken)))
			dsn := dbtest.MySQLDSN(t)
			driver, kill := startAlone(t, binary, "proxy", "--mysql-dsn", dsn, "--routes", file)
			code, _, stderr := command(t, []string{"BANYAN_ADMIN=" + driver.admin}, "routes", "promote", "orders", "--reason", "release 12")
			if code != 0 {
				t.Fatalf("promote: exit %d: %s", code, stderr)
			}
			drives := ""
			until(t, "it is driven", func() bool { drives = promotionOf(t, driver.admin).Driver; return drives != "" })
			survivor, _ := startAlone(t, binary, "proxy", "--mysql-dsn", dsn, "--routes", file)
			theirs, ours := startCustomers(t, driver.url), startCustomers(t, survivor.url) // the first step waits for them
			until(t, "the second step", func() bool { return promotionOf(t, survivor.admin).Step == 2 })
			kill()
			theirs.stop()
			broken.Store(c.bad)
			left := promotionOf(t, survivor.admin)
			if left.State != promotion.Running || left.Driver != drives {
				t.Fatalf("the kill did not come in the middle: %+v", left)
			}
			killed := time.Now()
			until(t, "the other replica drives", func() bool { return promotionOf(t, survivor.admin).Driver != drives })
			t.Logf("taken over after %s", time.Since(killed).Round(100*time.Millisecond))
			until(t, "the end", func() bool {
				share := want(t, 200, "GET", survivor.admin+"/admin/v1/routes/orders", "")["weights"].(map[string]any)["effective"].(map[string]any)["new"]
				return promotionOf(t, survivor.admin).State == c.state && share == c.share
			})
			before := ours.asked.Load()
			until(t, "requests after the end", func() bool { return ours.asked.Load() > before+50 })
			ours.stop()
			if len(ours.wrong) > 0 {
				t.Errorf("of %d requests failed: %v", ours.asked.Load(), ours.wrong)
			}
			now := promotionOf(t, survivor.admin).Driver
			tellsWho(t, survivor.admin, c.last, fmt.Sprintf("replica %s drives the promotion in the place of %s, at 50%%", now, drives))
		})
	}
}

// promotionOf gives how the promotion of the route orders stands.
func promotionOf(t *testing.T, address string) proxy.PromotionView {
	t.Helper()
	status, body := text(t, address+"/admin/v1/routes/orders")
	var route admin.Route
	if err := json.Unmarshal([]byte(body), &route); status != 200 || err != nil || route.Promotion == nil {
		t.Fatalf("%d %v: %s", status, err, body)
	}
	return *route.Promotion
}

// tellsWho wants the audit log to end with an action by the promoter, and to have one
// line about the take-over.
func tellsWho(t *testing.T, address, last, took string) {
	t.Helper()
	_, stdout, _ := command(t, []string{"BANYAN_ADMIN=" + address}, "audit", "--route", "orders", "-o", "json")
	var page admin.AuditPage
	if err := json.Unmarshal([]byte(stdout), &page); err != nil || len(page.Entries) == 0 {
		t.Fatalf("%v: %s", err, stdout)
	}
	if e := page.Entries[0]; e.Action != last || e.Actor != "promoter" {
		t.Errorf("the audit log ends with %s by %s", e.Action, e.Actor)
	}
	found := 0
	for _, e := range page.Entries {
		if e.Action == "take over" && e.Actor == "promoter" && e.Reason == took {
			found++
		}
	}
	if found != 1 {
		t.Errorf("the audit log says %s times: %s\n%s", fmt.Sprint(found), took, stdout)
	}
}
