package admin

import (
	"net/http"

	"github.com/gorilla/mux"

	"banyan/modules/kernel/errs"
	"banyan/modules/kernel/rest"
	"banyan/modules/kernel/web"
	"banyan/proxy"
)

// Reason is the body of an abort, and of the removal of a pin.
type Reason struct {
	Reason string `json:"reason"`
}

// Pin is the body of PUT /admin/v1/routes/{id}/pins/{flight_id}.
type Pin struct {
	To     string `json:"to"` // home, away, or a backend's name
	Reason string `json:"reason"`
}

// Pinned is the answer to a change of a pin: the route, and the flight's bucket.
type Pinned struct {
	proxy.View
	Bucket int `json:"bucket"`
}

// Rescue is the body of a rescue.
type Rescue struct {
	Reason string `json:"reason"`
	// Gone names the backend that is gone for good, as a confirmation.
	Gone string `json:"gone"`
	// AcceptLostBuckets agrees to lose everything in buckets that the home has no copy of.
	AcceptLostBuckets bool `json:"accept_lost_buckets"`
}

// Rescued is the answer to a rescue.
type Rescued struct {
	proxy.View
	Rescued proxy.RescueView `json:"rescued"`
	DryRun  bool             `json:"dry_run"`
}

// MovePage is a page of moves, newest first.
type MovePage struct {
	Moves      []proxy.MoveView `json:"moves"`
	NextBefore string           `json:"next_before"` // "" on the last page, and for several routes
}

// mountMoves adds what there is about the data of stateful routes.
func (a *api) mountMoves(r *mux.Router) {
	const route = "/admin/v1/routes/{id:[^/:]+}"
	r.Handle(route+"/buckets", rest.Handler(a.buckets)).Methods(http.MethodGet)
	r.Handle(route+"/pins/{flight:[^/]+}", rest.Handler(a.pin)).Methods(http.MethodPut)
	r.Handle(route+"/pins/{flight:[^/]+}", rest.Handler(a.unpin)).Methods(http.MethodDelete)
	r.Handle(route+":rescue", rest.Handler(a.rescue)).Methods(http.MethodPost)
	r.Handle(route+":verify", rest.Handler(a.verifyRoute)).Methods(http.MethodPost)
	r.Handle("/admin/v1/moves", rest.Handler(a.moves)).Methods(http.MethodGet)
	r.Handle("/admin/v1/moves/{move:[^/:]+}:abort", rest.Handler(a.abort)).Methods(http.MethodPost)
	r.Handle("/admin/v1/moves/{move:[^/:]+}:verify", rest.Handler(a.verifyMove)).Methods(http.MethodPost)
}

func (a *api) buckets(w http.ResponseWriter, r *http.Request) error {
	if err := rest.NoQuery(r); err != nil {
		return err
	}
	v, err := a.router.Buckets(r.Context(), mux.Vars(r)["id"])
	if err != nil {
		return err
	}
	web.JSON(w, http.StatusOK, v)
	return nil
}

func (a *api) moves(w http.ResponseWriter, r *http.Request) error {
	q, err := rest.ReadQuery(r, "route", "before", "limit")
	if err != nil {
		return err
	}
	limit, err := q.Int("limit", 1, maxPage, defaultPage)
	if err != nil {
		return err
	}
	route, before := q["route"], int64(0)
	if q["before"] != "" {
		of, id, err := proxy.ParseMove(q["before"])
		if err != nil {
			return err
		}
		if route != "" && of != route {
			return errs.E(errs.Invalid, "the parameter before names a move of route %s, not of %s", of, route).With("field", "before")
		}
		route, before = of, id
	}
	list, err := a.router.Moves(r.Context(), route, before, limit+1)
	if err != nil {
		return err
	}
	page := MovePage{Moves: list}
	if len(list) > limit {
		page.Moves = list[:limit]
		if route != "" {
			page.NextBefore = list[limit-1].ID
		}
	}
	web.JSON(w, http.StatusOK, page)
	return nil
}

func (a *api) abort(w http.ResponseWriter, r *http.Request) error {
	var body Reason
	ask, err := a.change(w, r, &body, &body.Reason)
	if err != nil {
		return err
	}
	v, err := a.router.AbortMove(r.Context(), mux.Vars(r)["move"], ask)
	if err != nil {
		return err
	}
	web.JSON(w, http.StatusOK, v)
	return nil
}

// change reads the body of a change that has no parameters, and who asks for it.
func (a *api) change(w http.ResponseWriter, r *http.Request, body any, reason *string) (proxy.Ask, error) {
	if err := rest.NoQuery(r); err != nil {
		return proxy.Ask{}, err
	}
	if err := web.Decode(w, r, 0, body); err != nil {
		return proxy.Ask{}, err
	}
	return asked(r, *reason)
}

func (a *api) verifyMove(w http.ResponseWriter, r *http.Request) error {
	return a.verified(w, r, func() (proxy.VerifyView, error) {
		return a.router.VerifyMove(r.Context(), mux.Vars(r)["move"])
	})
}

func (a *api) verifyRoute(w http.ResponseWriter, r *http.Request) error {
	return a.verified(w, r, func() (proxy.VerifyView, error) {
		return a.router.Verify(r.Context(), mux.Vars(r)["id"])
	})
}

// verified answers 200 whatever was found; it changes nothing, so it needs no reason.
func (a *api) verified(w http.ResponseWriter, r *http.Request, verify func() (proxy.VerifyView, error)) error {
	if err := rest.NoQuery(r); err != nil {
		return err
	}
	v, err := verify()
	if err != nil {
		return err
	}
	web.JSON(w, http.StatusOK, v)
	return nil
}

func (a *api) pin(w http.ResponseWriter, r *http.Request) error {
	var body Pin
	ask, err := a.change(w, r, &body, &body.Reason)
	if err != nil {
		return err
	}
	if body.To == "" {
		return errs.E(errs.Invalid, "say where the flight belongs: to is home or away").With("field", "to")
	}
	return a.pinned(w, r, ask, body.To)
}

func (a *api) unpin(w http.ResponseWriter, r *http.Request) error {
	var body Reason
	ask, err := a.change(w, r, &body, &body.Reason)
	if err != nil {
		return err
	}
	return a.pinned(w, r, ask, "")
}

func (a *api) pinned(w http.ResponseWriter, r *http.Request, ask proxy.Ask, to string) error {
	bucket, err := a.router.Pin(r.Context(), proxy.PinOrder{Ask: ask, Flight: mux.Vars(r)["flight"], To: to})
	if err != nil {
		return err
	}
	v, err := a.look(r, ask.Route)
	if err != nil {
		return err
	}
	web.JSON(w, http.StatusAccepted, Pinned{v, bucket})
	return nil
}

func (a *api) rescue(w http.ResponseWriter, r *http.Request) error {
	var body Rescue
	q, err := rest.ReadQuery(r, "dryRun")
	if err != nil {
		return err
	}
	dry, err := q.Bool("dryRun")
	if err != nil {
		return err
	}
	if err := web.Decode(w, r, 0, &body); err != nil {
		return err
	}
	ask, err := asked(r, body.Reason)
	if err != nil {
		return err
	}
	done, err := a.router.Rescue(r.Context(), proxy.RescueOrder{Ask: ask, Gone: body.Gone, AcceptLost: body.AcceptLostBuckets, DryRun: dry})
	if err != nil {
		return err
	}
	v, err := a.look(r, ask.Route)
	if err != nil {
		return err
	}
	w.Header().Set("ETag", rest.Tag(v.Version))
	web.JSON(w, http.StatusOK, Rescued{v, done, dry})
	return nil
}
