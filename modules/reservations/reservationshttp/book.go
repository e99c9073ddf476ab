package reservationshttp

import (
	"errors"
	"fmt"
	"net/http"
	"strings"

	"banyan/modules/kernel/errs"
	"banyan/modules/kernel/rest"
	"banyan/modules/kernel/web"
	"banyan/modules/reservations"
)

// bookRefusal is the body of the book's 403.
type bookRefusal struct {
	Error       string `json:"error"`
	Description string `json:"description"`
}

// bookTaken lists the reserved seats of a flight.
func (a api) bookTaken(w http.ResponseWriter, r *http.Request) error {
	q, err := rest.ReadQuery(r, "flight_id")
	if err != nil {
		return err
	}
	flightID, err := q.Need("flight_id")
	if err != nil {
		return err
	}
	who, err := a.maskedOccupants(r, flightID)
	if err != nil {
		return err
	}
	answer(w, http.StatusOK, false, who)
	return nil
}

// bookReserve claims one seat for a customer; the customer's retry succeeds again.
func (a api) bookReserve(w http.ResponseWriter, r *http.Request) error {
	key, err := optionallyKeyed(r)
	if err != nil {
		return err
	}
	var body struct {
		FlightID   string `json:"flight_id"`
		CustomerID string `json:"customer_id"`
		Seat       string `json:"seat_num"`
	}
	if err := web.Decode(w, r, 0, &body); err != nil {
		return err
	}
	res, err := a.svc.Reserve(r.Context(), reservations.ReserveRequest{
		FlightID: body.FlightID, CustomerID: body.CustomerID, Seats: []string{body.Seat}, Key: key,
	})
	if errs.CodeOf(err) == errs.SeatTaken {
		answer(w, http.StatusForbidden, false, bookRefusal{
			Error:       "Could not complete reservation for " + body.Seat,
			Description: "Seat already reserved. Cannot double-book",
		})
		return nil
	}
	if err != nil {
		return err
	}
	answer(w, http.StatusOK, res.Replayed, map[string]string{"status": "success"})
	return nil
}

// bookRebook moves a reservation to other flights.
func (a api) bookRebook(w http.ResponseWriter, r *http.Request) error {
	res, err := a.rebooked(w, r)
	if errs.CodeOf(err) == errs.SeatTaken {
		answer(w, http.StatusForbidden, false, bookRefusal{
			Error:       "Could not complete reservation for " + strings.Join(conflicts(err), ", "),
			Description: "Seat already reserved. Nothing has changed",
		})
		return nil
	}
	if err != nil {
		return err
	}
	answer(w, http.StatusOK, res.Replayed, map[string]string{"reservation_id": res.ReservationID})
	return nil
}

// conflicts gives the seats that an error names, from this process or over HTTP.
func conflicts(err error) []string {
	var e *errs.Error
	if !errors.As(err, &e) {
		return nil
	}
	switch seats := e.Fields["conflicts"].(type) {
	case []string:
		return seats
	case []any:
		named := make([]string, 0, len(seats))
		for _, seat := range seats {
			named = append(named, fmt.Sprint(seat))
		}
		return named
	}
	return nil
}
