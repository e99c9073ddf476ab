package admin

import (
	"net/http"

	"banyan/modules/kernel/errs"
	"banyan/modules/kernel/rest"
	"banyan/modules/kernel/web"
	"banyan/proxy/usage"
)

// Bounds of a list of endpoints or fields.
const (
	defaultRows = 20
	maxRows     = 1000
)

// usage answers GET /admin/v1/usage.
func (a *api) usage(w http.ResponseWriter, r *http.Request) error {
	q, err := rest.ReadQuery(r, "window", "limit")
	if err != nil {
		return err
	}
	limit, err := q.Int("limit", 1, maxRows, defaultRows)
	if err != nil {
		return err
	}
	window := usage.SinceStart
	if q.Has("window") {
		window = usage.Window(q["window"])
	}
	if window != usage.SinceStart && window != usage.LastHour {
		return errs.E(errs.Invalid, "the parameter window must be start or hour").With("field", "window")
	}
	if a.counted == nil {
		return errs.E(errs.NotFound, "this router does not count its usage")
	}
	web.JSON(w, http.StatusOK, a.counted.Report(window, limit))
	return nil
}
