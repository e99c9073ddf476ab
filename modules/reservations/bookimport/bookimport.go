// Package bookimport brings in the reservations of the service that Banyan replaces, which
// kept one Redis hash a flight: field = seat, value = customer. Each becomes a reservation
// by the front door, so it may be done while seats are sold and at any weight. Nothing is
// changed in that Redis, and doing it again changes nothing.
package bookimport

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"strings"
	"time"

	"golang.org/x/sync/errgroup"

	"banyan/modules/kernel/errs"
	"banyan/modules/kernel/redisdb"
	"banyan/modules/reservations"
)

// Prefix begins the keys of the flights.
const Prefix = "flights:"

const (
	workers = 8 // seats that are reserved at once
	tries   = 6 // of a seat, when the answer is to try again later
	pause   = 100 * time.Millisecond
)

// Import says what to bring in.
type Import struct {
	From *redisdb.DB
	To   reservations.Bookings
	// Flights gives the ids that flights have here by those in the keys; others stay as
	// they are.
	Flights  map[string]string
	Progress func(seats int)
	// Problem hears of each seat that is left out.
	Problem func(Problem)
}

// Problem is a seat that was left out, or a key, of which Seat is "".
type Problem struct {
	Key, Seat string
	Err       error
}

// String is for people.
func (p Problem) String() string {
	return strings.TrimSuffix(fmt.Sprintf("%q %s", p.Key, p.Seat), " ") + ": " + p.Err.Error()
}

// Report counts seats; Reasons is by the code of the errors.
type Report struct {
	Flights  int               `json:"flights"`
	Seats    int               `json:"seats"`
	New      int               `json:"new"`
	Existing int               `json:"existing"`
	Skipped  int               `json:"left_out"`
	Reasons  map[errs.Code]int `json:"reasons,omitempty"`
}

// Run imports until all is done, or until an error that concerns more than one seat; then
// the same import goes on later. errs: Unavailable, and those of To.
func Run(ctx context.Context, i Import) (Report, error) {
	r := &run{Import: i, report: Report{Reasons: map[errs.Code]int{}}}
	last := ""
	err := i.From.EachHash(ctx, Prefix+"*", func(key string, pairs []string) error {
		if key != last {
			r.report.Flights, last = r.report.Flights+1, key
		}
		if pairs == nil {
			r.leaveOut(Problem{Key: key, Err: errs.E(errs.Invalid, "the key is no hash of seats")})
			return nil
		}
		return r.seats(ctx, key, pairs)
	})
	return r.report, err
}

// run is an import under way. One goroutine reads and counts.
type run struct {
	Import
	report Report
}

// seats reserves seats, several at once; pairs are fields and values in turn.
func (r *run) seats(ctx context.Context, key string, pairs []string) error {
	type outcome struct {
		seat     string
		existing bool
		err      error
	}
	done := make([]outcome, len(pairs)/2)
	var group errgroup.Group
	group.SetLimit(workers)
	for n := range done {
		seat, customer := pairs[2*n], pairs[2*n+1]
		group.Go(func() error {
			existing, err := r.reserve(ctx, key, seat, customer)
			done[n] = outcome{seat, existing, err}
			return nil
		})
	}
	_ = group.Wait() // outcomes are in done
	for _, o := range done {
		switch {
		case o.err == nil && o.existing:
			r.report.Existing++
		case o.err == nil:
			r.report.New++
		case !ofOneSeat(o.err):
			return o.err
		default:
			r.leaveOut(Problem{Key: key, Seat: o.seat, Err: o.err})
		}
		r.report.Seats++
		r.Progress(r.report.Seats)
	}
	return nil
}

func (r *run) leaveOut(p Problem) {
	r.report.Skipped++
	r.report.Reasons[errs.CodeOf(p.Err)]++
	r.Problem(p)
}

// reserve tells whether the seat was the customer's already.
func (r *run) reserve(ctx context.Context, key, seat, customer string) (existing bool, err error) {
	flight := strings.TrimPrefix(key, Prefix)
	if here, ok := r.Flights[flight]; ok {
		flight = here
	}
	sum := sha256.Sum256([]byte(strings.Join([]string{flight, seat, customer}, "\x00")))
	request := reservations.ReserveRequest{
		FlightID: flight, CustomerID: customer, Seats: []string{seat}, Key: "book-" + hex.EncodeToString(sum[:16]),
	}
	for try := range tries {
		var made reservations.Reservation
		if made, err = r.To.Reserve(ctx, request); !later(err) {
			return made.Replayed, err
		}
		select {
		case <-ctx.Done():
			return false, errs.E(errs.Unavailable, "stopped before every seat was brought in; the same command goes on").Because(ctx.Err())
		case <-time.After(pause << try):
		}
	}
	return false, err
}

// later tells whether the same request may be answered otherwise in a while.
func later(err error) bool {
	switch errs.CodeOf(err) {
	case errs.Unavailable, errs.BadGateway, errs.GatewayTimeout, errs.Timeout:
		return true
	default:
		return false
	}
}

// ofOneSeat tells whether an error says nothing about other seats.
func ofOneSeat(err error) bool {
	var e *errs.Error
	if !errors.As(err, &e) {
		return false
	}
	switch e.Code {
	case errs.Invalid, errs.FlightUnknown, errs.FlightNotOpen, errs.SeatUnknown, errs.SeatTaken, errs.CapExceeded, errs.Unprocessable:
		return true
	default:
		return false
	}
}
