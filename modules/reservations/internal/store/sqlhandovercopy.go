package store

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"banyan/modules/kernel/bucket"
	"banyan/modules/kernel/errs"
	"banyan/modules/kernel/handover"
	"banyan/modules/kernel/handover/handoversql"
	"banyan/modules/kernel/sqldb"
	"banyan/modules/reservations/internal/records"
)

// copied is what type of event a row is that did not come from a write here.
const copied = "copied"

// decoded is a part whose records were read.
type decoded struct {
	bucket  int
	seq     int64
	records []records.Record
}

// Decode implements handoversql.Data.
func (m moving) Decode(part handover.Part) (decoded, error) {
	d := decoded{bucket: part.Bucket, seq: part.Seq, records: make([]records.Record, len(part.Records))}
	for i, line := range part.Records {
		r, err := records.Decode(line)
		if err != nil {
			return d, err
		}
		if !belongs(part.Bucket, r) {
			return d, errs.E(errs.Invalid, "this record cannot be in bucket %d: %.120q", part.Bucket, line)
		}
		d.records[i] = r
	}
	return d, nil
}

// belongs tells whether a record will be found in its bucket again, as it is.
func belongs(b int, record records.Record) bool {
	switch r := record.(type) {
	case records.Answer:
		return r.Key != ""
	case records.Flight:
		return r.FlightID != "" && bucket.Of(r.FlightID) == b && r.Version > 0
	case records.Hold:
		return carries(r.HoldID, bucket.HoldPrefix, b) && listed(r.Seats)
	case records.Reservation:
		return carries(r.ReservationID, bucket.ReservationPrefix, b) && listed(r.Seats)
	case records.Seat:
		return bucket.Of(r.FlightID) == b
	}
	return false
}

func carries(id, prefix string, b int) bool {
	return strings.HasPrefix(id, fmt.Sprintf("%s%04d-", prefix, b))
}

// listed tells whether a column can hold the seats.
func listed(seats []string) bool {
	return slices.Equal(seatList(strings.Join(seats, ",")), seats)
}

// Insert implements handoversql.Data.
func (m moving) Insert(ctx context.Context, tx *sqldb.Tx, epoch int64, parts []decoded) error {
	d := m.db.Dialect()
	rows := newRows(d, epoch)
	for _, part := range parts {
		for i, r := range part.records {
			rows.add(part.bucket, part.seq*handover.MaxPartRecords+int64(i), r)
		}
	}
	return tx.Run(ctx, rows.stmts(d)...)
}

// rows are records on their way into the tables.
type rows struct {
	epoch                                        int64
	answers, flights, holds, reservations, seats *handoversql.Rows
}

// newRows prepares the INSERTs. A flight's version and an answer are rows of events, as
// they are where they came from; but an answer cannot say which write it belonged to, so
// answers stand under a flight without name, numbered.
func newRows(d sqldb.Dialect, epoch int64) *rows {
	const events = "INSERT INTO events(bucket,flight_id,version,epoch,type,ref,created_at,request_key,fingerprint,answer) VALUES"
	return &rows{
		epoch:   epoch,
		answers: &handoversql.Rows{Head: events, Marks: "(?,'',?,?,'" + copied + "','',?,?,?,?)"},
		flights: &handoversql.Rows{Head: events, Marks: "(?,?,?,?,'" + copied + "',''," + d.NowMicros() + ",NULL,NULL,NULL)"},
		holds: &handoversql.Rows{
			Head:  "INSERT INTO holds(hold_id,flight_id,customer_id,token,seats,status,created_at,expires_at,extensions,reservation_id) VALUES",
			Marks: sqldb.Marks(1, 10),
		},
		reservations: &handoversql.Rows{
			Head:  "INSERT INTO reservations(reservation_id,flight_id,customer_id,seats,status,created_at,hold_id,related) VALUES",
			Marks: sqldb.Marks(1, 8),
		},
		seats: &handoversql.Rows{
			Head:  "INSERT INTO seats(bucket,flight_id,seat,kind,ref,customer_id,expires_at) VALUES",
			Marks: sqldb.Marks(1, 7),
		},
	}
}

func (w *rows) stmts(d sqldb.Dialect) []sqldb.Stmt {
	return slices.Concat(w.answers.Stmts(d), w.flights.Stmts(d), w.holds.Stmts(d), w.reservations.Stmts(d), w.seats.Stmts(d))
}

// add adds a record, the nth of its bucket.
func (w *rows) add(b int, n int64, record records.Record) {
	switch r := record.(type) {
	case records.Answer:
		w.answers.Add(b, n, w.epoch, r.CreatedAt, r.Key, r.Fingerprint, r.Answer)
	case records.Flight:
		w.flights.Add(b, r.FlightID, r.Version, w.epoch)
	case records.Hold:
		w.holds.Add(r.HoldID, r.FlightID, r.CustomerID, r.Token, strings.Join(r.Seats, ","), r.Status,
			r.CreatedAt, r.ExpiresAt, r.Extensions, r.ReservationID)
	case records.Reservation:
		w.reservations.Add(r.ReservationID, r.FlightID, r.CustomerID, strings.Join(r.Seats, ","), r.Status,
			r.CreatedAt, r.HoldID, r.Related)
	case records.Seat:
		w.seats.Add(b, r.FlightID, r.Seat, r.Kind, r.Ref, r.CustomerID, r.ExpiresAt)
	}
}
