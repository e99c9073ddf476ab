// Package gatewayapi writes routes as HTTPRoutes of the Kubernetes Gateway API
// (gateway.networking.k8s.io/v1), and says in each what it cannot express. It is pure: a
// snapshot of routes in, manifests out.
package gatewayapi

import (
	"fmt"
	"strings"

	"banyan/proxy/canary"
	"banyan/proxy/routes"
)

// The limits of an HTTPRoute: the schema's, and its rule on the matches of all rules.
const (
	maxRules   = 16
	maxMatches = 64 // of a rule
	maxAll     = 128
)

// NoteAnnotation has what a manifest does not say as the router does, one line each.
const NoteAnnotation = "banyan/note"

// Options are what routes.yaml does not know of a cluster.
type Options struct {
	Namespace string // of the routes and, unless an address names another, the services
	Gateway   string // parent of the routes
	Service   string // of this router, for stateful routes and what is answered in its process
	Port      int    // of that service
}

// Route is a route with the weights in force.
type Route struct {
	routes.Route
	Weights map[string]canary.Weight
}

// List is a Kubernetes list.
type List struct {
	APIVersion string      `json:"apiVersion"`
	Kind       string      `json:"kind"`
	Items      []HTTPRoute `json:"items"`
}

// HTTPRoute has the parts of gateway.networking.k8s.io/v1 HTTPRoute that are used here.
type HTTPRoute struct {
	APIVersion string   `json:"apiVersion"`
	Kind       string   `json:"kind"`
	Metadata   Metadata `json:"metadata"`
	Spec       Spec     `json:"spec"`
}

// Metadata is a Kubernetes object's.
type Metadata struct {
	Name        string            `json:"name"`
	Namespace   string            `json:"namespace,omitempty"`
	Labels      map[string]string `json:"labels"`
	Annotations map[string]string `json:"annotations,omitempty"`
}

// Spec of an HTTPRoute.
type Spec struct {
	ParentRefs []ParentRef `json:"parentRefs"`
	Rules      []Rule      `json:"rules"`
}

// ParentRef names a Gateway.
type ParentRef struct {
	Name string `json:"name"`
}

// Rule of an HTTPRoute.
type Rule struct {
	Matches     []Match      `json:"matches"`
	BackendRefs []BackendRef `json:"backendRefs"`
}

// Match of a rule.
type Match struct {
	Path   PathMatch `json:"path"`
	Method string    `json:"method,omitempty"`
}

// PathMatch of a match: Exact, PathPrefix or RegularExpression.
type PathMatch struct {
	Type  string `json:"type"`
	Value string `json:"value"`
}

// BackendRef names a Service; the weight is in parts per ten thousand.
type BackendRef struct {
	Name      string `json:"name"`
	Namespace string `json:"namespace,omitempty"`
	Port      int    `json:"port"`
	Weight    int    `json:"weight"`
}

// Export writes the routes in their order, and one more for whatever none matches.
func Export(c *routes.Config, list []Route, o Options) List {
	e := exporter{config: c, options: o}
	out := List{APIVersion: "v1", Kind: "List", Items: []HTTPRoute{}}
	for _, r := range list {
		out.Items = append(out.Items, e.route(r)...)
	}
	rest := Route{
		Route:   routes.Route{ID: routes.DefaultID, Paths: []string{"/**"}, Shares: []routes.Share{{Backend: routes.Monolith}}},
		Weights: map[string]canary.Weight{routes.Monolith: canary.Full},
	}
	out.Items = append(out.Items, e.route(rest)...)
	return out
}

type exporter struct {
	config  *routes.Config
	options Options
	leftOut notes // routes without a manifest; the last one tells of them
}

// route gives a route's manifests: more than one when it has too many matches.
func (e *exporter) route(r Route) []HTTPRoute {
	notes := &notes{}
	if r.ID == routes.DefaultID {
		notes = &e.leftOut
	}
	refs := e.backends(r, notes)
	matches := e.matches(r, notes)
	if len(matches) == 0 {
		e.leftOut.add("The route " + r.ID + " is left out, so its requests go where the rest goes. " + strings.Join(notes.lines, " "))
	}
	var out []HTTPRoute
	for first := 0; first < len(matches); first += maxAll {
		some := matches[first:min(first+maxAll, len(matches))]
		name := "banyan-" + r.ID
		if first > 0 {
			name = fmt.Sprintf("%s-%d", name, first/maxAll+1)
		}
		out = append(out, HTTPRoute{
			APIVersion: "gateway.networking.k8s.io/v1", Kind: "HTTPRoute",
			Metadata: Metadata{
				Name: name, Namespace: e.options.Namespace,
				Labels: map[string]string{"app.kubernetes.io/managed-by": "banyan"}, Annotations: notes.annotations(),
			},
			Spec: Spec{ParentRefs: []ParentRef{{e.options.Gateway}}, Rules: rules(some, refs)},
		})
	}
	return out
}

func rules(matches []Match, refs []BackendRef) []Rule {
	var out []Rule
	for first := 0; first < len(matches) && len(out) < maxRules; first += maxMatches {
		out = append(out, Rule{Matches: matches[first:min(first+maxMatches, len(matches))], BackendRefs: refs})
	}
	return out
}
