package web

import (
	"net/http"
	"strings"

	"github.com/gorilla/mux"

	"banyan/modules/kernel/errs"
)

// NewRouter gives a router whose own answers are problem+json and whose routes are
// named in log and metrics. Paths are taken as they come: a redirect to a cleaned path
// would turn a POST into a GET.
func NewRouter() *mux.Router {
	r := mux.NewRouter().SkipClean(true)
	r.NotFoundHandler = http.HandlerFunc(NotFound)
	r.MethodNotAllowedHandler = methodNotAllowed(r)
	r.Use(nameRoute)
	return r
}

func nameRoute(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if route := mux.CurrentRoute(r); route != nil {
			if template, err := route.GetPathTemplate(); err == nil {
				SetRoute(r.Context(), template)
			}
		}
		next.ServeHTTP(w, r)
	})
}

// NotFound answers for a path that nobody serves.
func NotFound(w http.ResponseWriter, r *http.Request) {
	Fail(w, r, errs.E(errs.NotFound, "there is nothing at this path; see /docs"))
}

// methodNotAllowed answers with the methods that the path does have, as a 405 must.
// HEAD is answered wherever GET is.
func methodNotAllowed(router *mux.Router) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		var allowed []string
		for _, method := range []string{"GET", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"} {
			as := *r
			as.Method = method
			var match mux.RouteMatch
			if !router.Match(&as, &match) || match.MatchErr != nil {
				continue
			}
			allowed = append(allowed, method)
			if method == http.MethodGet && r.Method == http.MethodHead {
				router.ServeHTTP(w, &as) // net/http leaves the body out
				return
			}
			if method == http.MethodGet {
				allowed = append(allowed, http.MethodHead)
			}
		}
		list := strings.Join(allowed, ", ")
		w.Header().Set("Allow", list)
		Fail(w, r, errs.E(errs.MethodNotAllowed, "this path has %s, not %.16q", list, r.Method))
	})
}
