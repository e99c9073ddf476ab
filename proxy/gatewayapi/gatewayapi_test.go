package gatewayapi_test

import (
	"fmt"
	"regexp"
	"slices"
	"strings"
	"testing"

	"banyan/proxy/canary"
	"banyan/proxy/gatewayapi"
	"banyan/proxy/routes"
)

const file = `version: 1
backends:
  monolith: { kind: http, url: "http://legacy.shop.svc.cluster.local:8080", store: s }
  flights:  { kind: http, url: "http://flights:8081", store: s }
  near:     { kind: http, url: "https://127.0.0.1:9443", store: s }
  far:      { kind: http, url: "http://far.other.svc", store: s }
  outside:  { kind: http, url: "http://www.example.org", store: s }
  apart:    { kind: http, url: "http://apart" }
routes:
  - id: reads
    match: { methods: [GET], paths: [/v1/flights, "/v1/flights/{flight_id}", "/v1/fl.ghts/{a}/x/{b}/**", /static/**] }
    backends: { monolith: 94.99%, flights: 5.01%, near: 0% }
    hashOn: [ header:X-Customer-Id ]
    shadow: { backend: near, percent: 10% }
    analysis: { steps: [5%], metrics: [{name: p99, maxRatio: 1.2}] }
  - id: everywhere
    match: { paths: [/v1/a] }
    backends: { monolith: 0%, near: 30%, far: 30%, outside: 40% }
  - id: seats
    match: { paths: ["/v1/flights/{flight_id}/holds"] }
    stateful: { aggregate: [path:flight_id], participant: apart }
    backends: { monolith: 40%, apart: 60% }
  - id: many
    match: { methods: [GET, POST, DELETE], paths: [%s] }
`

// export writes the file's routes, with the weights of the file.
func export(t *testing.T) gatewayapi.List {
	t.Helper()
	paths := make([]string, 100)
	for i := range paths {
		paths[i] = fmt.Sprintf("/many/%d", i)
	}
	c, err := routes.Parse("routes.yaml", fmt.Appendf(nil, strings.ReplaceAll(strings.ReplaceAll(file, "%", "%%"), "[%%s]", "[%s]"), strings.Join(paths, ", ")))
	if err != nil {
		t.Fatal(err)
	}
	var list []gatewayapi.Route
	for _, r := range c.Routes {
		list = append(list, gatewayapi.Route{Route: r, Weights: r.Weights()})
	}
	return gatewayapi.Export(c, list, gatewayapi.Options{Namespace: "shop", Gateway: "edge", Service: "banyan", Port: 8080})
}

// TestSchema: every manifest keeps the schema of HTTPRoute, with no field that it does not
// know, and the rules that a schema cannot say.
func TestSchema(t *testing.T) {
	schema := httpRoutes(t)
	for _, item := range export(t).Items {
		if err := schema.Validate(plain(t, item)); err != nil {
			t.Errorf("%s: %v", item.Metadata.Name, err)
		}
		all := 0
		for _, rule := range item.Spec.Rules {
			all += len(rule.Matches)
			checkRule(t, item.Metadata.Name, rule)
		}
		if item.APIVersion != "gateway.networking.k8s.io/v1" || item.Kind != "HTTPRoute" || len(item.Metadata.Name) > 253 || all < 1 || all > 128 {
			t.Errorf("%s is a %s %s with %d matches", item.Metadata.Name, item.APIVersion, item.Kind, all)
		}
	}
}

func checkRule(t *testing.T, name string, rule gatewayapi.Rule) {
	t.Helper()
	sum := 0
	for _, b := range rule.BackendRefs {
		if sum += b.Weight; b.Weight < 1 || b.Port < 1 {
			t.Errorf("%s has the backend %+v", name, b)
		}
	}
	if sum != 10000 || len(rule.Matches) == 0 {
		t.Errorf("the weights of %s sum to %d, for %d matches", name, sum, len(rule.Matches))
	}
	for _, m := range rule.Matches {
		switch v := m.Path.Value; m.Path.Type {
		case "Exact", "PathPrefix":
			if !regexp.MustCompile(`^(?:[-A-Za-z0-9/._~!$&'()*+,;=:@]|[%][0-9a-fA-F]{2})+$`).MatchString(v) || v[0] != '/' || strings.Contains(v, "//") {
				t.Errorf("%s has the path %s", name, v)
			}
		default:
			if _, err := regexp.Compile(v); err != nil {
				t.Errorf("%s: %v", name, err)
			}
		}
	}
}

// TestSchemaRefuses: the schema is in force, and so is that fields must be known.
func TestSchemaRefuses(t *testing.T) {
	schema := httpRoutes(t)
	for what, spoil := range map[string]func(*gatewayapi.HTTPRoute){
		"a method":       func(r *gatewayapi.HTTPRoute) { r.Spec.Rules[0].Matches[0].Method = "BREW" },
		"a kind of path": func(r *gatewayapi.HTTPRoute) { r.Spec.Rules[0].Matches[0].Path.Type = "Suffix" },
		"a name":         func(r *gatewayapi.HTTPRoute) { r.Spec.Rules[0].BackendRefs[0].Name = "" },
		"a weight":       func(r *gatewayapi.HTTPRoute) { r.Spec.Rules[0].BackendRefs[0].Weight = 2_000_000 },
		"a namespace":    func(r *gatewayapi.HTTPRoute) { r.Spec.Rules[0].BackendRefs[0].Namespace = "Not One" },
		"many rules": func(r *gatewayapi.HTTPRoute) {
			r.Spec.Rules = slices.Repeat(r.Spec.Rules[:1], 17)
		},
	} {
		item := export(t).Items[0]
		spoil(&item)
		if schema.Validate(plain(t, item)) == nil {
			t.Errorf("%s that the API does not take is taken", what)
		}
	}
	unknown := plain(t, export(t).Items[0]).(map[string]any)
	unknown["spec"].(map[string]any)["rulez"] = []any{}
	if schema.Validate(unknown) == nil {
		t.Error("a field that the API does not know is taken")
	}
}

// TestMeaning: each route says what the router does, or notes what it cannot say.
func TestMeaning(t *testing.T) {
	by := map[string]gatewayapi.HTTPRoute{}
	for _, item := range export(t).Items {
		by[item.Metadata.Name] = item
	}
	refs := func(name string) string { return fmt.Sprintf("%+v", by[name].Spec.Rules[0].BackendRefs) }
	for name, want := range map[string]string{
		"banyan-reads": "[{Name:legacy Namespace: Port:8080 Weight:9499} {Name:flights Namespace: Port:8081 Weight:501}]",
		"banyan-everywhere": "[{Name:near Namespace: Port:9443 Weight:3000} {Name:far Namespace:other Port:80 Weight:3000} " +
			"{Name:outside Namespace: Port:80 Weight:4000}]",
		"banyan-seats":   "[{Name:banyan Namespace: Port:8080 Weight:10000}]",
		"banyan-default": "[{Name:legacy Namespace: Port:8080 Weight:10000}]",
		"banyan-many-3":  "[{Name:legacy Namespace: Port:8080 Weight:10000}]",
	} {
		if got := refs(name); got != want {
			t.Errorf("%s goes to %s, want %s", name, got, want)
		}
	}
	var matches []string
	for _, m := range by["banyan-reads"].Spec.Rules[0].Matches {
		matches = append(matches, m.Method+" "+m.Path.Type+" "+m.Path.Value)
	}
	want := `GET Exact /v1/flights, HEAD Exact /v1/flights, ` +
		`GET RegularExpression ^/v1/flights/[^/]+$, HEAD RegularExpression ^/v1/flights/[^/]+$, ` +
		`GET RegularExpression ^/v1/fl\.ghts/[^/]+/x/[^/]+(/.*)?$, HEAD RegularExpression ^/v1/fl\.ghts/[^/]+/x/[^/]+(/.*)?$, ` +
		`GET PathPrefix /static, HEAD PathPrefix /static`
	if got := strings.Join(matches, ", "); got != want {
		t.Errorf("matches are %s, want %s", got, want)
	}
	if m := by["banyan-default"].Spec.Rules[0].Matches; len(m) != 1 || m[0].Path != (gatewayapi.PathMatch{Type: "PathPrefix", Value: "/"}) {
		t.Errorf("the rest is matched by %+v", m)
	}
	for name, parts := range map[string][]string{
		"banyan-reads":      {"hashOn is lost", "The shadow is not exported", "The analysis is not exported", "regular expressions"},
		"banyan-everywhere": {"near is reached by TLS", "ReferenceGrant", "www.example.org, which names no Service", "127.0.0.1:9443, which names no Service"},
		"banyan-seats":      {"stateful", "through the router"},
	} {
		for _, part := range parts {
			if note := by[name].Metadata.Annotations[gatewayapi.NoteAnnotation]; !strings.Contains(note, part) {
				t.Errorf("%s does not note %q: %s", name, part, note)
			}
		}
	}
	count := 0
	for name, item := range by {
		if strings.HasPrefix(name, "banyan-many") {
			for _, rule := range item.Spec.Rules {
				count += len(rule.Matches)
			}
		}
	}
	if count != 400 { // 100 paths with GET, HEAD, POST and DELETE
		t.Errorf("the many have %d matches", count)
	}
}

// TestPaths: a path is written with the characters that the API takes, or left out with a
// note, for a rule without a match would take everything.
func TestPaths(t *testing.T) {
	schema := httpRoutes(t)
	long := strings.Repeat("/x1234567890123456789012345678901234567890123456789012345678901234567890123456789", 14)
	for path, want := range map[string]string{
		"/ä":         "Exact /%C3%A4",
		"/a|b[0]/**": "PathPrefix /a%7Cb%5B0%5D",
		`/a^"<>`:     "Exact /a%5E%22%3C%3E",
		"/ä.b/{id}":  `RegularExpression ^/%C3%A4\.b/[^/]+$`,
		"/~a;b@c":    "Exact /~a;b@c",
		long:         "",
	} {
		c, err := routes.Parse("routes.yaml", fmt.Appendf(nil, "version: 1\nroutes:\n  - id: one\n    match: { paths: ['%s'] }\n", path))
		if err != nil {
			t.Fatal(err)
		}
		list := gatewayapi.Export(c, []gatewayapi.Route{{Route: c.Routes[0], Weights: c.Routes[0].Weights()}}, gatewayapi.Options{Gateway: "g", Service: "router", Port: 80})
		rest := list.Items[len(list.Items)-1]
		if want == "" {
			if note := rest.Metadata.Annotations[gatewayapi.NoteAnnotation]; len(list.Items) != 1 || !strings.Contains(note, "The route one is left out") || !strings.Contains(note, path) {
				t.Errorf("%.20s is exported as %+v, with the note %s", path, list.Items, note)
			}
			continue
		}
		if err := schema.Validate(plain(t, list.Items[0])); err != nil {
			t.Errorf("%s: %v", path, err)
		}
		checkRule(t, path, list.Items[0].Spec.Rules[0])
		m := list.Items[0].Spec.Rules[0].Matches[0].Path
		if got := m.Type + " " + m.Value; got != want {
			t.Errorf("%s is matched by %s, want %s", path, got, want)
		}
		if noted := strings.Contains(list.Items[0].Metadata.Annotations[gatewayapi.NoteAnnotation], "percent-encoded"); noted != strings.Contains(want, "%") {
			t.Errorf("%s: %v", path, list.Items[0].Metadata.Annotations)
		}
	}
}

// TestInProcess: what this process answers itself is behind the router's service.
func TestInProcess(t *testing.T) {
	c := routes.Default()
	list := gatewayapi.Export(c, nil, gatewayapi.Options{Gateway: "g", Service: "router", Port: 80})
	if len(list.Items) != 1 || list.Items[0].Spec.Rules[0].BackendRefs[0] != (gatewayapi.BackendRef{Name: "router", Port: 80, Weight: int(canary.Full)}) {
		t.Errorf("exported %+v", list.Items)
	}
}
