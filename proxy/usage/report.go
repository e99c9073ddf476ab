package usage

import (
	"cmp"
	"slices"
	"time"
)

// Window says since when requests are counted.
type Window string

// The windows.
const (
	SinceStart Window = "start"
	LastHour   Window = "hour" // in steps of ten minutes: 50 to 60 minutes
)

// Report is what one process of the router has seen.
type Report struct {
	Window Window    `json:"window"`
	Since  time.Time `json:"since"`
	Total  Numbers   `json:"total"`
	// Extract says what to take out of the monolith, the first first.
	Extract   []Group    `json:"extract"`
	Endpoints []Endpoint `json:"endpoints"` // the busiest first
	Unlisted  int        `json:"unlisted"`  // endpoints beyond the limit that was asked for
	// Refused are requests for paths that were only ever answered with 4xx, Crowded those
	// that found no room: neither has templates.
	Refused int64 `json:"refused"`
	Crowded int64 `json:"crowded"`
}

// Endpoint is a method and a path template with its numbers.
type Endpoint struct {
	Method   string `json:"method"`
	Template string `json:"template"`
	Route    bool   `json:"route"` // the template is a pattern of routes.yaml
	Numbers
}

// Numbers are of one window; rates are 0 to 1.
type Numbers struct {
	Requests   int64   `json:"requests"`
	Share      float64 `json:"share"`       // of all requests
	WriteShare float64 `json:"write_share"` // of these requests
	ErrorRate  float64 `json:"error_rate"`  // 5xx, and answers that broke off
	RefuseRate float64 `json:"refuse_rate"` // 4xx
	AwayShare  float64 `json:"away_share"`  // answered by another backend than the monolith
	P50        float64 `json:"p50_ms"`
	P99        float64 `json:"p99_ms"`
	BytesIn    int64   `json:"bytes_in"` // of the bodies
	BytesOut   int64   `json:"bytes_out"`
}

// row is an endpoint's counts in the window asked for.
type row struct {
	method   method
	template string
	route    bool
	counts   counts
}

// Report gives the numbers of a window, with at most limit endpoints and groups.
func (u *Usage) Report(w Window, limit int) Report {
	now := u.now()
	rows, refused, crowded := u.rows(w, now)
	var all counts
	writes := int64(0)
	for i := range rows {
		all.merge(&rows[i].counts)
		if !rows[i].method.reads() {
			writes += rows[i].counts.requests
		}
	}
	out := Report{Window: w, Since: u.began.UTC(), Refused: refused.requests, Crowded: crowded.requests, Endpoints: []Endpoint{}}
	if w == LastHour {
		if begin := now.Truncate(part).Add(-(parts - 1) * part); begin.After(u.began) {
			out.Since = begin.UTC()
		}
	}
	out.Extract = advise(rows, all.requests)
	out.Extract = out.Extract[:min(limit, len(out.Extract))]
	all.merge(&refused)
	all.merge(&crowded)
	out.Total = all.numbers(all.requests, writes)
	slices.SortFunc(rows, func(a, b row) int {
		return cmp.Or(cmp.Compare(b.counts.requests, a.counts.requests), cmp.Compare(a.template, b.template), cmp.Compare(a.method, b.method))
	})
	names := methodNames()
	for i := range rows {
		if i == limit {
			out.Unlisted = len(rows) - limit
			break
		}
		r := &rows[i]
		own := int64(0)
		if !r.method.reads() {
			own = r.counts.requests
		}
		out.Endpoints = append(out.Endpoints, Endpoint{names[r.method], r.template, r.route, r.counts.numbers(all.requests, own)})
	}
	return out
}

// rows copies what is asked for, so that the counting waits for no longer than that.
func (u *Usage) rows(w Window, now time.Time) (rows []row, refused, crowded counts) {
	u.mu.Lock()
	defer u.mu.Unlock()
	of := func(e *endpoint) counts {
		if w == LastHour {
			return e.lastHour(now)
		}
		return e.total
	}
	at := map[known]int{}
	add := func(m method, template string, route bool, e *endpoint) {
		c := of(e)
		if c.requests == 0 {
			return
		}
		key := known{m, template}
		if i, ok := at[key]; ok {
			rows[i].counts.merge(&c)
			rows[i].route = rows[i].route || route
			return
		}
		at[key] = len(rows)
		rows = append(rows, row{m, template, route, c})
	}
	for k, e := range u.known {
		add(k.method, k.pattern, true, e)
	}
	u.tree.root.walk("", 0, func(template string, n *node) {
		for m, e := range n.methods {
			if e != nil {
				add(method(m), cmp.Or(template, "/"), false, e)
			}
		}
	})
	return rows, of(&u.refused), of(&u.crowded)
}

func (c *counts) numbers(all, writes int64) Numbers {
	return Numbers{
		Requests: c.requests, Share: ratio(c.requests, all), WriteShare: ratio(writes, c.requests),
		ErrorRate: ratio(c.errors, c.requests), RefuseRate: ratio(c.refused, c.requests), AwayShare: ratio(c.away, c.requests),
		P50: ms(c.took.quantile(0.5)), P99: ms(c.took.quantile(0.99)), BytesIn: c.in, BytesOut: c.out,
	}
}

func ratio(n, of int64) float64 {
	if of == 0 {
		return 0
	}
	return float64(n) / float64(of)
}

func ms(d time.Duration) float64 { return float64(d.Microseconds()) / 1000 }
