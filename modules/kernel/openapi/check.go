package openapi

import (
	"regexp"
	"slices"
	"strings"

	"github.com/gorilla/mux"
)

// TB is the part of testing.TB that CheckRouter needs.
type TB interface {
	Helper()
	Errorf(format string, args ...any)
	Fatalf(format string, args ...any)
}

// CheckRouter fails the test for every operation of spec that the router does not
// serve and for every route that spec does not describe.
func CheckRouter(t TB, spec []byte, r *mux.Router) {
	t.Helper()
	d, err := Parse(spec)
	if err != nil {
		t.Fatalf("%v", err)
		return
	}
	described, err := d.operations()
	if err != nil {
		t.Fatalf("%v", err)
		return
	}
	routed, err := routes(r)
	if err != nil {
		t.Fatalf("walk the router: %v", err)
		return
	}
	var names []string
	for _, o := range described {
		names = append(names, o.Method+" "+o.Path)
	}
	for _, name := range names {
		if !slices.Contains(routed, name) {
			t.Errorf("%s is described but not routed", name)
		}
	}
	for _, name := range routed {
		if !slices.Contains(names, name) {
			t.Errorf("%s is routed but not described", name)
		}
	}
}

// pattern is the part of a mux variable that OpenAPI has no place for: {id:[0-9]+}.
var pattern = regexp.MustCompile(`\{([A-Za-z0-9_]+):[^{}]*(?:\{[^{}]*\}[^{}]*)*\}`)

// routes lists the router's operations as "GET /path/{name}".
func routes(r *mux.Router) ([]string, error) {
	var list []string
	err := r.Walk(func(route *mux.Route, _ *mux.Router, _ []*mux.Route) error {
		template, err := route.GetPathTemplate()
		if err != nil || route.GetHandler() == nil {
			return nil //nolint:nilerr // a group of routes without a path of its own
		}
		methods, err := route.GetMethods()
		if err != nil {
			methods = []string{"ANY"}
		}
		for _, m := range methods {
			list = append(list, strings.ToUpper(m)+" "+pattern.ReplaceAllString(template, "{$1}"))
		}
		return nil
	})
	return list, err
}
