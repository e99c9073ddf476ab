package proxy_test

import (
	"testing"

	"banyan/proxy"
	"banyan/proxy/analysis"
	"banyan/proxy/canary"
	"banyan/proxy/promotion"
)

// TestPromoteByAllReplicas: the replica that drives has no customers; those of another
// one decide, upwards and back.
func TestPromoteByAllReplicas(t *testing.T) {
	for _, c := range []struct {
		name      string
		failEvery int64
		state     promotion.State
		share     canary.Weight
	}{
		{"good", 0, promotion.Promoted, canary.Full},
		{"bad", 20, promotion.Failed, canary.None},
	} {
		t.Run(c.name, func(t *testing.T) {
			system := newClimb(t, answering(0, 0), answering(0, c.failEvery), "metrics: [{name: success-rate, min: 99%}, {name: p50, max: 1h}]")
			driver, _, _ := system.start()
			promote(t, driver, "flights")
			drives := until(t, driver, "flights", "it is driven", func(v proxy.PromotionView) bool { return v.Driver != "" }).Driver
			_, url, _ := system.start()
			busy(t, url, flightsGet)
			v := until(t, driver, "flights", "the end", func(v proxy.PromotionView) bool {
				return v.State.Ended() && share(t, driver, "flights", "flights") == c.share
			})
			if v.State != c.state || v.Driver != drives {
				t.Errorf("it is %+v", v)
			}
			own := 0
			for _, arm := range v.Lately {
				own += arm.Requests
			}
			if seen := v.Metrics[0].Canary.Requests; own > 0 || seen < 50 || (c.state == promotion.Failed) != (v.Metrics[0].Verdict == analysis.Fail) {
				t.Errorf("the driver had %d requests itself, and judged by %d: %+v", own, seen, v.Metrics)
			}
			eventually(t, "nothing is left of the counts", func() bool {
				left := -1
				err := system.db.Reader().GetContext(t.Context(), &left, "SELECT COUNT(*) FROM promotion_counts")
				return err == nil && left == 0
			})
		})
	}
}
