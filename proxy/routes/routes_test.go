package routes_test

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"banyan/modules/kernel/errs"
	"banyan/proxy/balance"
	"banyan/proxy/canary"
	"banyan/proxy/routes"
)

// TestSurface loads the documented example, reservations still at home.
func TestSurface(t *testing.T) {
	c, err := routes.Load(filepath.Join("testdata", "surface.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	if len(c.Routes) != 2 || len(c.Backends) != 3 {
		t.Fatalf("%d routes, %d backends", len(c.Routes), len(c.Backends))
	}
	read, _ := c.Route("flights-read")
	if got := read.Weights()["flights"]; got != 500 {
		t.Errorf("flights has %s of flights-read, want 5%%", got)
	}
	if got := fmt.Sprint(read.HashOn); got != "[header:X-Customer-Id path:flight_id client-ip]" {
		t.Errorf("hashOn is %s", got)
	}
	if s := read.Shadow; s == nil || s.MaxBody != 64<<10 || s.Percent != 1000 {
		t.Errorf("shadow is %+v", s)
	}
	reservations, _ := c.Route("reservations")
	if s := reservations.Stateful; s == nil || s.MaxWaiters != 256 || len(s.Aggregate) != 4 {
		t.Errorf("stateful is %+v", s)
	}
	if a := reservations.Analysis; a == nil || len(a.Steps) != 5 || len(a.Metrics) != 3 || *a.Metrics[0].Min != 0.995 {
		t.Errorf("analysis is %+v", a)
	}
	if len(c.Warnings) != 0 {
		t.Errorf("it is warned of %q", c.Warnings)
	}
}

// TestStatefulShift: the same file with 1 % of reservations away. Its data moves with the
// traffic, but only to the participant.
func TestStatefulShift(t *testing.T) {
	body, err := os.ReadFile(filepath.Join("testdata", "surface.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	shifted := func(shares string) error {
		file := strings.Replace(string(body), "{ monolith: 100%, reservations: 0% }", shares, 1)
		_, err := routes.Parse("routes.yaml", []byte(file))
		return err
	}
	if err := shifted("{ monolith: 99%, reservations: 1% }"); err != nil {
		t.Errorf("to the participant: %v", err)
	}
	other := strings.Replace(string(body), "\nroutes:", "\n  third: { kind: http, url: http://127.0.0.1:9, store: third }\nroutes:", 1)
	other = strings.Replace(other, "{ monolith: 100%, reservations: 0% }", "{ monolith: 99%, reservations: 0%, third: 1% }", 1)
	if _, err := routes.Parse("routes.yaml", []byte(other)); errs.CodeOf(err) != errs.Unsafe || !strings.Contains(fmt.Sprint(err), "the data would stay behind") {
		t.Errorf("to another: got %v, want it refused as unsafe, with the reason", err)
	}
}

const head = `version: 1
backends:
  monolith: { kind: inproc, store: shared }
  a: { kind: http, url: "http://127.0.0.1:1", store: shared }
  b: { kind: http, url: "http://127.0.0.1:2", store: own }
  c: { kind: http, url: "http://127.0.0.1:3" }
routes:
`

// TestDots: what clients resolve is never met.
func TestDots(t *testing.T) {
	for _, path := range []string{"/a/./b", "/a/.."} {
		if _, err := routes.ParsePattern(path); err == nil || !strings.Contains(err.Error(), "clients resolve . and ..") {
			t.Errorf("%s: %v", path, err)
		}
	}
}

// TestRefusals: each mistake has its line (lines of head included) and what to do.
func TestRefusals(t *testing.T) {
	route := func(s string) string { return head + "  - { id: r, " + s + " }\n" }
	get := "match: { methods: [GET], paths: [/x] }"
	for _, c := range []struct{ name, file, want string }{
		{"empty", "", ":1: the file is empty"},
		{"no YAML", "a: [", "this is not YAML"},
		{"list", "- a", ":1: the file must be a mapping"},
		{"no version", "routes: []", "the version is missing: write \"version: 1\""},
		{"version", "version: 2", ":1: version 2 is not known"},
		{"unknown key", "version: 1\nroute: []", `:2: the file has no key "route": did you mean "routes"?`},
		{"unknown backend key", "version: 1\nbackends:\n  a: { kind: http, url: \"http://h\", timout: 2s }", `:3: backend a has no key "timout": did you mean "timeout"?`},
		{"two documents", "version: 1\n---\nversion: 1", "second document"},
		{"alias", "version: 1\nbackends: &x {}\nroutes: *x", "anchors and aliases are not allowed"},
		{"key twice", "version: 1\nversion: 1", `:2: the file has "version" twice, first in line 1`},
		{"no url", "version: 1\nbackends:\n  a: { kind: http }", "backend a has no url"},
		{"url with path", "version: 1\nbackends:\n  a: { kind: http, url: \"http://h/x\" }", "may only have a scheme, host and port"},
		{"no kind", "version: 1\nbackends:\n  a: { url: \"http://h\" }", "backend a has no kind"},
		{"kind", "version: 1\nbackends:\n  a: { kind: grpc, url: \"http://h\" }", "it may be inproc and http"},
		{"duration", "version: 1\nbackends:\n  a: { kind: http, url: \"http://h\", timeout: 2 }", "write a duration with its unit"},
		{"sum", route(get + ", backends: { monolith: 90%, a: 5% }"), ":8: the weights of route r sum to 95%: they must sum to 100%"},
		{"decimals", route(get + ", backends: { monolith: 99.999%, a: 0.001% }"), "more than two decimals"},
		{"no sign", route(get + ", backends: { monolith: 100, a: 0% }"), "write it with its sign"},
		{"unknown backend", route(get + ", backends: { monolith: 50%, monolit: 50% }"), `:8: route r names the backend "monolit", which is not declared: did you mean "monolith"?`},
		{"other store", route(get + ", backends: { monolith: 99%, b: 1% }"), ":8: route r cannot be shifted to b: monolith and b do not declare the same store (shared, own), so the data would stay behind"},
		{"no store", route(get + ", backends: { monolith: 0%, c: 100% }"), "(shared, none), so the data would stay behind"},
		{"shadow of any method", route("match: { paths: [/x] }, backends: { monolith: 100%, a: 0% }, shadow: { backend: a, percent: 1% }"), "may not be shadowed"},
		{"shadow of POST", route("match: { methods: [GET, POST], paths: [/x] }, backends: { monolith: 100%, a: 0% }, shadow: { backend: a, percent: 1% }"), "may not be shadowed"},
		{"shadow of a stateful route", route(get + ", backends: { monolith: 100%, a: 0% }, stateful: { aggregate: [query:f], participant: a }, shadow: { backend: a, percent: 1% }"), ":8: route r is stateful and may not be shadowed"},
		{"shadow to home", route(get + ", shadow: { backend: monolith, percent: 1% }"), "other than monolith"},
		{"method", route("match: { methods: [get], paths: [/x] }"), `has the method "get"`},
		{"no match", route("backends: { monolith: 100% }"), "route r has no match"},
		{"no path", route("match: { methods: [GET] }"), "route r matches no path"},
		{"pattern", route("match: { paths: [x] }"), "must start with /"},
		{"tail inside", route("match: { paths: [/a/**/b] }"), "** may only be the last segment"},
		{"hashOn", route(get + ", hashOn: [cookie:x]"), "it may be header:name, path:name, query:name and client-ip"},
		{"hashOn parameter", route(get + ", hashOn: [path:flight_id]"), "none of its paths has {flight_id}"},
		{"id", head + "  - { id: R!, " + get + " }", `the route id "R!" is not allowed`},
		{"reserved id", head + "  - { id: default, " + get + " }", `and not "default"`},
		{"id twice", route(get) + "  - { id: r, match: { paths: [/y] } }", ":9: the route id r comes twice, first in line 8"},
		{"overlap", route("match: { paths: [\"/x/{a}\"] }") + "  - { id: s, match: { paths: [\"/x/{b}\"] } }", ":9: the path /x/{b} of route s overlaps with route r (line 8) at equal rank"},
		{"overlapping methods", route("match: { methods: [GET, PUT], paths: [/x] }") + "  - { id: s, match: { methods: [PUT], paths: [/x] } }", "at equal rank"},
		{"buckets", route(get + ", backends: { monolith: 100%, a: 0% }, stateful: { aggregate: [query:f], participant: a, buckets: 64 }"), "a whole number from 10000 to 10000"},
		{"steps", route(get + ", analysis: { steps: [5%, 1%], metrics: [{name: p99, maxRatio: 1.2}] }"), "must rise"},
		{"metric", route(get + ", analysis: { steps: [5%], metrics: [{name: p99, min: 1, max: 2}] }"), "exactly one of min, max and maxRatio"},
		{"latency without unit", route(get + ", analysis: { steps: [5%], metrics: [{name: p99, max: 2}] }"), "write a duration with its unit"},
		{"ratio below one", route(get + ", analysis: { steps: [5%], metrics: [{name: p99, maxRatio: 0.9}] }"), "which is at least 1"},
		{"success without a share", route(get + ", analysis: { steps: [5%], metrics: [{name: success-rate, max: 1}] }"), "takes a share"},
		{"client errors without a share", route(get + ", analysis: { steps: [5%], metrics: [{name: client-errors, max: 20}] }"), "takes a share"},
		{"client errors of at least", route(get + ", analysis: { steps: [5%], metrics: [{name: client-errors, min: 20%}] }"), "takes a share"},
		{"client errors to those of the home", route(get + ", analysis: { steps: [5%], metrics: [{name: client-errors, maxRatio: 2}] }"), "takes a share"},
		{"audit of what does not move", route(get + ", analysis: { steps: [5%], metrics: [{name: audit-violations, max: 0}] }"), "of stateful routes only"},
	} {
		t.Run(c.name, func(t *testing.T) {
			_, err := routes.Parse("routes.yaml", []byte(c.file))
			if err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("got  %v\nwant …%s…", err, c.want)
			}
		})
	}
}

// TestJudged: client errors are judged wherever a success rate is, unless they have a
// bound of their own.
func TestJudged(t *testing.T) {
	for metrics, want := range map[string]string{
		"{name: success-rate, min: 99%}":                                 "success-rate client-errors:0.2",
		"{name: success-rate, min: 99%}, {name: p99, max: 1s}":           "success-rate p99:1 client-errors:0.2",
		"{name: client-errors, max: 3%}, {name: success-rate, min: 99%}": "client-errors:0.03 success-rate",
		"{name: p99, max: 1s}":                                           "p99:1",
	} {
		c, err := routes.Parse("routes.yaml", []byte(head+"  - { id: r, match: { paths: [/x] }, analysis: { steps: [5%], metrics: ["+metrics+"] } }\n"))
		if err != nil {
			t.Fatal(err)
		}
		var got []string
		for _, m := range c.Routes[0].Analysis.Judged() {
			if m.Max != nil {
				m.Name += fmt.Sprintf(":%g", *m.Max)
			}
			got = append(got, m.Name)
		}
		if strings.Join(got, " ") != want {
			t.Errorf("%s: judged are %v", metrics, got)
		}
	}
}

// TestAllMistakesTogether: one run shows everything.
func TestAllMistakesTogether(t *testing.T) {
	_, err := routes.Parse("routes.yaml", []byte(head+"  - { id: r, match: { methods: [FOO], paths: [x] }, backends: { nobody: 1% }, color: red }\n"))
	if lines := routes.Explain(err); len(lines) != 4 {
		t.Errorf("%d problems, want 4:\n%v", len(lines), err)
	}
	if errs.CodeOf(err) != errs.Invalid {
		t.Errorf("code %s", errs.CodeOf(err))
	}
}

func TestDifferentRanksDoNotOverlap(t *testing.T) {
	_, err := routes.Parse("routes.yaml", []byte(head+`  - { id: a, match: { paths: ["/x/{p}"] } }
  - { id: b, match: { paths: [/x/y] } }
  - { id: c, match: { methods: [GET], paths: ["/x/{q}"] } }
  - { id: d, match: { paths: [/x/**] } }
`))
	if err != nil {
		t.Error(err)
	}
}

// TestFingerprint changes with what the route does, not with how it is written.
func TestFingerprint(t *testing.T) {
	of := func(file string) string {
		c, err := routes.Parse("routes.yaml", []byte(file))
		if err != nil {
			t.Fatal(err)
		}
		return c.Routes[0].Fingerprint
	}
	base := head + "  - { id: r, match: { paths: [/x] }, backends: { monolith: 95%, a: 5% } }\n"
	for name, same := range map[string]string{
		"comment": strings.Replace(base, "routes:", "# hello\n\nroutes:", 1),
		"spaces":  strings.Replace(base, "5% } }", "5%}}", 1),
		"timeout": strings.Replace(base, `"http://127.0.0.1:1"`, `"http://127.0.0.1:9"`, 1),
	} {
		if of(same) != of(base) {
			t.Errorf("%s: the fingerprint changed", name)
		}
	}
	for name, other := range map[string]string{
		"weights": strings.Replace(base, "monolith: 95%, a: 5%", "monolith: 94%, a: 6%", 1),
		"paths":   strings.Replace(base, "[/x]", "[/x, /y]", 1),
		"store":   strings.ReplaceAll(base, "store: shared", "store: other"),
	} {
		if of(other) == of(base) {
			t.Errorf("%s: the fingerprint stayed the same", name)
		}
	}
}

// TestBadInstances: what is wrong with addresses and their balance, with the line.
func TestBadInstances(t *testing.T) {
	for _, c := range []struct{ name, file, want string }{
		{"both addresses", "version: 1\nbackends:\n  a: { kind: http, url: \"http://h\", urls: [\"http://i\"] }", ":3: backend a has both url and urls"},
		{"no addresses", "version: 1\nbackends:\n  a: { kind: http, urls: [] }", ":3: the urls of backend a are empty"},
		{"an address twice", "version: 1\nbackends:\n  a:\n    kind: http\n    urls:\n      - http://h\n      - http://h/", ":7: backend a has the url http://h twice"},
		{"a bad address", "version: 1\nbackends:\n  a: { kind: http, urls: [\"http://h\", \"h:1\"] }", "the url of backend a is \"h:1\""},
		{"not a list", "version: 1\nbackends:\n  a: { kind: http, urls: \"http://h\" }", "the urls of backend a must be a list"},
		{"too many", "version: 1\nbackends:\n  a: { kind: http, urls: [" + strings.Repeat("\"http://h\",", 33) + "] }", "32 is the most"},
		{"outlier key", "version: 1\nbackends:\n  a: { kind: http, url: \"http://h\", outlier: { failure: 5 } }", "did you mean \"failures\"?"},
		{"outlier bounds", "version: 1\nbackends:\n  a: { kind: http, url: \"http://h\", outlier: { base: 10s, max: 1s } }", "less than its base of 10s"},
		{"slow start", "version: 1\nbackends:\n  a: { kind: http, url: \"http://h\", slowStart: 1 }", "write a duration with its unit"},
		{"in process", "version: 1\nbackends:\n  a: { kind: inproc, slowStart: 1s }", "is in this process and needs no slowStart"},
	} {
		if _, err := routes.Parse("routes.yaml", []byte(c.file)); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: got  %v\nwant …%s…", c.name, err, c.want)
		}
	}
}

// TestInstances reads what a backend says of its instances, and what holds if it is silent.
func TestInstances(t *testing.T) {
	c, err := routes.Parse("routes.yaml", []byte(`version: 1
backends:
  monolith: { kind: inproc }
  one:  { kind: http, url: "http://h:1/" }
  many: { kind: http, urls: ["http://h:1", "https://h:2"], outlier: { failures: 0, gatewayErrors: 3, base: 2m }, slowStart: 0s }
`))
	if err != nil {
		t.Fatal(err)
	}
	for name, want := range map[string]struct {
		urls    []string
		outlier balance.Outlier
		slow    time.Duration
	}{
		"monolith": {},
		"one":      {[]string{"http://h:1"}, balance.Outlier{Failures: 5, Gateway: 10, Base: 5 * time.Second, Max: time.Minute}, 10 * time.Second},
		"many":     {[]string{"http://h:1", "https://h:2"}, balance.Outlier{Gateway: 3, Base: 2 * time.Minute, Max: 2 * time.Minute}, 0},
	} {
		b, _ := c.Backend(name)
		if !slices.Equal(b.Instances(), want.urls) || b.Outlier != want.outlier || b.SlowStart != want.slow {
			t.Errorf("%s: %+v", name, b)
		}
		if len(want.urls) > 0 && b.URL != want.urls[0] {
			t.Errorf("%s: the first url is %s", name, b.URL)
		}
	}
}

func TestForeign(t *testing.T) {
	c, err := routes.Foreign("http://127.0.0.1:3000")
	if err != nil {
		t.Fatal(err)
	}
	if b, _ := c.Backend(routes.Monolith); b.Kind != routes.HTTP || b.URL != "http://127.0.0.1:3000" || len(b.Instances()) != 1 || c.File != "" {
		t.Errorf("%+v", c)
	}
	for _, bad := range []string{"", "127.0.0.1:3000", "ftp://x", "http://x/path", "http://u:p@x"} {
		if _, err := routes.Foreign(bad); errs.CodeOf(err) != errs.Invalid {
			t.Errorf("%q: %v", bad, err)
		}
	}
}

func TestNoRoutesMeansMonolith(t *testing.T) {
	c, err := routes.Parse("routes.yaml", []byte("version: 1\n"))
	if err != nil {
		t.Fatal(err)
	}
	if b, ok := c.Backend(routes.Monolith); !ok || b.Kind != routes.Inproc {
		t.Errorf("the monolith is %+v", b)
	}
}

func TestUnreadable(t *testing.T) {
	if _, err := routes.Load(filepath.Join(t.TempDir(), "none.yaml")); errs.CodeOf(err) != errs.Invalid {
		t.Errorf("got %v", err)
	}
	big := filepath.Join(t.TempDir(), "big.yaml")
	if err := os.WriteFile(big, make([]byte, 2<<20), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := routes.Load(big); err == nil || !strings.Contains(err.Error(), "larger than 1 MiB") {
		t.Errorf("got %v", err)
	}
}

// TestWeightsOfARoute is the judgement that run-time weights get too.
func TestWeightsOfARoute(t *testing.T) {
	c, err := routes.Parse("routes.yaml", []byte(head+"  - { id: r, match: { paths: [/x] }, backends: { a: 0%, b: 0%, monolith: 100% } }\n"))
	if err != nil {
		t.Fatal(err)
	}
	for _, w := range []struct {
		weights map[string]canary.Weight
		code    errs.Code
	}{
		{map[string]canary.Weight{"monolith": 10000}, ""},
		{map[string]canary.Weight{"monolith": 2500, "a": 7500}, ""},
		{map[string]canary.Weight{"monolith": 9999, "b": 1}, errs.Unsafe},
		{map[string]canary.Weight{"monolith": 9999}, errs.Invalid},
		{map[string]canary.Weight{"monolith": 20000, "a": -10000}, errs.Invalid},
		{map[string]canary.Weight{"monolith": 10000, "c": 0}, errs.Invalid},
	} {
		if err := c.CheckWeights(c.Routes[0], w.weights); errs.CodeOf(err) != w.code {
			t.Errorf("%v: %v, want code %q", w.weights, err, w.code)
		}
	}
}

func FuzzParse(f *testing.F) {
	f.Add(head + "  - { id: r, match: { paths: [/x] } }\n")
	f.Add("version: 1\nbackends:\n  a: { kind: http, urls: [\"http://h:1\", \"http://h:2\"], outlier: { failures: 5, base: 5s, max: 60s }, slowStart: 10s, health: { path: /x } }\n")
	f.Add(head + "  - { id: s, match: { methods: [GET], paths: [\"/x/{a}/**\"] }, stateful: { aggregate: [path:a], participant: b }, backends: { monolith: 90%, b: 10% } }\n")
	f.Add("version: 1\nbackends: [\nroutes: &a [*a]\n---\n{{}}")
	f.Fuzz(func(t *testing.T, file string) {
		c, err := routes.Parse("routes.yaml", []byte(file))
		if (c == nil) == (err == nil) {
			t.Fatalf("config %v, error %v", c, err)
		}
	})
}
