package reservationshttp

import (
	"net/http"

	"github.com/gorilla/mux"

	"banyan/modules/kernel/rest"
	"banyan/modules/kernel/web"
	"banyan/modules/reservations"
)

func (a api) seats(w http.ResponseWriter, r *http.Request) error {
	if err := rest.NoQuery(r); err != nil {
		return err
	}
	s, err := a.svc.Seats(r.Context(), mux.Vars(r)["flight_id"])
	if err != nil {
		return err
	}
	answer(w, http.StatusOK, false, listed(s))
	return nil
}

// occupantsOf is the answer to occupants: seat to customer, or to mask.
type occupantsOf struct {
	FlightID  string            `json:"flight_id"`
	Occupants map[string]string `json:"occupants"`
}

func (a api) occupants(w http.ResponseWriter, r *http.Request) error {
	if err := rest.NoQuery(r); err != nil {
		return err
	}
	flightID := mux.Vars(r)["flight_id"]
	who, err := a.maskedOccupants(r, flightID)
	if err != nil {
		return err
	}
	answer(w, http.StatusOK, false, occupantsOf{FlightID: flightID, Occupants: who})
	return nil
}

// mask stands for a customer that the caller may not see.
const mask = "***"

// maskedOccupants gives the reserved seats with the caller's own id where it has the
// seat, and mask elsewhere.
func (a api) maskedOccupants(r *http.Request, flightID string) (map[string]string, error) {
	caller, err := rest.Header(r, CustomerHeader)
	if err != nil {
		return nil, err
	}
	who, err := a.svc.Occupants(r.Context(), flightID)
	if err != nil {
		return nil, err
	}
	masked := make(map[string]string, len(who))
	for seat, customer := range who {
		masked[seat] = mask
		if caller != "" && customer == caller {
			masked[seat] = customer
		}
	}
	return masked, nil
}

func (a api) block(w http.ResponseWriter, r *http.Request) error {
	if _, err := optionallyKeyed(r); err != nil {
		return err
	}
	var body struct {
		Reason string `json:"reason"`
	}
	if err := web.Decode(w, r, 0, &body); err != nil {
		return err
	}
	vars := mux.Vars(r)
	s, err := a.svc.Block(r.Context(), reservations.BlockRequest{FlightID: vars["flight_id"], Seat: vars["seat"], Reason: body.Reason})
	if err != nil {
		return err
	}
	answer(w, http.StatusOK, false, listed(s))
	return nil
}

func (a api) unblock(w http.ResponseWriter, r *http.Request) error {
	if _, err := optionallyKeyed(r); err != nil {
		return err
	}
	vars := mux.Vars(r)
	s, err := a.svc.Unblock(r.Context(), vars["flight_id"], vars["seat"])
	if err != nil {
		return err
	}
	answer(w, http.StatusOK, false, listed(s))
	return nil
}

// listed makes sure that a flight without taken seats shows {}, not null.
func listed(s reservations.SeatStates) reservations.SeatStates {
	if s.Seats == nil {
		s.Seats = map[string]reservations.SeatState{}
	}
	return s
}
