package admin

import (
	"net/http"

	"github.com/gorilla/mux"

	"banyan/modules/kernel/errs"
	"banyan/modules/kernel/rest"
	"banyan/modules/kernel/web"
	"banyan/proxy"
)

// Promote is the body of POST /admin/v1/routes/{id}:promote.
type Promote struct {
	Reason  string `json:"reason"`
	Backend string `json:"backend,omitempty"` // when the route has several beside the home
}

func (a *api) mountPromote(r *mux.Router) {
	r.Handle("/admin/v1/routes/{id:[^/:]+}:promote", rest.Handler(a.promote)).Methods(http.MethodPost)
}

// promote begins a promotion; the route's view then shows how it goes.
func (a *api) promote(w http.ResponseWriter, r *http.Request) error {
	q, err := rest.ReadQuery(r, "dryRun")
	if err != nil {
		return err
	}
	dry, err := q.Bool("dryRun")
	if err != nil {
		return err
	}
	var body Promote
	if !dry || r.ContentLength != 0 {
		if err := web.Decode(w, r, 0, &body); err != nil {
			return err
		}
	}
	ask, err := asked(r, body.Reason)
	if err != nil {
		return err
	}
	if body.Reason != "" && ask.Reason == "" {
		return errs.E(errs.Invalid, "the reason is blank").With("field", "reason")
	}
	v, err := a.router.Promote(r.Context(), proxy.PromoteOrder{Ask: ask, Backend: body.Backend, DryRun: dry})
	if err != nil {
		return err
	}
	answer := Route{}
	if answer.View, err = a.look(r, ask.Route); err != nil {
		return err
	}
	status := http.StatusAccepted // it is decided, and goes on by itself
	if dry {
		answer.Promotion, status = &v, http.StatusOK
	}
	w.Header().Set("ETag", rest.Tag(answer.Version))
	web.JSON(w, status, answer)
	return nil
}
