// Package handoverhttp is the participant API: how a store takes over buckets and hands
// them on over HTTP. Mount serves a Participant, NewClient gives the same Participant from
// elsewhere, and Spec describes what any service must serve that takes part.
package handoverhttp

import (
	"crypto/sha256"
	"crypto/subtle"
	_ "embed" // the specification
	"net/http"
	"regexp"
	"strings"

	"github.com/gorilla/mux"

	"banyan/modules/kernel/errs"
	"banyan/modules/kernel/handover"
	"banyan/modules/kernel/rest"
	"banyan/modules/kernel/web"
)

// Spec is the OpenAPI 3.1 description of every path that Mount adds.
//
//go:embed participant.yaml
var Spec []byte

// Bounds of requests, in bytes. A client of this package sends at most 3/2 MiB at once,
// unless a single record is larger.
const (
	MaxOrderBytes = web.MaxBody                     // of orders, exports and digests
	MaxCopyBytes  = handover.MaxRecordBytes + 1<<20 // of a copy
	maxCopyParts  = 2 * handover.MaxBuckets         // parts in a copy
)

// Mount serves a participant below /participant/v1/{name}/. The name has letters, digits,
// dashes and underscores. Requests must bear the token unless it is ""; without one, only
// the coordinator may reach the listener. The listener's own bounds must be as wide as a
// copy is, and its time as long as an export.
func Mount(router *mux.Router, name string, p handover.Participant, token string) {
	a := api{p}
	base := "/participant/v1/{name:" + regexp.QuoteMeta(name) + "}/"
	handle := func(method, path string, h rest.Handler) {
		router.Handle(base+path, withToken(token, h)).Methods(method)
	}
	handle(http.MethodGet, "status", a.status)
	handle(http.MethodPost, "orders", a.orders)
	handle(http.MethodPost, "export", a.export)
	handle(http.MethodPost, "copy", a.copy)
	handle(http.MethodPost, "digest", a.digest)
}

// withToken refuses requests without the token, before it reads their bodies. Digests
// are compared, so that the time it takes tells neither the token nor its length.
func withToken(token string, next http.Handler) http.Handler {
	if token == "" {
		return next
	}
	want := sha256.Sum256([]byte(token))
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		scheme, given, _ := strings.Cut(r.Header.Get("Authorization"), " ")
		got := sha256.Sum256([]byte(given))
		if !strings.EqualFold(scheme, "Bearer") || subtle.ConstantTimeCompare(got[:], want[:]) != 1 {
			w.Header().Set("WWW-Authenticate", `Bearer realm="participant"`)
			web.Fail(w, r, errs.E(errs.Unauthorized, "the participant API needs its token: send Authorization: Bearer …"))
			return
		}
		next.ServeHTTP(w, r)
	})
}
