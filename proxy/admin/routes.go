package admin

import (
	"net"
	"net/http"
	"strconv"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/gorilla/mux"

	"banyan/modules/kernel/errs"
	"banyan/modules/kernel/rest"
	"banyan/modules/kernel/web"
	"banyan/proxy"
	"banyan/proxy/weights"
)

type api struct{ router *proxy.Router }

// RouteList is the answer of GET /admin/v1/routes.
type RouteList struct {
	Routes []proxy.View     `json:"routes"`
	Config proxy.ConfigView `json:"config"`
}

// Route is a route, with what was just changed, or on a dry run would be.
type Route struct {
	proxy.View
	Change *proxy.Outcome `json:"change,omitempty"`
}

// Change is the body of a PATCH, a flip or a rollback.
type Change struct {
	Reason  string          `json:"reason"`
	Weights weights.Weights `json:"weights,omitempty"` // PATCH: what is not named, the home gives or takes
	Backend string          `json:"backend,omitempty"` // flip: where to, when there are several
}

// AuditPage is a page of the audit log, newest first.
type AuditPage struct {
	Entries    []AuditEntry `json:"entries"`
	NextCursor string       `json:"next_cursor"` // "" on the last page
}

// AuditEntry is a line of the audit log.
type AuditEntry struct {
	weights.Entry
	Time time.Time `json:"time"`
}

func (a *api) list(w http.ResponseWriter, r *http.Request) error {
	if err := rest.NoQuery(r); err != nil {
		return err
	}
	list, config := a.router.Routes()
	web.JSON(w, http.StatusOK, RouteList{list, config})
	return nil
}

func (a *api) get(w http.ResponseWriter, r *http.Request) error {
	if err := rest.NoQuery(r); err != nil {
		return err
	}
	v, err := a.router.Route(mux.Vars(r)["id"])
	if err != nil || rest.NotModified(w, r, rest.Tag(v.Version)) {
		return err
	}
	web.JSON(w, http.StatusOK, Route{View: v})
	return nil
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
	if err := checkReason(body.Reason); err != nil {
		return err
	}
	version, err := ifMatch(r)
	if err != nil {
		return err
	}
	who, err := actor(r)
	if err != nil {
		return err
	}
	out, err := a.router.Apply(r.Context(), proxy.Order{
		Route: mux.Vars(r)["id"], Action: action, Weights: body.Weights, Backend: body.Backend, IfVersion: version,
		Reason: strings.TrimSpace(body.Reason), Actor: who, RequestID: web.RequestID(r.Context()), DryRun: dry,
	})
	if err != nil {
		return err
	}
	v, err := a.router.Route(out.Route)
	if err != nil {
		return err
	}
	w.Header().Set("ETag", rest.Tag(v.Version))
	web.JSON(w, http.StatusOK, Route{v, &out})
	return nil
}

func checkReason(s string) error {
	if strings.ContainsFunc(s, unicode.IsControl) {
		return errs.E(errs.Invalid, "the reason has a control character; write one line of text").With("field", "reason")
	}
	return nil
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

// Pages of the audit log.
const (
	defaultPage = 50
	maxPage     = 200
)

func (a *api) audit(w http.ResponseWriter, r *http.Request) error {
	q, err := rest.ReadQuery(r, "route", "limit", "cursor")
	if err != nil {
		return err
	}
	limit, err := q.Int("limit", 1, maxPage, defaultPage)
	if err != nil {
		return err
	}
	var before int64
	if c := q["cursor"]; c != "" {
		if before, err = strconv.ParseInt(c, 10, 64); err != nil || before < 1 {
			return errs.E(errs.Invalid, "the parameter cursor must be a next_cursor of this log").With("field", "cursor")
		}
	}
	entries, err := a.router.Audit(r.Context(), q["route"], before, limit+1)
	if err != nil {
		return err
	}
	page := AuditPage{Entries: []AuditEntry{}}
	for i, e := range entries {
		if i == limit {
			page.NextCursor = strconv.FormatInt(entries[i-1].Seq, 10)
			break
		}
		page.Entries = append(page.Entries, AuditEntry{e, time.UnixMicro(e.ChangedAt).UTC()})
	}
	web.JSON(w, http.StatusOK, page)
	return nil
}
