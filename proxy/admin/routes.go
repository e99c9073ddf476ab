package admin

import (
	"net"
	"net/http"
	"strings"
	"sync/atomic"
	"unicode"
	"unicode/utf8"

	"github.com/gorilla/mux"

	"banyan/modules/kernel/errs"
	"banyan/modules/kernel/rest"
	"banyan/modules/kernel/web"
	"banyan/proxy"
	"banyan/proxy/usage"
	"banyan/proxy/weights"
)

type api struct {
	router  *proxy.Router
	counted *usage.Usage // nil: nothing is counted
	stop    <-chan struct{}
	streams atomic.Int32 // of events
}

// RouteList is the answer of GET /admin/v1/routes.
type RouteList struct {
	Routes []proxy.View     `json:"routes"`
	Config proxy.ConfigView `json:"config"`
}

// Route is a route, with what was just changed, or on a dry run would be.
type Route struct {
	proxy.View
	Change  *proxy.Outcome     `json:"change,omitempty"`
	Preview *proxy.PreviewView `json:"preview,omitempty"` // of a dry run, where data would move
}

// Change is the body of a PATCH, a flip or a rollback.
type Change struct {
	Reason  string          `json:"reason"`
	Weights weights.Weights `json:"weights,omitempty"` // PATCH: what is not named, the home gives or takes
	Backend string          `json:"backend,omitempty"` // flip: where to, when there are several
}

func (a *api) list(w http.ResponseWriter, r *http.Request) error {
	if err := rest.NoQuery(r); err != nil {
		return err
	}
	list, config := a.router.Routes()
	for i := range list {
		var err error
		if list[i].MovesView, err = a.router.Moving(r.Context(), list[i].ID); err != nil {
			return err
		}
		if list[i].Promotion, err = a.router.Promotion(r.Context(), list[i].ID); err != nil {
			return err
		}
	}
	web.JSON(w, http.StatusOK, RouteList{list, config})
	return nil
}

func (a *api) get(w http.ResponseWriter, r *http.Request) error {
	if err := rest.NoQuery(r); err != nil {
		return err
	}
	v, err := a.look(r, mux.Vars(r)["id"])
	if err != nil {
		return err
	}
	if v.MovesView != nil || v.Promotion != nil { // it changes without its version
		w.Header().Set("ETag", rest.Tag(v.Version))
	} else if rest.NotModified(w, r, rest.Tag(v.Version)) {
		return nil
	}
	web.JSON(w, http.StatusOK, Route{View: v})
	return nil
}

// look gives a route with how far its data is.
func (a *api) look(r *http.Request, id string) (proxy.View, error) {
	v, err := a.router.Route(id)
	if err == nil {
		v.MovesView, err = a.router.Moving(r.Context(), id)
	}
	if err == nil {
		v.Promotion, err = a.router.Promotion(r.Context(), id)
	}
	return v, err
}

func (a *api) patch(w http.ResponseWriter, r *http.Request) error {
	var body Change
	if err := web.Decode(w, r, 0, &body); err != nil {
		return err
	}
	if body.Backend != "" {
		return errs.E(errs.Invalid, "a PATCH names backends in weights, such as {\"weights\":{\"flights\":\"5%%\"}}").With("field", "backend")
	}
	return a.apply(w, r, proxy.Set, body)
}

func (a *api) act(action proxy.Action) rest.Handler {
	return func(w http.ResponseWriter, r *http.Request) error {
		var body Change
		if err := decodeAction(w, r, &body); err != nil {
			return err
		}
		if body.Weights != nil || (body.Backend != "" && action != proxy.Flip) {
			return errs.E(errs.Invalid, "%s takes a reason; it decides the weights itself", action)
		}
		return a.apply(w, r, action, body)
	}
}

// decodeAction lets a dry run do without a body.
func decodeAction(w http.ResponseWriter, r *http.Request, body *Change) error {
	if r.ContentLength == 0 && r.URL.Query().Get("dryRun") == "true" {
		return nil
	}
	return web.Decode(w, r, 0, body)
}

func (a *api) apply(w http.ResponseWriter, r *http.Request, action proxy.Action, body Change) error {
	q, err := rest.ReadQuery(r, "dryRun")
	if err != nil {
		return err
	}
	dry, err := q.Bool("dryRun")
	if err != nil {
		return err
	}
	ask, err := asked(r, body.Reason)
	if err != nil {
		return err
	}
	order := proxy.Order{
		Route: ask.Route, Action: action, Weights: body.Weights, Backend: body.Backend, IfVersion: ask.IfVersion,
		Reason: ask.Reason, Actor: ask.Actor, RequestID: ask.RequestID, DryRun: dry,
	}
	out, err := a.router.Apply(r.Context(), order)
	if err != nil {
		return err
	}
	answer := Route{Change: &out}
	if dry {
		if answer.Preview, err = a.router.Preview(r.Context(), order); err != nil {
			return err
		}
	}
	if answer.View, err = a.look(r, out.Route); err != nil {
		return err
	}
	status := http.StatusOK
	if answer.MovesView != nil && !dry {
		status = http.StatusAccepted // it is decided, and the data follows
	}
	w.Header().Set("ETag", rest.Tag(answer.Version))
	web.JSON(w, status, answer)
	return nil
}

// asked reads who asks for a change of the route in the path, and why.
func asked(r *http.Request, reason string) (proxy.Ask, error) {
	if strings.ContainsFunc(reason, unicode.IsControl) {
		return proxy.Ask{}, errs.E(errs.Invalid, "the reason has a control character; write one line of text").With("field", "reason")
	}
	version, err := ifMatch(r)
	if err != nil {
		return proxy.Ask{}, err
	}
	who, err := actor(r)
	return proxy.Ask{
		Route: mux.Vars(r)["id"], IfVersion: version, Reason: strings.TrimSpace(reason), Actor: who, RequestID: web.RequestID(r.Context()),
	}, err
}

// ifMatch gives the version that the caller saw, "" when it does not say.
func ifMatch(r *http.Request) (string, error) {
	values := r.Header.Values("If-Match")
	if len(values) == 0 || (len(values) == 1 && values[0] == "*") {
		return "", nil
	}
	tag := rest.Untag(values[0])
	if len(values) > 1 || tag == "" {
		return "", errs.E(errs.Invalid, "If-Match must be one entity tag as ETag gave it")
	}
	return tag, nil
}

// actor is who asks, by their own word, and from where.
func actor(r *http.Request) (string, error) {
	name := r.Header.Get(ActorHeader)
	if len(name) > weights.MaxActor/2 || !utf8.ValidString(name) || strings.ContainsFunc(name, unicode.IsControl) {
		return "", errs.E(errs.Invalid, "%s may have %d bytes of text", ActorHeader, weights.MaxActor/2)
	}
	host, _, err := net.SplitHostPort(r.RemoteAddr)
	if err != nil {
		host = r.RemoteAddr
	}
	if name == "" {
		name = "unnamed"
	}
	return name + "@" + host, nil
}
