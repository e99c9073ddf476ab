package usage

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
)

// Verdict says when a group's turn is.
type Verdict string

// The verdicts.
const (
	First   Verdict = "first"
	Next    Verdict = "next"
	Later   Verdict = "later"
	Unclear Verdict = "unclear" // too little traffic to tell
	Away    Verdict = "away"    // it has left the monolith
)

// Group is endpoints that would be extracted together, as they share a resource.
type Group struct {
	Prefix    string  `json:"prefix"` // as a path of routes.yaml
	Endpoints int     `json:"endpoints"`
	Score     float64 `json:"score"` // 0 to 100
	Verdict   Verdict `json:"verdict"`
	Why       string  `json:"why"`
	Numbers
}

// What a group is judged by.
const (
	enough    = 200  // requests
	gone      = 0.99 // answered elsewhere
	mostly    = 0.8  // reads
	fewErrors = 0.02
	good      = 50.0 // score
)

// advise orders the groups: what is best taken out first, and why.
func advise(rows []row, all int64) []Group {
	groups := gather(rows, all)
	slices.SortFunc(groups, func(a, b Group) int {
		return cmp.Or(cmp.Compare(place(a.Verdict), place(b.Verdict)), cmp.Compare(b.Score, a.Score), cmp.Compare(a.Prefix, b.Prefix))
	})
	first := true
	for i := range groups {
		g := &groups[i]
		if g.Verdict == Next && first {
			if first = false; g.WriteShare <= 1-mostly && g.ErrorRate <= fewErrors {
				g.Verdict = First
			}
		}
		g.Why = g.why()
	}
	return groups
}

func place(v Verdict) int {
	return slices.Index([]Verdict{First, Next, Later, Unclear, Away}, v)
}

func gather(rows []row, all int64) []Group {
	sums, writes, templates := map[string]*counts{}, map[string]int64{}, map[string]int{}
	for i := range rows {
		prefix := resource(rows[i].template)
		if sums[prefix] == nil {
			sums[prefix] = &counts{}
		}
		sums[prefix].merge(&rows[i].counts)
		templates[prefix]++
		if !rows[i].method.reads() {
			writes[prefix] += rows[i].counts.requests
		}
	}
	groups := make([]Group, 0, len(sums))
	for prefix, c := range sums {
		g := Group{Prefix: prefix, Endpoints: templates[prefix], Numbers: c.numbers(all, writes[prefix])}
		g.Score = g.score()
		switch {
		case g.AwayShare >= gone:
			g.Verdict = Away
		case g.Requests < enough:
			g.Verdict = Unclear
		case g.Score >= good && !(money(prefix) && g.WriteShare > 0):
			g.Verdict = Next
		default:
			g.Verdict = Later
		}
		groups = append(groups, g)
	}
	return groups
}

// resource gives the first name in a template that says what it is about, with
// everything below it: /api/v1/orders/{id}/items belongs to /api/v1/orders/**.
func resource(template string) string {
	at := ""
	for segment := range strings.SplitSeq(strings.TrimPrefix(template, "/"), "/") {
		if strings.HasPrefix(segment, "{") || segment == "**" || segment == "" {
			break
		}
		at += "/" + segment
		if !general(segment) {
			return at + "/**"
		}
	}
	return cmp.Or(at, "") + "/**"
}

// general segments stand before a resource and say nothing about it.
func general(segment string) bool {
	switch strings.ToLower(segment) {
	case "api", "apis", "rest", "public", "internal", "private", "web", "app", "service", "services":
		return true
	}
	return version(segment)
}

// money tells whether a mistake there costs some.
func money(prefix string) bool {
	for _, word := range []string{
		"pay", "checkout", "invoice", "refund", "billing", "card", "wallet", "transfer", "charge", "order", "basket", "cart",
		"booking", "reservation", "purchase", "ledger", "account",
	} {
		if strings.Contains(strings.ToLower(prefix), word) {
			return true
		}
	}
	return false
}

// score weighs: reads can be copied, compared and shifted without moving data; traffic
// makes it worth it and measurable; errors hide what the move breaks; many endpoints are
// much work; writes about money come last.
func (g *Group) score() float64 {
	s := 40*(1-g.WriteShare) + 25*min(1, g.Share/0.2) + 20*max(0, 1-20*g.ErrorRate) + 15*(1-float64(min(g.Endpoints-1, 9))/9)
	if money(g.Prefix) && g.WriteShare > 0.05 {
		s -= 25
	}
	return max(0, s)
}

// why says the verdict's reason in one sentence, with the numbers.
func (g *Group) why() string {
	facts := fmt.Sprintf("%s of the traffic, %s of it reads, %s errors, p99 %.3g ms, %d endpoints",
		percent(g.Share), percent(1-g.WriteShare), percent(g.ErrorRate), g.P99, g.Endpoints)
	if g.Endpoints == 1 {
		facts = strings.TrimSuffix(facts, "s")
	}
	var reason string
	switch {
	case g.Verdict == Away:
		reason = percent(g.AwayShare) + " is answered by a service already"
	case g.Verdict == Unclear:
		reason = fmt.Sprintf("%d requests are too few to tell; %d are needed", g.Requests, enough)
	case g.Verdict == First:
		reason = "begin here: its reads can be shadowed and shifted without moving data, and there is enough traffic to see a mistake soon"
	case money(g.Prefix) && g.WriteShare > 0:
		reason = "later: its writes are about money or seats, so practise on something else and make the route stateful"
	case g.ErrorRate > fewErrors:
		reason = "mend its errors first: they would hide what the move breaks"
	case g.WriteShare > 1-mostly:
		reason = "it writes much, so its data must move with it"
	case g.Verdict == Next:
		reason = "a good second step, for the same reasons"
	default:
		reason = "there is more to gain elsewhere"
	}
	return facts + ": " + reason
}

func percent(share float64) string {
	switch p := 100 * share; {
	case p == 0 || p == 100:
		return fmt.Sprintf("%.0f%%", p)
	case p < 0.01:
		return "under 0.01%"
	case p > 99.9:
		return "over 99.9%"
	default:
		return fmt.Sprintf("%.3g%%", p)
	}
}
