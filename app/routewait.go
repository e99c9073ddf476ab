package main

import (
	"context"
	"fmt"
	"maps"
	"time"

	"github.com/spf13/cobra"

	"banyan/modules/kernel/errs"
	"banyan/proxy"
	"banyan/proxy/weights"
)

// waitLimit bounds --wait.
const waitLimit = time.Minute

// await looks until the weights are in force.
func (c *adminClient) await(cmd *cobra.Command, id string, want weights.Weights) (proxy.View, error) {
	ctx, cancel := context.WithTimeout(cmd.Context(), waitLimit)
	defer cancel()
	bar := progress(cmd.ErrOrStderr(), "in force", len(want))
	defer func() { _ = bar.Exit() }()
	for {
		r, err := c.route(ctx, id)
		if err != nil {
			return proxy.View{}, err
		}
		reached := 0
		for name, w := range want {
			if r.Weights.Effective[name] == w {
				reached++
			}
		}
		_ = bar.Set(reached)
		if reached == len(want) {
			_ = bar.Finish()
			return r.View, nil
		}
		select {
		case <-ctx.Done():
			return proxy.View{}, errs.E(errs.GatewayTimeout, "route %s has not reached its weights within %s; someone else may have changed them: see banyan audit", id, waitLimit)
		case <-time.After(250 * time.Millisecond):
		}
	}
}

// Bounds of following a route's data.
const (
	followLimit  = 24 * time.Hour
	followEvery  = 250 * time.Millisecond
	stopFailures = 5 // moves that failed one after the other: about three seconds
)

// follow shows how the data of a route moves, until it is where it should be. want are
// the weights that were asked for, nil for whatever they are. Its error says why that
// will not happen, or not without help; the moves go on whenever they can.
func (c *adminClient) follow(cmd *cobra.Command, id string, want weights.Weights) (proxy.View, error) {
	ctx, cancel := context.WithTimeout(cmd.Context(), followLimit)
	defer cancel()
	m := newMeter(cmd.ErrOrStderr(), "moving buckets of "+id)
	defer m.end()
	for {
		r, err := c.route(ctx, id)
		switch {
		case ctx.Err() != nil:
			return proxy.View{}, errs.E(errs.GatewayTimeout, "no longer waiting, but the moves go on: see banyan moves watch %s; banyan routes pause %s stops them", id, id)
		case err != nil:
			return proxy.View{}, err
		case r.MovesView == nil:
			return proxy.View{}, errs.E(errs.Invalid, "route %s has no data that moves", id)
		}
		m.note = paceOf(r.MovesView)
		if r.Settled {
			m.line(r.Progress.Moved, r.Progress.Total)
			return r.View, nil
		}
		m.at(r.Progress.Moved, r.Progress.Total)
		if want != nil && !maps.Equal(want, r.Weights.Effective) {
			return proxy.View{}, errs.E(errs.PreconditionFailed, "somebody else has changed the weights of %s meanwhile; see banyan audit --route %s", id, id)
		}
		if why := stopped(r.MovesView); why != "" {
			return proxy.View{}, errs.E(errs.Unavailable, "route %s is at %s instead of %s: %s", id, shares(r.Actual), shares(r.Desired), why)
		}
		select {
		case <-ctx.Done():
		case <-time.After(followEvery):
		}
	}
}

// paceOf tells a person how it goes.
func paceOf(v *proxy.MovesView) string {
	return fmt.Sprintf("%.0f a second, pause p99 %.0f ms, %s left",
		v.Progress.Rate, v.Progress.PauseP99, time.Duration(v.Progress.Left*float64(time.Second)).Round(time.Second))
}

// stopped says why nothing moves although something should, "" if it does.
func stopped(v *proxy.MovesView) string {
	p := v.Progress
	switch {
	case v.Moving.Moves > 0:
		return ""
	case v.Paused:
		return "it is paused; go on with banyan routes resume"
	case p.Blocked > 0 && p.Blocked >= p.Total-p.Moved:
		return fmt.Sprintf("%d buckets are withheld, because their stores contradict the journal; see banyan moves verify", p.Blocked)
	case p.Failures >= stopFailures:
		return fmt.Sprintf("%d moves failed one after the other, and are tried again; the last: %s", p.Failures, oneLine(p.Error))
	}
	return ""
}
