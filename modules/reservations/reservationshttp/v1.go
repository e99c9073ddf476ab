package reservationshttp

import (
	"bytes"
	"net/http"

	"github.com/gorilla/mux"

	"banyan/modules/kernel/errs"
	"banyan/modules/kernel/idempotency"
	"banyan/modules/kernel/rest"
	"banyan/modules/kernel/web"
	"banyan/modules/reservations"
)

// claim is the body of a reservation; the flight is in the path.
type claim struct {
	Seats      []string `json:"seats"`
	CustomerID string   `json:"customer_id"`
}

// timedClaim is the body of a hold.
type timedClaim struct {
	Seats      []string `json:"seats"`
	CustomerID string   `json:"customer_id"`
	TTLSeconds int      `json:"ttl_seconds"`
}

func (a api) hold(w http.ResponseWriter, r *http.Request) error {
	key, err := keyed(r)
	if err != nil {
		return err
	}
	var body timedClaim
	if err := web.Decode(w, r, 0, &body); err != nil {
		return err
	}
	h, err := a.svc.Hold(r.Context(), reservations.HoldRequest{
		FlightID: mux.Vars(r)["flight_id"], CustomerID: body.CustomerID, Seats: body.Seats,
		TTLSeconds: body.TTLSeconds, Key: key,
	})
	if err != nil {
		return err
	}
	w.Header().Set("Location", "/v1/holds/"+h.HoldID)
	answer(w, http.StatusCreated, h.Replayed, h)
	return nil
}

func (a api) getHold(w http.ResponseWriter, r *http.Request) error {
	act, err := action(r, false)
	if err != nil {
		return err
	}
	h, err := a.svc.GetHold(r.Context(), act.HoldID, act.Token)
	if err != nil {
		return err
	}
	answer(w, http.StatusOK, false, h)
	return nil
}

func (a api) extend(w http.ResponseWriter, r *http.Request) error {
	act, err := action(r, false)
	if err != nil {
		return err
	}
	var body struct {
		TTLSeconds int `json:"ttl_seconds"`
	}
	if err := decodeOptional(w, r, &body); err != nil {
		return err
	}
	act.TTLSeconds = body.TTLSeconds
	h, err := a.svc.Extend(r.Context(), act)
	if err != nil {
		return err
	}
	answer(w, http.StatusOK, h.Replayed, h)
	return nil
}

func (a api) confirm(w http.ResponseWriter, r *http.Request) error {
	act, err := action(r, true)
	if err != nil {
		return err
	}
	var body struct {
		Related string `json:"related"`
	}
	if err := decodeOptional(w, r, &body); err != nil {
		return err
	}
	act.Related = body.Related
	res, err := a.svc.Confirm(r.Context(), act)
	if err != nil {
		return err
	}
	answer(w, http.StatusOK, res.Replayed, res)
	return nil
}

func (a api) release(w http.ResponseWriter, r *http.Request) error {
	act, err := action(r, false)
	if err != nil {
		return err
	}
	h, err := a.svc.Release(r.Context(), act)
	if err != nil {
		return err
	}
	answer(w, http.StatusOK, h.Replayed, h)
	return nil
}

func (a api) reserve(w http.ResponseWriter, r *http.Request) error {
	key, err := optionallyKeyed(r)
	if err != nil {
		return err
	}
	var body claim
	if err := web.Decode(w, r, 0, &body); err != nil {
		return err
	}
	res, err := a.svc.Reserve(r.Context(), reservations.ReserveRequest{
		FlightID: mux.Vars(r)["flight_id"], CustomerID: body.CustomerID, Seats: body.Seats, Key: key,
	})
	if err != nil {
		return err
	}
	w.Header().Set("Location", "/v1/reservations/"+res.ReservationID)
	answer(w, http.StatusCreated, res.Replayed, res)
	return nil
}

func (a api) getReservation(w http.ResponseWriter, r *http.Request) error {
	if err := rest.NoQuery(r); err != nil {
		return err
	}
	res, err := a.svc.GetReservation(r.Context(), mux.Vars(r)["reservation_id"])
	if err != nil {
		return err
	}
	answer(w, http.StatusOK, false, res)
	return nil
}

func (a api) cancel(w http.ResponseWriter, r *http.Request) error {
	if _, err := optionallyKeyed(r); err != nil {
		return err
	}
	res, err := a.svc.Cancel(r.Context(), mux.Vars(r)["reservation_id"])
	if err != nil {
		return err
	}
	answer(w, http.StatusOK, res.Replayed, res)
	return nil
}

func (a api) changeSeat(w http.ResponseWriter, r *http.Request) error {
	key, err := keyed(r)
	if err != nil {
		return err
	}
	var body struct {
		From string `json:"from"`
		To   string `json:"to"`
	}
	if err := web.Decode(w, r, 0, &body); err != nil {
		return err
	}
	res, err := a.svc.ChangeSeat(r.Context(), reservations.ChangeSeatRequest{
		ReservationID: mux.Vars(r)["reservation_id"], From: body.From, To: body.To, Key: key,
	})
	if err != nil {
		return err
	}
	answer(w, http.StatusOK, res.Replayed, res)
	return nil
}

// legs is the body of a rebooking.
type legs struct {
	Outbound  reservations.Leg  `json:"outbound"`
	Returning *reservations.Leg `json:"returning"`
}

func (a api) rebook(w http.ResponseWriter, r *http.Request) error {
	res, err := a.rebooked(w, r)
	if err != nil {
		return err
	}
	answer(w, http.StatusOK, res.Replayed, res)
	return nil
}

// rebooked does what a request to rebook asks for.
func (a api) rebooked(w http.ResponseWriter, r *http.Request) (reservations.Reservation, error) {
	key, err := optionallyKeyed(r)
	if err != nil {
		return reservations.Reservation{}, err
	}
	var body legs
	if err := web.Decode(w, r, 0, &body); err != nil {
		return reservations.Reservation{}, err
	}
	return a.svc.Rebook(r.Context(), reservations.RebookRequest{
		ReservationID: mux.Vars(r)["reservation_id"], Outbound: body.Outbound, Returning: body.Returning, Key: key,
	})
}

// answer sends what is about one customer: no cache may keep it.
func answer(w http.ResponseWriter, status int, replayed bool, v any) {
	rest.Replayed(w, replayed)
	w.Header().Set("Cache-Control", "no-store")
	web.JSON(w, status, v)
}

// keyed reads the key that a request must have, and refuses parameters.
func keyed(r *http.Request) (string, error) {
	if err := rest.NoQuery(r); err != nil {
		return "", err
	}
	return idempotency.Required(r)
}

// optionallyKeyed reads the key that a request may have, and refuses parameters.
func optionallyKeyed(r *http.Request) (string, error) {
	if err := rest.NoQuery(r); err != nil {
		return "", err
	}
	return idempotency.Key(r)
}

// action reads what a call on a hold needs: its id, its token, and a key.
func action(r *http.Request, needsKey bool) (reservations.HoldAction, error) {
	read := optionallyKeyed
	if needsKey {
		read = keyed
	}
	key, err := read(r)
	if err != nil {
		return reservations.HoldAction{}, err
	}
	token, err := rest.Header(r, TokenHeader)
	if err != nil {
		return reservations.HoldAction{}, err
	}
	if token == "" {
		return reservations.HoldAction{}, errs.E(errs.TokenRequired, "send the hold's token in %s", TokenHeader)
	}
	return reservations.HoldAction{HoldID: mux.Vars(r)["hold_id"], Token: token, Key: key}, nil
}

// decodeOptional is web.Decode for a body that may be left out.
func decodeOptional(w http.ResponseWriter, r *http.Request, v any) error {
	body, err := web.Body(w, r, 0)
	if err != nil || len(bytes.TrimSpace(body)) == 0 {
		return err
	}
	return web.Decode(w, rest.WithBody(r, body), 0, v)
}
