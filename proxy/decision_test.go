package proxy

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"slices"
	"testing"
	"time"
)

// BenchmarkDecision prints what a decision among 10,000 routes costs against one among
// 10: both take short turns, because the machine's speed drifts, and each side counts by
// its lower quartile. Requests go to ten routes, spread over the file. Wanted: ≤ 1.2.
func BenchmarkDecision(b *testing.B) {
	const turns, picks = 401, 2_000
	few, many := routerOf(b, 10, "header:X-Customer-Id"), routerOf(b, 10_000, "header:X-Customer-Id")
	turn := func(p *Router, requests []*http.Request) float64 {
		table := p.table.Load()
		began := time.Now()
		for i := range picks {
			table.pick(requests[i%len(requests)])
		}
		return float64(time.Since(began).Nanoseconds()) / picks
	}
	var of10, of10000 []float64
	for b.Loop() {
		for range turns {
			of10 = append(of10, turn(few, spread(1)))
			of10000 = append(of10000, turn(many, spread(1_000)))
		}
	}
	slices.Sort(of10)
	slices.Sort(of10000)
	x, y := of10[len(of10)/4], of10000[len(of10000)/4]
	b.ReportMetric(0, "ns/op") // a round is no operation
	b.ReportMetric(x, "ns/decision-of-10")
	b.ReportMetric(y, "ns/decision-of-10000")
	b.ReportMetric(y/x, "ratio")
}

// spread makes a request to each of ten routes, so many apart.
func spread(step int) []*http.Request {
	list := make([]*http.Request, 10)
	for i := range list {
		list[i] = httptest.NewRequest(http.MethodGet, fmt.Sprintf("/v1/r%d/AA34-JFK-20261121/seat-map", i*step), nil)
		list[i].Header.Set("X-Customer-Id", fmt.Sprint("customer-", i))
	}
	return list
}
