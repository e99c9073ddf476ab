package proxy

import (
	"context"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"time"

	"github.com/sirupsen/logrus"
)

// A backend is taken out after so many failed checks in a row, and back after so many
// that passed: one lost packet does not move traffic, nor does one lucky answer.
const (
	failuresToSick  = 2
	passesToHealthy = 2
	maxCheck        = 2 * time.Second // time for one check; a shorter interval wins
)

// watchHealth checks one backend until ctx ends.
func (b *backend) watchHealth(ctx context.Context, log logrus.FieldLogger) {
	client := &http.Client{
		// Connections of its own: a busy backend is not a sick one, and one that takes
		// no new connections is not healthy.
		Transport:     &http.Transport{DisableKeepAlives: true, MaxResponseHeaderBytes: maxHead},
		Timeout:       min(b.Health.Interval, maxCheck),
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
	failed, passed := 0, 0
	for {
		err := b.check(ctx, client)
		switch {
		case ctx.Err() != nil:
			return
		case err != nil:
			failed, passed = failed+1, 0
		default:
			failed, passed = 0, passed+1
		}
		if failed == failuresToSick && !b.sick.Swap(true) {
			log.WithError(err).WithField("backend", b.Name).Warn("the backend is unhealthy and gets no new requests while another one serves the same data")
		}
		if passed == passesToHealthy && b.sick.Swap(false) {
			log.WithField("backend", b.Name).Info("the backend is healthy again")
		}
		select {
		case <-ctx.Done():
			return
		case <-time.After(jitter(b.Health.Interval)):
		}
	}
}

// check asks once. Anything but a status of 200 to 299 is a failure.
func (b *backend) check(ctx context.Context, client *http.Client) error {
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, b.URL+b.Health.Path, nil)
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

// state is what people see.
func (b *backend) state() string {
	switch {
	case b.handler != nil:
		return "in process"
	case b.Health.Interval == 0:
		return "unchecked"
	case b.sick.Load():
		return "unhealthy"
	}
	return "healthy"
}
