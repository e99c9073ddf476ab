package usage_test

import (
	"encoding/json"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	"banyan/proxy"
	"banyan/proxy/routes"
	"banyan/proxy/usage"
)

const file = `version: 1
backends:
  monolith: { kind: http, url: "%s", store: s }
  away: { kind: http, url: "%s", store: s }
routes:
  - id: fares
    match: { methods: [GET], paths: ["/v1/fares/{fare}"] }
    backends: { monolith: 0%%, away: 100%% }
`

// monolith answers what a shop has, and nothing else.
func monolith() http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if strings.HasPrefix(r.URL.Path, "/nothing") || strings.HasSuffix(r.URL.Path, ".php") {
			http.NotFound(w, r)
			return
		}
		if r.URL.Path == "/api/v1/reports" {
			w.WriteHeader(http.StatusInternalServerError)
		}
		_, _ = io.WriteString(w, "0123456789")
	})
}

// TestTemplates: a realistic stream through a real router is found again as templates.
func TestTemplates(t *testing.T) {
	home, away := httptest.NewServer(monolith()), httptest.NewServer(monolith())
	defer home.Close()
	defer away.Close()
	c, err := routes.Parse("routes.yaml", fmt.Appendf(nil, file, home.URL, away.URL))
	if err != nil {
		t.Fatal(err)
	}
	u := usage.New(nil)
	p, err := proxy.New(t.Context(), proxy.Options{Config: c, Observers: []proxy.Observer{u}})
	if err != nil {
		t.Fatal(err)
	}
	stream := aStream()
	total := send(t, p, stream)
	report := u.Report(usage.SinceStart, 100)
	found := map[string]usage.Endpoint{}
	for _, e := range report.Endpoints {
		found[e.Method+" "+e.Template] = e
	}
	for _, s := range stream {
		if e := found[s.method+" "+s.want]; e.Requests != int64(s.times) || e.BytesOut != int64(10*s.times) {
			t.Errorf("%s %s has %d requests and %d bytes, not %d", s.method, s.want, e.Requests, e.BytesOut, s.times)
		}
	}
	if len(found) != len(stream) || report.Refused != 200 || report.Total.Requests != int64(total+200) {
		t.Errorf("%d endpoints, %d refused, %d in all: %v", len(found), report.Refused, report.Total.Requests, report.Endpoints)
	}
	checkNumbers(t, report, found)
}

// checkNumbers looks at single endpoints, and at the advice.
func checkNumbers(t *testing.T, report usage.Report, found map[string]usage.Endpoint) {
	t.Helper()
	if e := found["GET /v1/fares/{fare}"]; !e.Route || e.AwayShare != 1 {
		t.Errorf("the known route: %+v", e)
	}
	if e := found["GET /api/v1/reports"]; e.ErrorRate != 1 {
		t.Errorf("the broken one: %+v", e)
	}
	if e := found["POST /api/v1/orders"]; e.WriteShare != 1 || e.BytesIn != 3*120 || e.P99 <= 0 || e.P50 > e.P99 {
		t.Errorf("the writing one: %+v", e)
	}
	text, err := json.Marshal(report)
	if err != nil || strings.Contains(string(text), "hush") || strings.Contains(string(text), "-1c2d-") || strings.Contains(string(text), "-shoe") {
		t.Errorf("ids or queries are shown, %v: %s", err, text)
	}
	advice := map[string]usage.Group{}
	for _, g := range report.Extract {
		advice[g.Prefix] = g
	}
	first := report.Extract[0]
	if first.Prefix != "/api/v1/catalogue/**" || first.Verdict != usage.First || !strings.Contains(first.Why, "100% of it reads") {
		t.Errorf("first is %+v", first)
	}
	if g := advice["/api/v1/orders/**"]; g.Verdict != usage.Later || g.Requests != 370 || !strings.Contains(g.Why, "about money") {
		t.Errorf("orders: %+v", g)
	}
	if g := advice["/v1/fares/**"]; g.Verdict != usage.Away {
		t.Errorf("fares: %+v", g)
	}
	if g := advice["/api/v1/reports/**"]; g.Verdict != usage.Unclear {
		t.Errorf("reports: %+v", g)
	}
}

func uuid(i int) string { return fmt.Sprintf("%08x-1c2d-4e5f-8a9b-%012x", i*2654435761, i) }

func slug(i int) string {
	letters := []byte("aaa")
	for j := range letters {
		letters[j] += byte(i / []int{1, 26, 676}[j] % 26)
	}
	return "the-" + string(letters) + "-shoe"
}

// asked is part of a stream of requests, and the template that should be found.
type asked struct {
	method, path, want string
	times              int
}

// aStream is what a shop's callers ask for; %d, %s and ~ stand for ids.
func aStream() []asked {
	return []asked{
		{"GET", "/api/v1/orders/%d", "/api/v1/orders/{id}", 250},
		{"POST", "/api/v1/orders", "/api/v1/orders", 120},
		{"GET", "/api/v1/users/%s", "/api/v1/users/{id}", 60},
		{"GET", "/api/v1/users/%s/orders/%d", "/api/v1/users/{id}/orders/{id2}", 60},
		{"GET", "/api/v1/catalogue", "/api/v1/catalogue", 400},
		{"GET", "/products/~", "/products/{id}", 300},
		{"GET", "/flights/AA%03d-LAX-20260517/seats", "/flights/{id}/seats", 60},
		{"GET", "/airports/JFK", "/airports/{id}", 30},
		{"GET", "/api/v1/reports", "/api/v1/reports", 30},
		{"GET", "/v1/fares/f%d?customer=hush", "/v1/fares/{fare}", 250},
		{"GET", "/health", "/health", 5},
		{"GET", "/", "/", 5},
	}
}

// send plays the stream, and somebody who looks for holes; it counts the former.
func send(t *testing.T, p http.Handler, stream []asked) (total int) {
	t.Helper()
	for _, s := range stream {
		for i := range s.times {
			path := s.path
			switch {
			case strings.Contains(path, "~"):
				path = strings.ReplaceAll(path, "~", slug(i))
			case strings.Contains(path, "%s"):
				args := []any{uuid(i), i}
				path = fmt.Sprintf(path, args[:strings.Count(path, "%")]...)
			case strings.Contains(path, "%"):
				path = fmt.Sprintf(path, i)
			}
			r := httptest.NewRequestWithContext(t.Context(), s.method, path, strings.NewReader(strings.Repeat("b", 3*len(s.method[3:]))))
			p.ServeHTTP(httptest.NewRecorder(), r)
			total++
		}
	}
	for i := range 200 { // somebody looks for holes
		p.ServeHTTP(httptest.NewRecorder(), httptest.NewRequestWithContext(t.Context(), "GET", fmt.Sprintf("/nothing/%s.php", slug(i)), nil))
	}
	return total
}

func exchange(method, path string, status int) *proxy.Exchange {
	r := httptest.NewRequest(method, "/", nil)
	r.URL.Path = path
	return &proxy.Exchange{Request: r, Status: status, Began: time.Now(), Took: time.Millisecond, Out: 1}
}

// letters gives a word that nobody knows.
func letters(random *rand.Rand, n int) string {
	b := make([]byte, n)
	for i := range b {
		b[i] = "abcdefghijklmnopqrstuvwxyz"[random.IntN(26)]
	}
	return string(b)
}

// TestBounded: whatever is sent, memory stays within a constant, nothing is lost from
// the sums, and what was known before stays known.
func TestBounded(t *testing.T) {
	u := usage.New(nil)
	for i := range 200 {
		u.Observe(exchange("GET", fmt.Sprint("/api/v1/orders/", i), 200))
		u.Observe(exchange("GET", fmt.Sprint("/api/v1/users/", i), 200))
	}
	heap := func() uint64 {
		var m runtime.MemStats
		runtime.GC()
		runtime.ReadMemStats(&m)
		return m.HeapAlloc
	}
	random := rand.New(rand.NewPCG(1, 2))
	word := func() string { return letters(random, 3+random.IntN(60)) }
	flood := func(n int) {
		for i := range n {
			path := ""
			for range 1 + random.IntN(14) {
				path += "/" + word()
				if random.IntN(8) == 0 {
					path += fmt.Sprint("/", random.IntN(1000))
				}
			}
			if i%5 == 0 { // to look settled
				for range 12 {
					u.Observe(exchange("GET", path+"/7", 200))
				}
			}
			u.Observe(exchange(word(), path, 200+random.IntN(400)))
		}
	}
	before := heap()
	flood(8_000)
	middle := heap()
	flood(8_000)
	after := heap()
	// Endpoints have seven sets of counts at most, of less than a kibibyte each.
	const most = 512*7*1024 + 4096*1024
	if after > before+most || after > middle+most/4 {
		t.Errorf("the heap grew from %d to %d and %d bytes", before, middle, after)
	}
	report := u.Report(usage.SinceStart, 10_000)
	var sum int64
	kept := map[string]int64{}
	for _, e := range report.Endpoints {
		sum += e.Requests
		kept[e.Template] += e.Requests
	}
	if want := int64(400 + 16_000 + 12*3_200); sum+report.Crowded+report.Refused != want || report.Total.Requests != want {
		t.Errorf("%d + %d + %d of %d are counted", sum, report.Crowded, report.Refused, want)
	}
	if len(report.Endpoints) > 512 || report.Crowded == 0 {
		t.Errorf("%d endpoints, %d crowded out", len(report.Endpoints), report.Crowded)
	}
	for _, template := range []string{"/api/v1/orders/{id}", "/api/v1/users/{id}"} {
		if kept[template] != 200 {
			t.Errorf("%s has %d requests", template, kept[template])
		}
	}
}

// TestLastHour forgets what is older.
func TestLastHour(t *testing.T) {
	now := time.Date(2026, 11, 21, 12, 0, 0, 0, time.UTC)
	u := usage.New(func() time.Time { return now })
	at := func(minute int) {
		x := exchange("GET", "/a", 200)
		x.Began = now.Add(time.Duration(minute) * time.Minute)
		u.Observe(x)
	}
	for minute := range 180 {
		at(minute)
	}
	start := now
	now = start.Add(179 * time.Minute)
	hour, all := u.Report(usage.LastHour, 9), u.Report(usage.SinceStart, 9)
	if all.Total.Requests != 180 || hour.Total.Requests != 60 || hour.Since != start.Add(2*time.Hour) {
		t.Errorf("%d in all, %d in the last hour, since %s", all.Total.Requests, hour.Total.Requests, hour.Since)
	}
	now = start.Add(10 * time.Hour)
	if r := u.Report(usage.LastHour, 9); r.Total.Requests != 0 || len(r.Endpoints) != 0 {
		t.Errorf("hours later there are %d", r.Total.Requests)
	}
}

// TestQuantiles are within an eighth.
func TestQuantiles(t *testing.T) {
	u := usage.New(nil)
	for i := range 1000 {
		x := exchange("GET", "/a", 200)
		x.Took = time.Duration(i+1) * time.Millisecond
		u.Observe(x)
	}
	e := u.Report(usage.SinceStart, 1).Endpoints[0]
	if e.P50 < 500*7/8 || e.P50 > 500*9/8 || e.P99 < 990*7/8 || e.P99 > 990*9/8 {
		t.Errorf("p50 %g ms, p99 %g ms", e.P50, e.P99)
	}
}

// TestConcurrent counts every exchange, also while a report is made.
func TestConcurrent(t *testing.T) {
	u := usage.New(nil)
	var all sync.WaitGroup
	for g := range 4 {
		all.Go(func() {
			for i := range 5000 {
				u.Observe(exchange("GET", fmt.Sprintf("/g%d/%d", g, i), 200))
				if i%1000 == 0 {
					u.Report(usage.LastHour, 5)
				}
			}
		})
	}
	all.Wait()
	if n := u.Report(usage.SinceStart, 5).Total.Requests; n != 20_000 {
		t.Errorf("%d of 20000 counted", n)
	}
}

func BenchmarkObserve(b *testing.B) {
	u := usage.New(nil)
	x := exchange("GET", "/api/v1/orders/4711/items", 200)
	b.ReportAllocs()
	for b.Loop() {
		u.Observe(x)
	}
}

func BenchmarkObserveParallel(b *testing.B) {
	u := usage.New(nil)
	b.RunParallel(func(pb *testing.PB) {
		x := exchange("GET", "/api/v1/orders/4711/items", 200)
		for pb.Next() {
			u.Observe(x)
		}
	})
}
