package bench_test

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

const (
	callers = 16 // at once, on both sides
	rounds  = 5
	turn    = 2 * time.Second // of each side in each round
)

// contest compares the product with a baseline. Each side is called from many
// goroutines with a number that never repeats.
type contest struct {
	base, product func(ctx context.Context, n int) error
	atLeast       float64 // the wanted ratio of product to base, in calls a second
}

// run lets both sides take turns and prints the median ratio.
func (c contest) run(b *testing.B) {
	b.Helper()
	var next atomic.Int64
	var ratios, bases, products []float64
	for b.Loop() {
		for range rounds {
			base := rate(b, &next, c.base)
			product := rate(b, &next, c.product)
			bases, products = append(bases, base), append(products, product)
			ratios = append(ratios, product/base)
		}
	}
	ratio := median(ratios)
	b.ReportMetric(0, "ns/op") // a round is no operation
	b.ReportMetric(median(bases), "base/s")
	b.ReportMetric(median(products), "product/s")
	b.ReportMetric(ratio, "ratio")
	report(b, ratio, fmt.Sprintf(">= %.2f", c.atLeast), ratio >= c.atLeast)
}

// report prints a line of the table; a target that is missed is shown, not failed:
// no timing decides a test.
func report(b *testing.B, value float64, reach string, reached bool) {
	b.Helper()
	verdict := "reached"
	if !reached {
		verdict = "MISSED"
	}
	fmt.Printf("\n%-40s %8.3f   wanted %-10s %s\n", b.Name(), value, reach, verdict)
}

// rate runs op from all callers for one turn and gives calls a second.
func rate(b *testing.B, next *atomic.Int64, op func(context.Context, int) error) float64 {
	b.Helper()
	ctx, cancel := context.WithTimeout(b.Context(), turn+30*time.Second)
	defer cancel()
	var done atomic.Int64
	var wg sync.WaitGroup
	start := time.Now()
	for range callers {
		wg.Go(func() {
			for time.Since(start) < turn {
				if err := op(ctx, int(next.Add(1))); err != nil {
					b.Error(err)
					return
				}
				done.Add(1)
			}
		})
	}
	wg.Wait()
	if b.Failed() {
		b.FailNow()
	}
	return float64(done.Load()) / time.Since(start).Seconds()
}

func median(values []float64) float64 {
	sorted := slices.Sorted(slices.Values(values))
	return sorted[len(sorted)/2]
}
