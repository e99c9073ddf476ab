package store

import (
	"bytes"
	"database/sql"
	"strconv"
	"strings"

	"banyan/modules/kernel/bucket"
	"banyan/modules/kernel/errs"
	"banyan/modules/kernel/handover/handoversql"
	"banyan/modules/kernel/handover/mutant"
	"banyan/modules/reservations/internal/records"
)

// Reads goes along keys.
func (m moving) Reads(buckets []int) []handoversql.Read {
	in, inArgs := handoversql.In("bucket", buckets)
	holds, holdArgs := inIDs("hold_id", bucket.HoldPrefix, buckets)
	bookings, bookingArgs := inIDs("reservation_id", bucket.ReservationPrefix, buckets)
	list := []handoversql.Read{
		read(scanAnswer, "SELECT bucket,request_key,fingerprint,created_at,answer FROM events WHERE request_key IS NOT NULL AND "+in, inArgs),
		read(scanFlight, "SELECT bucket,flight_id,MAX(version) FROM events WHERE flight_id<>'' AND "+in+" GROUP BY bucket,flight_id", inArgs),
		read(scanHold, "SELECT hold_id,flight_id,customer_id,token,seats,status,created_at,expires_at,extensions,reservation_id"+
			" FROM holds WHERE "+holds, holdArgs),
		read(scanReservation, "SELECT reservation_id,flight_id,customer_id,seats,status,created_at,hold_id,related"+
			" FROM reservations WHERE "+bookings, bookingArgs),
		read(scanSeat, "SELECT bucket,flight_id,seat,kind,ref,customer_id,expires_at FROM seats WHERE "+in, inArgs),
	}
	if mutant.IdempotencyNotCopied {
		return list[1:]
	}
	return list
}

// read makes lines of the records that scan makes of rows.
func read(scan func(*sql.Rows) (int, records.Record, error), query string, args []any) handoversql.Read {
	var scratch []byte
	return handoversql.Read{SQL: query, Args: args, Line: func(rows *sql.Rows) (int, []byte, error) {
		b, r, err := scan(rows)
		if err != nil {
			return 0, nil, err
		}
		scratch = r.Encode(scratch[:0])
		return b, bytes.Clone(scratch), nil
	}}
}

func scanAnswer(rows *sql.Rows) (b int, _ records.Record, err error) {
	var r records.Answer
	err = rows.Scan(&b, &r.Key, &r.Fingerprint, &r.CreatedAt, &r.Answer)
	return b, r, err
}

func scanFlight(rows *sql.Rows) (b int, _ records.Record, err error) {
	var r records.Flight
	err = rows.Scan(&b, &r.FlightID, &r.Version)
	return b, r, err
}

func scanHold(rows *sql.Rows) (int, records.Record, error) {
	var r records.Hold
	var seats string
	err := rows.Scan(&r.HoldID, &r.FlightID, &r.CustomerID, &r.Token, &seats, &r.Status, &r.CreatedAt, &r.ExpiresAt, &r.Extensions, &r.ReservationID)
	if err != nil {
		return 0, nil, err
	}
	r.Seats = seatList(seats)
	b, err := carried(r.HoldID)
	return b, r, err
}

func scanReservation(rows *sql.Rows) (int, records.Record, error) {
	var r records.Reservation
	var seats string
	err := rows.Scan(&r.ReservationID, &r.FlightID, &r.CustomerID, &seats, &r.Status, &r.CreatedAt, &r.HoldID, &r.Related)
	if err != nil {
		return 0, nil, err
	}
	r.Seats = seatList(seats)
	b, err := carried(r.ReservationID)
	return b, r, err
}

func scanSeat(rows *sql.Rows) (b int, _ records.Record, err error) {
	var r records.Seat
	err = rows.Scan(&b, &r.FlightID, &r.Seat, &r.Kind, &r.Ref, &r.CustomerID, &r.ExpiresAt)
	return b, r, err
}

// seatList reads a list of a column; an empty one has no seat, not one without a name.
func seatList(column string) []string {
	if column == "" {
		return nil
	}
	return strings.Split(column, ",")
}

// carried is the bucket of an id that was found by it.
func carried(id string) (int, error) {
	const digits = 4
	if len(id) <= digits {
		return 0, errs.E(errs.Internal, "%q carries no bucket", id)
	}
	return strconv.Atoi(id[1 : 1+digits])
}
