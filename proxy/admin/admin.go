// Package admin is the router's HTTP API for operators: routes and their weights, the
// moves of their data, and the audit log. It has a listener of its own, on the loopback unless told otherwise;
// anywhere else, and whenever a token is configured, it wants that token.
package admin

import (
	"crypto/sha256"
	"crypto/subtle"
	"net"
	"net/http"
	"net/netip"
	"strings"

	"github.com/gorilla/mux"

	"banyan/modules/kernel/errs"
	"banyan/modules/kernel/rest"
	"banyan/modules/kernel/web"
	"banyan/proxy"
	"banyan/proxy/playbook"
	"banyan/proxy/usage"
)

// ActorHeader says who asks for a change. It is what the caller claims: the audit log
// keeps it beside the address that the request came from.
const ActorHeader = "X-Banyan-Actor"

// Options are what the API is made of.
type Options struct {
	Router *proxy.Router
	// Usage is what GET /admin/v1/usage shows; nil: nothing is counted.
	Usage *usage.Usage
	// Listen is the address of the listener, as a flag or a net.Listener gives it.
	Listen string
	// Token is the bearer token that requests must have; "" only on the loopback.
	Token string
	// Stop ends the streams of events when it is closed; nil: only their readers do.
	Stop <-chan struct{}
	// Playbooks keeps the journal of playbooks; without it there are none.
	Playbooks *playbook.Host
	// Rest answers all other paths, under the same conditions; nil: none.
	Rest http.Handler
}

// New makes the API; its paths start with /admin/v1/. errs: Invalid when the listener
// is not on the loopback and there is no token.
func New(o Options) (http.Handler, error) {
	local := Loopback(o.Listen)
	if !local && o.Token == "" {
		return nil, errs.E(errs.Invalid, "the admin API listens on %s, which others can reach: give it a token, or listen on 127.0.0.1", o.Listen)
	}
	a := &api{router: o.Router, counted: o.Usage, stop: o.Stop}
	r := web.NewRouter()
	r.Handle("/admin/v1/routes", rest.Handler(a.list)).Methods(http.MethodGet)
	r.Handle("/admin/v1/events", rest.Handler(a.events)).Methods(http.MethodGet)
	r.Handle("/admin/v1/audit", rest.Handler(a.audit)).Methods(http.MethodGet)
	r.Handle("/admin/v1/routes/{id:[^/:]+}", rest.Handler(a.get)).Methods(http.MethodGet)
	r.Handle("/admin/v1/routes/{id:[^/:]+}", rest.Handler(a.patch)).Methods(http.MethodPatch)
	for _, action := range []proxy.Action{proxy.Flip, proxy.Rollback, proxy.Pause, proxy.Resume} {
		r.Handle("/admin/v1/routes/{id:[^/:]+}:"+string(action), a.act(action)).Methods(http.MethodPost)
	}
	a.mountMoves(r)
	a.mountPromote(r)
	mountPlaybooks(r, o.Playbooks)
	a.mountSights(r)
	if o.Rest != nil {
		r.PathPrefix("/").MatcherFunc(notAdmin).Handler(o.Rest)
	}
	guard := guarded(r, local && o.Token == "")
	if o.Token != "" {
		guard = withToken(guard, o.Token)
	}
	return guard, nil
}

// notAdmin leaves the API's own paths their own 404 and 405.
func notAdmin(r *http.Request, _ *mux.RouteMatch) bool {
	return !strings.HasPrefix(r.URL.Path, "/admin/")
}

// Loopback tells whether only this machine can reach an address.
func Loopback(addr string) bool {
	host, _, err := net.SplitHostPort(addr)
	if err != nil {
		host = addr
	}
	if strings.EqualFold(host, "localhost") {
		return true
	}
	ip, err := netip.ParseAddr(strings.Trim(host, "[]"))
	return err == nil && ip.Unmap().IsLoopback()
}

// withToken refuses requests without the token. Digests are compared, so that the time
// it takes tells neither the token nor its length.
func withToken(next http.Handler, token string) http.Handler {
	want := sha256.Sum256([]byte(token))
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		scheme, given, _ := strings.Cut(r.Header.Get("Authorization"), " ")
		got := sha256.Sum256([]byte(strings.TrimSpace(given)))
		if !strings.EqualFold(scheme, "Bearer") || subtle.ConstantTimeCompare(got[:], want[:]) != 1 {
			w.Header().Set("WWW-Authenticate", `Bearer realm="banyan admin"`)
			web.Fail(w, r, errs.E(errs.Unauthorized, "the admin API needs its token: send Authorization: Bearer …"))
			return
		}
		next.ServeHTTP(w, r)
	})
}

// guarded keeps web pages that an operator looks at from using the API: no changes from
// another origin, and without a token no name but this machine's (DNS rebinding).
func guarded(next http.Handler, onlyLocalNames bool) http.Handler {
	origin := http.NewCrossOriginProtection()
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if origin.Check(r) != nil {
			web.Fail(w, r, errs.E(errs.Forbidden, "this request comes from a page of another origin"))
			return
		}
		if onlyLocalNames && !Loopback(r.Host) {
			web.Fail(w, r, errs.E(errs.Forbidden, "without a token the admin API is only reached as 127.0.0.1, [::1] or localhost"))
			return
		}
		next.ServeHTTP(w, r)
	})
}
