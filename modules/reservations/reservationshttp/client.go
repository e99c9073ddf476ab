package reservationshttp

import (
	"context"
	"net/http"

	"banyan/modules/kernel/errs"
	"banyan/modules/kernel/idempotency"
	"banyan/modules/kernel/rest"
	"banyan/modules/reservations"
)

// Client is the reservations context somewhere else. Besides the errors that the
// Service gives, every call may give Unavailable, GatewayTimeout and BadGateway; after
// these the effect of a write is unknown, and the same key tells.
type Client struct{ to *rest.Caller }

var _ reservations.Service = (*Client)(nil)

// NewClient makes a client of the service at base, such as http://127.0.0.1:8082,
// through rt, which bounds a call's time along with its context.
func NewClient(base string, rt http.RoundTripper) *Client {
	return &Client{to: rest.NewCaller(base, rt)}
}

// Hold asks POST /v1/flights/{flight_id}/holds.
func (c *Client) Hold(ctx context.Context, r reservations.HoldRequest) (reservations.Hold, error) {
	path, err := flightPath(r.FlightID, "/holds")
	if err != nil {
		return reservations.Hold{}, err
	}
	return c.onHold(ctx, rest.Call{
		Method: http.MethodPost, Path: path,
		In:     timedClaim{r.Seats, r.CustomerID, r.TTLSeconds},
		Header: map[string]string{idempotency.Header: r.Key},
	})
}

// GetHold asks GET /v1/holds/{hold_id}.
func (c *Client) GetHold(ctx context.Context, holdID, token string) (reservations.Hold, error) {
	path, err := holdPath(holdID, "")
	if err != nil {
		return reservations.Hold{}, err
	}
	return c.onHold(ctx, rest.Call{Method: http.MethodGet, Path: path, Header: map[string]string{TokenHeader: token}})
}

// Extend asks POST /v1/holds/{hold_id}/extend.
func (c *Client) Extend(ctx context.Context, r reservations.HoldAction) (reservations.Hold, error) {
	path, err := holdPath(r.HoldID, "/extend")
	if err != nil {
		return reservations.Hold{}, err
	}
	return c.onHold(ctx, rest.Call{
		Method: http.MethodPost, Path: path, Header: shown(r),
		In: map[string]int{"ttl_seconds": r.TTLSeconds},
	})
}

// Confirm asks POST /v1/holds/{hold_id}/confirm.
func (c *Client) Confirm(ctx context.Context, r reservations.HoldAction) (reservations.Reservation, error) {
	path, err := holdPath(r.HoldID, "/confirm")
	if err != nil {
		return reservations.Reservation{}, err
	}
	call := rest.Call{Method: http.MethodPost, Path: path, Header: shown(r)}
	if r.Related != "" {
		call.In = map[string]string{"related": r.Related}
	}
	return c.onReservation(ctx, call)
}

// Release asks DELETE /v1/holds/{hold_id}.
func (c *Client) Release(ctx context.Context, r reservations.HoldAction) (reservations.Hold, error) {
	path, err := holdPath(r.HoldID, "")
	if err != nil {
		return reservations.Hold{}, err
	}
	return c.onHold(ctx, rest.Call{Method: http.MethodDelete, Path: path, Header: shown(r)})
}

// Reserve asks POST /v1/flights/{flight_id}/reservations.
func (c *Client) Reserve(ctx context.Context, r reservations.ReserveRequest) (reservations.Reservation, error) {
	path, err := flightPath(r.FlightID, "/reservations")
	if err != nil {
		return reservations.Reservation{}, err
	}
	return c.onReservation(ctx, rest.Call{
		Method: http.MethodPost, Path: path, In: claim{r.Seats, r.CustomerID},
		Header: map[string]string{idempotency.Header: r.Key},
	})
}

// GetReservation asks GET /v1/reservations/{reservation_id}.
func (c *Client) GetReservation(ctx context.Context, reservationID string) (reservations.Reservation, error) {
	path, err := reservationPath(reservationID, "")
	if err != nil {
		return reservations.Reservation{}, err
	}
	return c.onReservation(ctx, rest.Call{Method: http.MethodGet, Path: path})
}

// Cancel asks DELETE /v1/reservations/{reservation_id}.
func (c *Client) Cancel(ctx context.Context, reservationID string) (reservations.Reservation, error) {
	path, err := reservationPath(reservationID, "")
	if err != nil {
		return reservations.Reservation{}, err
	}
	return c.onReservation(ctx, rest.Call{Method: http.MethodDelete, Path: path})
}

// ChangeSeat asks POST /v1/reservations/{reservation_id}/change-seat.
func (c *Client) ChangeSeat(ctx context.Context, r reservations.ChangeSeatRequest) (reservations.Reservation, error) {
	path, err := reservationPath(r.ReservationID, "/change-seat")
	if err != nil {
		return reservations.Reservation{}, err
	}
	return c.onReservation(ctx, rest.Call{
		Method: http.MethodPost, Path: path,
		In:     map[string]string{"from": r.From, "to": r.To},
		Header: map[string]string{idempotency.Header: r.Key},
	})
}

// Rebook asks POST /v1/reservations/{reservation_id}/rebook.
func (c *Client) Rebook(ctx context.Context, r reservations.RebookRequest) (reservations.Reservation, error) {
	path, err := reservationPath(r.ReservationID, "/rebook")
	if err != nil {
		return reservations.Reservation{}, err
	}
	return c.onReservation(ctx, rest.Call{
		Method: http.MethodPost, Path: path, In: legs{r.Outbound, r.Returning},
		Header: map[string]string{idempotency.Header: r.Key},
	})
}

// Seats asks GET /v1/flights/{flight_id}/seats.
func (c *Client) Seats(ctx context.Context, flightID string) (reservations.SeatStates, error) {
	path, err := flightPath(flightID, "/seats")
	if err != nil {
		return reservations.SeatStates{}, err
	}
	return c.onSeats(ctx, rest.Call{Method: http.MethodGet, Path: path})
}

// Occupants asks GET /v1/flights/{flight_id}/occupants. Over HTTP the customers come
// masked: the seats are true, the names are not told.
func (c *Client) Occupants(ctx context.Context, flightID string) (map[string]string, error) {
	path, err := flightPath(flightID, "/occupants")
	if err != nil {
		return nil, err
	}
	var out occupantsOf
	_, err = c.to.Do(ctx, rest.Call{Method: http.MethodGet, Path: path, Out: &out})
	return out.Occupants, err
}

// Block asks PUT /v1/flights/{flight_id}/blocks/{seat}.
func (c *Client) Block(ctx context.Context, r reservations.BlockRequest) (reservations.SeatStates, error) {
	path, err := blockPath(r.FlightID, r.Seat)
	if err != nil {
		return reservations.SeatStates{}, err
	}
	return c.onSeats(ctx, rest.Call{Method: http.MethodPut, Path: path, In: map[string]string{"reason": r.Reason}})
}

// Unblock asks DELETE /v1/flights/{flight_id}/blocks/{seat}.
func (c *Client) Unblock(ctx context.Context, flightID, seat string) (reservations.SeatStates, error) {
	path, err := blockPath(flightID, seat)
	if err != nil {
		return reservations.SeatStates{}, err
	}
	return c.onSeats(ctx, rest.Call{Method: http.MethodDelete, Path: path})
}

func (c *Client) onHold(ctx context.Context, call rest.Call) (reservations.Hold, error) {
	var h reservations.Hold
	call.Out = &h
	header, err := c.to.Do(ctx, call)
	if err != nil {
		return reservations.Hold{}, err
	}
	h.Replayed = header.Get(idempotency.Replayed) == "true"
	return h, nil
}

func (c *Client) onReservation(ctx context.Context, call rest.Call) (reservations.Reservation, error) {
	var r reservations.Reservation
	call.Out = &r
	header, err := c.to.Do(ctx, call)
	if err != nil {
		return reservations.Reservation{}, err
	}
	r.Replayed = header.Get(idempotency.Replayed) == "true"
	return r, nil
}

func (c *Client) onSeats(ctx context.Context, call rest.Call) (reservations.SeatStates, error) {
	var s reservations.SeatStates
	call.Out = &s
	_, err := c.to.Do(ctx, call)
	return s, err
}

// shown gives the headers of a call on a hold.
func shown(r reservations.HoldAction) map[string]string {
	return map[string]string{TokenHeader: r.Token, idempotency.Header: r.Key}
}

func flightPath(flightID, below string) (string, error) {
	return path("/v1/flights/", flightID, below, errs.E(errs.FlightUnknown, "there is no flight %q", flightID))
}

func holdPath(holdID, below string) (string, error) {
	return path("/v1/holds/", holdID, below, errs.E(errs.HoldUnknown, "there is no hold %q", holdID))
}

func reservationPath(reservationID, below string) (string, error) {
	return path("/v1/reservations/", reservationID, below, errs.E(errs.ReservationUnknown, "there is no reservation %q", reservationID))
}

func blockPath(flightID, seat string) (string, error) {
	flight, err := flightPath(flightID, "/blocks/")
	if err != nil {
		return "", err
	}
	return path(flight, seat, "", errs.E(errs.Invalid, "%q is not a seat; write row and column, such as 12C", seat))
}

// path puts an id between two parts of a path, or gives the error for an id that no
// path can carry.
func path(above, id, below string, otherwise error) (string, error) {
	segment, ok := rest.Segment(id)
	if !ok {
		return "", otherwise
	}
	return above + segment + below, nil
}
