package handoverhttp

import (
	"net/http"
	"strings"
	"time"

	"banyan/modules/kernel/web"
)

// orderTime bounds a call of the participant API: what it does to many buckets at once
// takes longer than any request of a passenger. The listener allows no answer more.
const orderTime = time.Minute

// Wrap puts the edge around a service's paths; for those of the participant it lets larger
// and longer requests through.
func Wrap(public web.Edge, router http.Handler) http.Handler {
	wide := public
	wide.MaxBody, wide.Timeout = MaxCopyBytes, orderTime
	passengers, coordinators := public.Wrap(router), wide.Wrap(router)
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if strings.HasPrefix(r.URL.Path, "/participant/") {
			coordinators.ServeHTTP(w, r)
			return
		}
		passengers.ServeHTTP(w, r)
	})
}
