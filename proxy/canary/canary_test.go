package canary_test

import (
	"fmt"
	"math"
	"math/rand/v2"
	"testing"

	"banyan/proxy/canary"
)

func TestParseWeight(t *testing.T) {
	for text, want := range map[string]canary.Weight{
		"0%": 0, "100%": 10000, "25%": 2500, "0.05%": 5, "0.5%": 50, "99.99%": 9999, "5.00%": 500, " 7% ": 700, "100.00%": 10000,
	} {
		got, err := canary.ParseWeight(text)
		if err != nil || got != want {
			t.Errorf("ParseWeight(%q) = %d, %v; want %d", text, got, err, want)
		}
		if again, err := canary.ParseWeight(got.String()); err != nil || again != got {
			t.Errorf("%q prints as %q, which reads as %d, %v", text, got, again, err)
		}
	}
	for _, text := range []string{"", "%", "5", "-1%", "+1%", "100.01%", "101%", "0.001%", ".5%", "5.%", "1e1%", "5 %", "9999999999999999999%", "٥%", "NaN%", "5%%"} {
		if w, err := canary.ParseWeight(text); err == nil {
			t.Errorf("ParseWeight(%q) = %d, want an error", text, w)
		}
	}
}

// TestCohortsAreMonotone: w1 ≤ w2 ⇒ cohort(w1) ⊆ cohort(w2), for the backend beside
// the home.
func TestCohortsAreMonotone(t *testing.T) {
	rnd := rand.New(rand.NewPCG(1, 2))
	names := []string{"monolith", "flights"}
	for range 2000 {
		low, high := canary.Weight(rnd.IntN(10001)), canary.Weight(rnd.IntN(10001))
		if low > high {
			low, high = high, low
		}
		a := canary.NewSplit(names, []canary.Weight{canary.Full - low, low})
		b := canary.NewSplit(names, []canary.Weight{canary.Full - high, high})
		seed := canary.Seed(fmt.Sprintf("route-%d", rnd.IntN(50)))
		for range 50 {
			p := canary.Position(seed, fmt.Sprintf("customer-%d", rnd.Uint64()))
			if a.Choose(p) == 1 && b.Choose(p) != 1 {
				t.Fatalf("position %d is in the cohort of %s but not of %s", p, low, high)
			}
		}
	}
}

func TestShares(t *testing.T) {
	const callers = 200_000
	names := []string{"monolith", "b", "a"}
	for _, weights := range [][]canary.Weight{
		{10000, 0, 0}, {0, 10000, 0}, {0, 0, 10000}, {9500, 500, 0}, {9995, 5, 0}, {2500, 5000, 2500}, {0, 1, 9999},
	} {
		split := canary.NewSplit(names, weights)
		seed := canary.Seed("flights-read")
		got := make([]int, len(names))
		for i := range callers {
			got[split.Choose(canary.Position(seed, fmt.Sprintf("c-%d", i)))]++
		}
		for i, w := range weights {
			share := w.Ratio()
			slack := 5 * math.Sqrt(callers*share*(1-share)) // five sigma; none at 0 and 1
			if math.Abs(float64(got[i])-callers*share) > slack {
				t.Errorf("%v: %s got %d of %d callers, want about %.0f ± %.0f", weights, names[i], got[i], callers, callers*share, slack)
			}
		}
	}
}

// TestOrderInTheFileDoesNotMatter: ranges follow the names.
func TestOrderInTheFileDoesNotMatter(t *testing.T) {
	one := canary.NewSplit([]string{"m", "x", "y"}, []canary.Weight{5000, 2000, 3000})
	two := canary.NewSplit([]string{"m", "y", "x"}, []canary.Weight{5000, 3000, 2000})
	swap := []int{0, 2, 1}
	for p := range canary.Positions {
		if one.Choose(p) != swap[two.Choose(p)] {
			t.Fatalf("position %d differs", p)
		}
	}
}

// TestPositionsAreStable pins the hash: a release that changed it would move cohorts.
func TestPositionsAreStable(t *testing.T) {
	for key, want := range map[string]int{"": 8196, "customer-1": 6655, "AA34-JFK-20261121": 7659} {
		if got := canary.Position(canary.Seed("flights-read"), key); got != want {
			t.Errorf("position of %q = %d, want %d", key, got, want)
		}
	}
}

func TestNoAllocations(t *testing.T) {
	split := canary.NewSplit([]string{"monolith", "flights"}, []canary.Weight{9500, 500})
	seed, sink := canary.Seed("flights-read"), 0
	if n := testing.AllocsPerRun(1000, func() { sink += split.Choose(canary.Position(seed, "customer-4711")) }); n != 0 {
		t.Errorf("%v allocations per choice, want 0", n)
	}
}
