package admin

import (
	"net/http"

	"github.com/gorilla/mux"

	"banyan/modules/kernel/rest"
	"banyan/modules/kernel/web"
	"banyan/proxy/shadow"
)

// DiffList is the answer of GET /admin/v1/diffs: what the copies of each shadowed route
// found, in this process.
type DiffList struct {
	Routes []shadow.Report `json:"routes"`
}

func (a *api) diffs(w http.ResponseWriter, r *http.Request) error {
	q, err := rest.ReadQuery(r, "route", "limit")
	if err != nil {
		return err
	}
	limit, err := q.Int("limit", 1, maxRows, defaultRows)
	if err != nil {
		return err
	}
	list, err := a.router.Shadow().Report(q["route"], limit)
	if err != nil {
		return err
	}
	web.JSON(w, http.StatusOK, DiffList{list})
	return nil
}

// resetDiffs forgets what was found on a route. It changes nothing that is answered, so
// that the audit log does not hear of it.
func (a *api) resetDiffs(w http.ResponseWriter, r *http.Request) error {
	if err := rest.NoQuery(r); err != nil {
		return err
	}
	route := mux.Vars(r)["id"]
	if err := a.router.Shadow().Reset(route); err != nil {
		return err
	}
	list, err := a.router.Shadow().Report(route, 1)
	if err != nil {
		return err
	}
	web.JSON(w, http.StatusOK, DiffList{list})
	return nil
}
