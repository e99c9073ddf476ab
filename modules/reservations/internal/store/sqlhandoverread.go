package store

import (
	"bytes"
	"context"
	"database/sql"
	"errors"
	"slices"
	"strconv"
	"strings"

	"github.com/jmoiron/sqlx"

	"banyan/modules/kernel/bucket"
	"banyan/modules/kernel/errs"
	"banyan/modules/kernel/handover"
	"banyan/modules/kernel/handover/mutant"
	"banyan/modules/kernel/sqldb"
	"banyan/modules/reservations/internal/records"
)

// Buckets are read together, as many as are likely to fit into memory.
const (
	readFirst = 16       // buckets, at first
	readBytes = 32 << 20 // of lines kept, unless they are of one bucket
)

// errTooMuch says that some buckets together have more than readBytes.
var errTooMuch = errors.New("too much to read at once")

// Export implements handover.Participant.
func (p sqlParticipant) Export(ctx context.Context, epoch int64, buckets []int, each func(handover.Part) error) error {
	if err := handover.CheckBuckets(buckets); err != nil {
		return err
	}
	for n := readFirst; len(buckets) > 0; {
		some := buckets[:min(n, len(buckets))]
		c, err := p.read(ctx, epoch, some)
		if errors.Is(err, errTooMuch) {
			n = max(1, len(some)/2)
			continue
		}
		if err != nil {
			return err
		}
		for _, b := range some {
			slices.SortFunc(c.lines[b], bytes.Compare)
			for _, part := range handover.Split(b, c.lines[b]) {
				if err := each(part); err != nil {
					return err
				}
			}
			delete(c.lines, b)
		}
		buckets = buckets[len(some):]
		if c.size < readBytes/8 {
			n = min(2*n, fencesAtOnce)
		}
	}
	return nil
}

// Digest implements handover.Participant.
func (p sqlParticipant) Digest(ctx context.Context, epoch int64, buckets []int) ([]handover.Digest, error) {
	d := handover.NewDigester(buckets)
	if err := p.Export(ctx, epoch, buckets, d.Add); err != nil {
		return nil, err
	}
	return d.Digests(), nil
}

// contents are the lines of some buckets.
type contents struct {
	lines   map[int][][]byte
	size    int
	most    int
	scratch []byte
}

func (c *contents) add(b int, r records.Record) error {
	c.scratch = r.Encode(c.scratch[:0])
	c.lines[b] = append(c.lines[b], bytes.Clone(c.scratch))
	if c.size += len(c.scratch); c.most > 0 && c.size > c.most {
		return errTooMuch
	}
	return nil
}

// read reads buckets, and that they may be read, at one moment.
func (p sqlParticipant) read(ctx context.Context, epoch int64, buckets []int) (*contents, error) {
	tx, err := p.db.Reader().BeginTxx(ctx, &sql.TxOptions{Isolation: sql.LevelRepeatableRead, ReadOnly: true})
	if err != nil {
		return nil, sqldb.Fail(err)
	}
	defer func() { _ = tx.Rollback() }() // nothing was written
	if err := mayExport(ctx, tx, epoch, buckets); err != nil {
		return nil, sqldb.Fail(err)
	}
	c := &contents{lines: map[int][][]byte{}, most: readBytes}
	if len(buckets) == 1 {
		c.most = 0
	}
	for _, q := range reads(buckets) {
		if err := q.run(ctx, tx, c); err != nil {
			if errors.Is(err, errTooMuch) {
				return nil, err
			}
			return nil, sqldb.Fail(err)
		}
	}
	return c, nil
}

// mayExport wants fences of the epoch, 0 for any.
func mayExport(ctx context.Context, tx *sqlx.Tx, epoch int64, buckets []int) error {
	in, args := inBuckets(buckets)
	rows, err := tx.QueryContext(ctx, "SELECT bucket,epoch,mode,seq FROM fences WHERE route=? AND "+in, append([]any{Route}, args...)...)
	if err != nil {
		return err
	}
	defer func() { _ = rows.Close() }()
	have := map[int]handover.Fence{}
	for rows.Next() {
		f, err := scanFence(rows)
		if err != nil {
			return err
		}
		have[f.Bucket] = f
	}
	if err := rows.Err(); err != nil {
		return err
	}
	for _, b := range buckets {
		if f := have[b]; f.Mode == handover.Absent || epoch != 0 && f.Epoch != epoch {
			return misdirected(b, f.Epoch, string(f.Mode))
		}
	}
	return nil
}

// reading is a SELECT of records; scan makes one of a row, and tells its bucket.
type reading struct {
	query string
	args  []any
	scan  func(*sql.Rows) (int, records.Record, error)
}

func (q reading) run(ctx context.Context, tx *sqlx.Tx, c *contents) error {
	rows, err := tx.QueryContext(ctx, q.query, q.args...)
	if err != nil {
		return err
	}
	defer func() { _ = rows.Close() }()
	for rows.Next() {
		b, r, err := q.scan(rows)
		if err != nil {
			return err
		}
		if err := c.add(b, r); err != nil {
			return err
		}
	}
	return rows.Err()
}

// reads are the SELECTs of all that a store has of buckets. They go along keys.
func reads(buckets []int) []reading {
	in, inArgs := inBuckets(buckets)
	holds, holdArgs := inIDs("hold_id", bucket.HoldPrefix, buckets)
	bookings, bookingArgs := inIDs("reservation_id", bucket.ReservationPrefix, buckets)
	list := []reading{
		{"SELECT bucket,request_key,fingerprint,created_at,answer FROM events WHERE request_key IS NOT NULL AND " + in, inArgs, scanAnswer},
		{"SELECT bucket,flight_id,MAX(version) FROM events WHERE flight_id<>'' AND " + in + " GROUP BY bucket,flight_id", inArgs, scanFlight},
		{
			"SELECT hold_id,flight_id,customer_id,token,seats,status,created_at,expires_at,extensions,reservation_id FROM holds WHERE " + holds,
			holdArgs, scanHold,
		},
		{
			"SELECT reservation_id,flight_id,customer_id,seats,status,created_at,hold_id,related FROM reservations WHERE " + bookings,
			bookingArgs, scanReservation,
		},
		{"SELECT bucket,flight_id,seat,kind,ref,customer_id,expires_at FROM seats WHERE " + in, inArgs, scanSeat},
	}
	if mutant.IdempotencyNotCopied {
		return list[1:]
	}
	return list
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
