package store

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"banyan/modules/kernel/bucket"
	"banyan/modules/kernel/errs"
	"banyan/modules/kernel/handover"
	"banyan/modules/kernel/sqldb"
	"banyan/modules/reservations/internal/records"
)

// Bounds of the parts that are stored in one transaction, unless it is a single one.
const (
	copyRecords = 2000
	copyBytes   = 2 << 20
)

// copied is what type of event a row is that did not come from a write here.
const copied = "copied"

// Copy implements handover.Participant.
func (p sqlParticipant) Copy(ctx context.Context, epoch int64, parts []handover.Part) ([]handover.Fence, error) {
	for _, part := range parts {
		if err := checkPart(part); err != nil {
			return nil, err
		}
	}
	var refused []handover.Fence
	for len(parts) > 0 {
		n := together(parts)
		some, err := p.copy(ctx, epoch, parts[:n])
		if err != nil {
			return nil, err
		}
		for _, f := range some {
			if !slices.ContainsFunc(refused, func(r handover.Fence) bool { return r.Bucket == f.Bucket }) {
				refused = append(refused, f)
			}
		}
		parts = parts[n:]
	}
	return refused, nil
}

func checkPart(part handover.Part) error {
	if n := len(part.Records); n > handover.MaxPartRecords {
		return errs.E(errs.Invalid, "a part has at most %d records, not %d", handover.MaxPartRecords, n)
	}
	if part.Seq < 1 {
		return errs.E(errs.Invalid, "parts are counted from 1, not from %d", part.Seq)
	}
	return checkBuckets([]int{part.Bucket})
}

// together tells how many of the first parts, at least one, a transaction takes.
func together(parts []handover.Part) int {
	lines, size := 0, 0
	for n, part := range parts {
		lines += len(part.Records)
		for _, r := range part.Records {
			size += len(r)
		}
		if n > 0 && (lines > copyRecords || size > copyBytes || n == fencesAtOnce) {
			return n
		}
	}
	return len(parts)
}

// copy stores parts in one transaction, fences first.
func (p sqlParticipant) copy(ctx context.Context, epoch int64, parts []handover.Part) ([]handover.Fence, error) {
	buckets := make([]int, 0, len(parts))
	for _, part := range parts {
		buckets = append(buckets, part.Bucket)
	}
	slices.Sort(buckets)
	buckets = slices.Compact(buckets)
	var refused []handover.Fence
	err := p.do(ctx, func(tx *sqldb.Tx) error {
		refused = nil
		have, err := p.lock(ctx, tx, buckets)
		if err != nil {
			return err
		}
		now := make(map[int]handover.Fence, len(have))
		for b, f := range have {
			now[b] = f
		}
		rows := newRows(p.db.Dialect(), epoch)
		for _, part := range parts {
			next, ok := handover.Admit(now[part.Bucket], epoch, part.Seq)
			if !ok {
				refused = append(refused, now[part.Bucket])
				continue
			}
			now[part.Bucket] = next
			if err := rows.part(part); err != nil {
				return err
			}
		}
		if err := tx.Run(ctx, rows.stmts()...); err != nil {
			return err
		}
		to := make([]handover.Fence, 0, len(buckets))
		for _, b := range buckets {
			to = append(to, now[b])
		}
		return p.put(ctx, tx, have, to)
	})
	return refused, err
}

// rows are records on their way into the tables.
type rows struct {
	epoch                                       int64
	answers, flights, holds, reservations, seat *rowsOf
}

// newRows prepares the INSERTs. A flight's version and an answer are rows of events, as
// they are where they came from; but an answer cannot say which write it belonged to, so
// answers stand under a flight without name, numbered.
func newRows(d sqldb.Dialect, epoch int64) *rows {
	const events = "INSERT INTO events(bucket,flight_id,version,epoch,type,ref,created_at,request_key,fingerprint,answer) VALUES "
	return &rows{
		epoch:   epoch,
		answers: &rowsOf{head: events, marks: "(?,'',?,?,'" + copied + "','',?,?,?,?)"},
		flights: &rowsOf{head: events, marks: "(?,?,?,?,'" + copied + "',''," + d.NowMicros() + ",NULL,NULL,NULL)"},
		holds: &rowsOf{
			head:  "INSERT INTO holds(hold_id,flight_id,customer_id,token,seats,status,created_at,expires_at,extensions,reservation_id) VALUES ",
			marks: sqldb.Marks(1, 10),
		},
		reservations: &rowsOf{
			head:  "INSERT INTO reservations(reservation_id,flight_id,customer_id,seats,status,created_at,hold_id,related) VALUES ",
			marks: sqldb.Marks(1, 8),
		},
		seat: &rowsOf{
			head:  "INSERT INTO seats(bucket,flight_id,seat,kind,ref,customer_id,expires_at) VALUES ",
			marks: sqldb.Marks(1, 7),
		},
	}
}

func (w *rows) stmts() []sqldb.Stmt {
	return slices.Concat(w.answers.stmts(), w.flights.stmts(), w.holds.stmts(), w.reservations.stmts(), w.seat.stmts())
}

// part adds a part's records. It refuses what would not be found in the bucket again.
func (w *rows) part(part handover.Part) error {
	for i, line := range part.Records {
		r, err := records.Decode(line)
		if err != nil {
			return err
		}
		if !w.record(part.Bucket, part.Seq*handover.MaxPartRecords+int64(i), r) {
			return errs.E(errs.Invalid, "the record does not belong in bucket %d: %.120q", part.Bucket, line)
		}
	}
	return nil
}

// record adds one record, the nth of the bucket.
func (w *rows) record(b int, n int64, record records.Record) bool {
	switch r := record.(type) {
	case records.Answer:
		w.answers.add(b, n, w.epoch, r.CreatedAt, r.Key, r.Fingerprint, r.Answer)
		return r.Key != ""
	case records.Flight:
		w.flights.add(b, r.FlightID, r.Version, w.epoch)
		return bucket.Of(r.FlightID) == b && r.FlightID != "" && r.Version > 0
	case records.Hold:
		w.holds.add(r.HoldID, r.FlightID, r.CustomerID, r.Token, strings.Join(r.Seats, ","), r.Status,
			r.CreatedAt, r.ExpiresAt, r.Extensions, r.ReservationID)
		return carries(r.HoldID, bucket.HoldPrefix, b) && listed(r.Seats)
	case records.Reservation:
		w.reservations.add(r.ReservationID, r.FlightID, r.CustomerID, strings.Join(r.Seats, ","), r.Status,
			r.CreatedAt, r.HoldID, r.Related)
		return carries(r.ReservationID, bucket.ReservationPrefix, b) && listed(r.Seats)
	case records.Seat:
		w.seat.add(b, r.FlightID, r.Seat, r.Kind, r.Ref, r.CustomerID, r.ExpiresAt)
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

// rowsOf are the rows of a multi-row INSERT.
type rowsOf struct {
	head, marks, tail string
	rows              [][]any
}

func (r *rowsOf) add(values ...any) { r.rows = append(r.rows, values) }

// stmts writes them 256, 16 or 1 at a time: statements in few texts, as with padded.
func (r *rowsOf) stmts() []sqldb.Stmt {
	var list []sqldb.Stmt
	for rest := r.rows; len(rest) > 0; {
		n := 1
		for n*16 <= min(len(rest), fencesAtOnce) {
			n *= 16
		}
		text := r.head + strings.TrimSuffix(strings.Repeat(r.marks+",", n), ",") + r.tail
		list = append(list, sqldb.S(text, slices.Concat(rest[:n]...)...))
		rest = rest[n:]
	}
	return list
}
