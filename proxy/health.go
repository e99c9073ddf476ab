package proxy

import (
	"context"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"sync"
	"time"

	"github.com/sirupsen/logrus"

	"banyan/proxy/routes"
)

// An instance is taken out after so many failed checks in a row, and back after so many
// that passed: one lost packet does not move traffic, nor does one lucky answer.
const (
	failuresToSick  = 2
	passesToHealthy = 2
	maxCheck        = 2 * time.Second // time for one check; a shorter interval wins
)

// checked is an instance and how it is checked.
type checked struct {
	*instance
	health routes.Health
}

// watchBackends keeps one health check running for each instance in use.
func (p *Router) watchBackends(ctx context.Context, loops *sync.WaitGroup) {
	running := map[checked]context.CancelFunc{}
	defer func() {
		for _, stop := range running {
			stop()
		}
	}()
	for {
		current := p.toCheck()
		for c, stop := range running {
			if !current[c] {
				stop()
				delete(running, c)
			}
		}
		for c := range current {
			if running[c] == nil {
				own, stop := context.WithCancel(ctx)
				running[c] = stop
				loops.Go(func() { c.watch(own, p.log) })
			}
		}
		select {
		case <-ctx.Done():
			return
		case <-p.changed:
		}
	}
}

// toCheck gives the instances of the backends in use that have a health check.
func (p *Router) toCheck() map[checked]bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	current := map[checked]bool{}
	for _, b := range p.backends {
		if b.pool == nil || b.Health.Interval == 0 {
			continue
		}
		for _, x := range b.pool.instances {
			current[checked{x, b.Health}] = true
		}
	}
	return current
}

// watch checks the instance until ctx ends; after that nothing is held against it.
func (c checked) watch(ctx context.Context, log logrus.FieldLogger) {
	defer c.sick.Store(false)
	client := &http.Client{
		// Connections of its own: a busy instance is not a sick one, and one that takes
		// no new connections is not healthy.
		Transport: &http.Transport{
			DisableKeepAlives: true, MaxResponseHeaderBytes: maxHead,
			TLSClientConfig: c.way.TLS(),
		},
		Timeout:       min(c.health.Interval, maxCheck),
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
	log = log.WithField("backend", c.backend).WithField("url", c.url)
	failed, passed := 0, 0
	for {
		err := c.check(ctx, client)
		switch {
		case ctx.Err() != nil:
			return
		case err != nil:
			failed, passed = failed+1, 0
		default:
			failed, passed = 0, passed+1
		}
		if failed == failuresToSick && !c.sick.Swap(true) {
			log.WithError(err).Warn("the backend is unhealthy and gets no new requests while another one serves the same data")
		}
		if passed == passesToHealthy && c.sick.Load() {
			c.begin(time.Now())
			c.sick.Store(false)
			log.Info("the backend is healthy again")
		}
		select {
		case <-ctx.Done():
			return
		case <-time.After(jitter(c.health.Interval)):
		}
	}
}

// check asks once. Anything but a status of 200 to 299 is a failure.
func (c checked) check(ctx context.Context, client *http.Client) error {
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, c.url+c.health.Path, nil)
	if err != nil {
		return err
	}
	resp, err := client.Do(r)
	if err != nil {
		return err
	}
	defer func() { _ = resp.Body.Close() }()
	_, _ = io.Copy(io.Discard, io.LimitReader(resp.Body, maxHead))
	if resp.StatusCode < 200 || resp.StatusCode > 299 {
		return fmt.Errorf("the health check answered %s", resp.Status)
	}
	return nil
}

// jitter spreads replicas' checks: ± 10 %.
func jitter(d time.Duration) time.Duration {
	return d*9/10 + rand.N(d/5+1)
}
