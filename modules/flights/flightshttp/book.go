package flightshttp

import (
	"errors"
	"net/http"
	"strings"

	"github.com/gorilla/mux"

	"banyan/modules/kernel/errs"
	"banyan/modules/kernel/rest"
	"banyan/modules/kernel/web"
)

// bookErrors is the body of a 400 on the book's flights paths.
type bookErrors struct {
	Errors []bookError `json:"errors"`
}

// bookError names one thing that was wrong, as the book's validator does.
type bookError struct {
	Message   string `json:"msg"`
	Parameter string `json:"param,omitempty"`
	Location  string `json:"location"`
}

// bookFail answers a bad request in the book's shape, and leaves the rest to web.Fail.
func bookFail(w http.ResponseWriter, location string, err error) error {
	var e *errs.Error
	if !errors.As(err, &e) || errs.Status(e.Code) != http.StatusBadRequest {
		return err
	}
	field, _ := e.Fields["field"].(string)
	w.Header().Set("Cache-Control", "no-store")
	web.JSON(w, http.StatusBadRequest, bookErrors{Errors: []bookError{{Message: e.Message, Parameter: field, Location: location}}})
	return nil
}

// bookFound is what the book's search says of a flight.
type bookFound struct {
	FlightID    string `json:"flight_id"`
	Origin      string `json:"origin_code"`
	Destination string `json:"destination_code"`
}

func (a api) bookFlight(w http.ResponseWriter, r *http.Request) error {
	q, err := rest.ReadQuery(r, "flight_no", "departure_date_time")
	if err != nil {
		return bookFail(w, "query", err)
	}
	number, err := q.Need("flight_no")
	if err != nil {
		return bookFail(w, "query", err)
	}
	departure, err := q.Need("departure_date_time")
	if err != nil {
		return bookFail(w, "query", err)
	}
	f, err := a.svc.ByNumber(r.Context(), number, departure)
	if err != nil {
		return bookFail(w, "query", err)
	}
	web.JSON(w, http.StatusOK, bookFound{FlightID: f.FlightID, Origin: f.Origin, Destination: f.Destination})
	return nil
}

// bookSeatMap takes a flight number, meaning its next departure, or a flight id.
func (a api) bookSeatMap(w http.ResponseWriter, r *http.Request) error {
	if err := rest.NoQuery(r); err != nil {
		return bookFail(w, "query", err)
	}
	id := mux.Vars(r)["flight_no"]
	if !strings.Contains(id, "-") {
		f, err := a.svc.ByNumber(r.Context(), id, "")
		if err != nil {
			return bookFail(w, "params", err)
		}
		id = f.FlightID
	}
	m, err := a.svc.SeatMap(r.Context(), id)
	if err != nil {
		return bookFail(w, "params", err)
	}
	answerSeatMap(w, r, m)
	return nil
}
