package store

import (
	"context"
	"database/sql"
	"encoding/json"
	"strings"

	"banyan/modules/kernel/bucket"
	"banyan/modules/kernel/handover"
	"banyan/modules/kernel/handover/handoversql"
	"banyan/modules/kernel/handover/mutant"
	"banyan/modules/kernel/idempotency"
	"banyan/modules/kernel/sqldb"
)

// snapshot reads a subject with one SELECT: fence, flight, hold or reservation,
// recorded answer and seats, all of one moment. Parts that the subject does not ask
// for are left out of the text.
type snapshot struct {
	dialect sqldb.Dialect
	sub     Subject
	columns strings.Builder
	joins   strings.Builder
	args    []any
	dest    []any

	now, epoch sql.NullInt64
	mode       sql.NullString
	flight     flightRow
	hold       holdRow
	booking    bookingRow
	recorded   recordRow
	seat       seatRow
	seats      map[string]Seat
	held       int
}

type flightRow struct {
	id, designator, date, configuration sql.NullString
	open, seq, version                  sql.NullInt64
}

type holdRow struct {
	id, flight, customer, token, seats, status, reservation sql.NullString
	created, expires, extensions                            sql.NullInt64
}

type bookingRow struct {
	id, flight, customer, seats, status, hold, related sql.NullString
	created                                            sql.NullInt64
}

type recordRow struct {
	fingerprint, answer sql.NullString
	created             sql.NullInt64
}

type seatRow struct {
	seat, kind, ref, customer sql.NullString
	expires                   sql.NullInt64
}

// newSnapshot prepares the query; all asks for every seat of the flight.
func newSnapshot(d sqldb.Dialect, sub Subject, all bool) *snapshot {
	q := &snapshot{dialect: d, sub: sub, seats: map[string]Seat{}}
	q.add(d.NowMicros()+",fe.epoch,fe.mode", &q.now, &q.epoch, &q.mode)
	q.subject()
	f := &q.flight
	q.add(",f.flight_id,f.designator,f.departure_date,f.configuration,f.is_open,f.seq,"+
		"(SELECT e.version FROM events e WHERE e.bucket=fe.bucket AND e.flight_id=f.flight_id ORDER BY e.version DESC LIMIT 1)",
		&f.id, &f.designator, &f.date, &f.configuration, &f.open, &f.seq, &f.version)
	if sub.Key != "" {
		q.add(",i.fingerprint,i.answer,i.created_at", &q.recorded.fingerprint, &q.recorded.answer, &q.recorded.created)
		q.join(" LEFT JOIN events i ON i.bucket=fe.bucket AND i.request_key=?", sub.Key)
	}
	if wanted, args := q.wanted(); all || wanted != "" {
		s := &q.seat
		q.add(",s.seat,s.kind,s.ref,s.customer_id,s.expires_at", &s.seat, &s.kind, &s.ref, &s.customer, &s.expires)
		if !all {
			wanted = " AND (" + wanted + ")"
		}
		q.join(" LEFT JOIN seats s ON s.bucket=fe.bucket AND s.flight_id=f.flight_id"+wanted, args...)
	}
	q.args = append(q.args, Route, sub.Bucket)
	return q
}

// subject joins what the subject names, and its flight.
func (q *snapshot) subject() {
	switch {
	case q.sub.HoldID != "":
		h := &q.hold
		q.add(",h.hold_id,h.flight_id,h.customer_id,h.token,h.seats,h.status,h.reservation_id,h.created_at,h.expires_at,h.extensions",
			&h.id, &h.flight, &h.customer, &h.token, &h.seats, &h.status, &h.reservation, &h.created, &h.expires, &h.extensions)
		q.join(" LEFT JOIN holds h ON h.hold_id=? LEFT JOIN flights f ON f.flight_id=h.flight_id", q.sub.HoldID)
	case q.sub.ReservationID != "":
		r := &q.booking
		q.add(",r.reservation_id,r.flight_id,r.customer_id,r.seats,r.status,r.hold_id,r.related,r.created_at",
			&r.id, &r.flight, &r.customer, &r.seats, &r.status, &r.hold, &r.related, &r.created)
		q.join(" LEFT JOIN reservations r ON r.reservation_id=? LEFT JOIN flights f ON f.flight_id=r.flight_id", q.sub.ReservationID)
	default:
		q.join(" LEFT JOIN flights f ON f.flight_id=?", q.sub.FlightID)
	}
}

// wanted is the condition on seats, "" for none.
func (q *snapshot) wanted() (string, []any) {
	var either []string
	var args []any
	if q.sub.HoldID != "" {
		either = append(either, "s.ref=h.hold_id")
	}
	if q.sub.ReservationID != "" {
		either = append(either, "s.ref=r.reservation_id")
	}
	if n := len(q.sub.Seats); n > 0 {
		either = append(either, "s.seat IN "+sqldb.Marks(1, n))
		for _, seat := range q.sub.Seats {
			args = append(args, seat)
		}
	}
	if q.sub.CustomerID != "" {
		either = append(either, "(s.customer_id=? AND s.kind='H')")
		args = append(args, q.sub.CustomerID)
	}
	return strings.Join(either, " OR "), args
}

func (q *snapshot) add(columns string, dest ...any) {
	q.columns.WriteString(columns)
	q.dest = append(q.dest, dest...)
}

func (q *snapshot) join(text string, args ...any) {
	q.joins.WriteString(text)
	q.args = append(q.args, args...)
}

// query is the statement; each row goes to scan.
func (q *snapshot) query() string {
	return "SELECT " + q.columns.String() + " FROM fences fe" + q.joins.String() + " WHERE fe.route=? AND fe.bucket=?"
}

// scan takes a row: everything but the seat is the same in all of them.
func (q *snapshot) scan(rows *sql.Rows) error {
	if err := rows.Scan(q.dest...); err != nil {
		return err
	}
	q.take(q.seat)
	return nil
}

// take adds a seat that a row had, or had not.
func (q *snapshot) take(s seatRow) {
	if !s.seat.Valid {
		return
	}
	seat := Seat{Kind: Kind(s.kind.String), Ref: s.ref.String, CustomerID: s.customer.String, ExpiresAt: s.expires.Int64}
	q.seats[s.seat.String] = seat
	if seat.Kind == Held && seat.CustomerID == q.sub.CustomerID && seat.Taken(q.now.Int64) {
		q.held++
	}
}

// copyFor is a snapshot of a subject that has what the last row said, but no seats yet.
func (q *snapshot) copyFor(sub Subject) *snapshot {
	return &snapshot{
		sub: sub, now: q.now, epoch: q.epoch, mode: q.mode,
		flight: q.flight, recorded: q.recorded, seats: map[string]Seat{},
	}
}

// state gives what was read if the fence has one of the modes.
func (q *snapshot) state(modes ...string) (State, error) {
	for _, mode := range modes {
		if q.mode.String == mode || mutant.ReadsWhileSealed && mode == ModeReadOnly && q.mode.String == ModeSealed {
			return q.build(), nil
		}
	}
	return State{}, handoversql.Misdirected(handover.Fence{Bucket: q.sub.Bucket, Epoch: q.epoch.Int64, Mode: handover.Mode(q.mode.String)})
}

func (q *snapshot) build() State {
	st := State{Now: q.now.Int64, epoch: q.epoch.Int64, Seats: q.seats, HeldSeats: q.held}
	if f := q.flight; f.id.Valid {
		st.Flight = &Flight{
			FlightID: f.id.String, Designator: f.designator.String, Date: f.date.String,
			Configuration: f.configuration.String, Open: f.open.Int64 != 0, Seq: f.seq.Int64, Version: f.version.Int64,
		}
	}
	if h := q.hold; h.id.Valid {
		st.Hold = &Hold{
			HoldID: h.id.String, FlightID: h.flight.String, CustomerID: h.customer.String, Token: h.token.String,
			Seats: split(h.seats.String), Status: h.status.String, CreatedAt: h.created.Int64,
			ExpiresAt: h.expires.Int64, Extensions: int(h.extensions.Int64), ReservationID: h.reservation.String,
		}
	}
	if r := q.booking; r.id.Valid {
		st.Reservation = &Reservation{
			ReservationID: r.id.String, FlightID: r.flight.String, CustomerID: r.customer.String,
			Seats: split(r.seats.String), Status: r.status.String, CreatedAt: r.created.Int64,
			HoldID: r.hold.String, Related: r.related.String,
		}
	}
	if i := q.recorded; i.fingerprint.Valid {
		st.Recorded = &idempotency.Record{
			Fingerprint: i.fingerprint.String, Answer: json.RawMessage(i.answer.String), CreatedAt: i.created.Int64,
		}
	}
	return st
}

func split(seats string) []string { return strings.Split(seats, ",") }

// Read implements Store.
func (s *SQL) Read(ctx context.Context, sub Subject) (State, error) {
	return s.read(ctx, newSnapshot(s.db.Dialect(), sub, false), ModeActive, ModeReadOnly)
}

// Seats implements Store.
func (s *SQL) Seats(ctx context.Context, flightID string) (State, error) {
	sub := Subject{Bucket: bucket.Of(flightID), FlightID: flightID}
	return s.read(ctx, newSnapshot(s.db.Dialect(), sub, true), ModeActive, ModeReadOnly)
}

func (s *SQL) read(ctx context.Context, q *snapshot, modes ...string) (State, error) {
	sent := s.clock.Elapsed()
	rows, err := s.db.QueryContext(ctx, q.query(), q.args...)
	if err != nil {
		return State{}, sqldb.Fail(err)
	}
	defer func() { _ = rows.Close() }()
	for rows.Next() {
		if err := q.scan(rows); err != nil {
			return State{}, sqldb.Fail(err)
		}
	}
	if err := rows.Err(); err != nil {
		return State{}, sqldb.Fail(err)
	}
	s.learn(q, sent)
	return q.state(modes...)
}
