package store

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"

	"banyan/modules/kernel/bucket"
	"banyan/modules/kernel/errs"
	"banyan/modules/kernel/handover"
	"banyan/modules/kernel/handover/mutant"
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

// decoded is a part whose records were read.
type decoded struct {
	bucket  int
	seq     int64
	size    int
	records []records.Record
}

// Copy implements handover.Participant. Nothing is stored if any record is not what this
// context writes, or would not be found in its bucket again.
func (p sqlParticipant) Copy(ctx context.Context, epoch int64, parts []handover.Part) ([]handover.Fence, error) {
	if err := handover.CheckParts(epoch, parts); err != nil {
		return nil, err
	}
	rest := make([]decoded, len(parts))
	for i, part := range parts {
		var err error
		if rest[i], err = decode(part); err != nil {
			return nil, err
		}
	}
	refused, fences := map[int]bool{}, map[int]handover.Fence{}
	for len(rest) > 0 {
		n := together(rest)
		some, now, err := p.copy(ctx, epoch, rest[:n])
		if err != nil {
			return nil, err
		}
		maps.Copy(fences, now)
		for _, b := range some {
			refused[b] = true
		}
		rest = rest[n:]
	}
	var list []handover.Fence
	for _, b := range slices.Sorted(maps.Keys(refused)) {
		list = append(list, fences[b])
	}
	return list, nil
}

func decode(part handover.Part) (decoded, error) {
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
		d.size += len(line)
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

// together tells how many of the first parts, at least one, a transaction takes.
func together(parts []decoded) int {
	lines, size := 0, 0
	for n, part := range parts {
		lines += len(part.records)
		size += part.size
		if n > 0 && (lines > copyRecords || size > copyBytes || n == fencesAtOnce) {
			return n
		}
	}
	return len(parts)
}

// copy stores parts in one transaction, fences first. It gives the buckets of parts that
// were refused, and the fences of all.
func (p sqlParticipant) copy(ctx context.Context, epoch int64, parts []decoded) (refused []int, now map[int]handover.Fence, err error) {
	buckets := make([]int, 0, len(parts))
	for _, part := range parts {
		buckets = append(buckets, part.bucket)
	}
	slices.Sort(buckets)
	buckets = slices.Compact(buckets)
	err = p.do(ctx, func(tx *sqldb.Tx) error {
		refused = nil
		have, err := p.lock(ctx, tx, buckets)
		if err != nil {
			return err
		}
		now = maps.Clone(have)
		rows := newRows(p.db.Dialect(), epoch)
		for _, part := range parts {
			next, ok := admit(now[part.bucket], epoch, part.seq)
			if !ok {
				refused = append(refused, part.bucket)
				continue
			}
			now[part.bucket] = next
			for i, r := range part.records {
				rows.add(part.bucket, part.seq*handover.MaxPartRecords+int64(i), r)
			}
		}
		if err := tx.Run(ctx, rows.stmts(p.db.Dialect())...); err != nil {
			return err
		}
		to := make([]handover.Fence, 0, len(buckets))
		for _, b := range buckets {
			to = append(to, now[b])
		}
		return p.put(ctx, tx, have, to)
	})
	return refused, now, err
}

// admit is handover.Admit.
func admit(f handover.Fence, epoch, seq int64) (handover.Fence, bool) {
	if mutant.CopyWithoutEpoch {
		epoch = f.Epoch
	}
	if mutant.CopyWithoutSeq {
		f.Seq = seq - 1
	}
	return handover.Admit(f, epoch, seq)
}

// rows are records on their way into the tables.
type rows struct {
	epoch                                        int64
	answers, flights, holds, reservations, seats *rowsOf
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
		seats: &rowsOf{
			head:  "INSERT INTO seats(bucket,flight_id,seat,kind,ref,customer_id,expires_at) VALUES ",
			marks: sqldb.Marks(1, 7),
		},
	}
}

func (w *rows) stmts(d sqldb.Dialect) []sqldb.Stmt {
	return slices.Concat(w.answers.stmts(d), w.flights.stmts(d), w.holds.stmts(d), w.reservations.stmts(d), w.seats.stmts(d))
}

// add adds a record, the nth of its bucket.
func (w *rows) add(b int, n int64, record records.Record) {
	switch r := record.(type) {
	case records.Answer:
		w.answers.add(b, n, w.epoch, r.CreatedAt, r.Key, r.Fingerprint, r.Answer)
	case records.Flight:
		w.flights.add(b, r.FlightID, r.Version, w.epoch)
	case records.Hold:
		w.holds.add(r.HoldID, r.FlightID, r.CustomerID, r.Token, strings.Join(r.Seats, ","), r.Status,
			r.CreatedAt, r.ExpiresAt, r.Extensions, r.ReservationID)
	case records.Reservation:
		w.reservations.add(r.ReservationID, r.FlightID, r.CustomerID, strings.Join(r.Seats, ","), r.Status,
			r.CreatedAt, r.HoldID, r.Related)
	case records.Seat:
		w.seats.add(b, r.FlightID, r.Seat, r.Kind, r.Ref, r.CustomerID, r.ExpiresAt)
	}
}

// rowsOf are the rows of a multi-row INSERT.
type rowsOf struct {
	head, marks, tail string
	rows              [][]any
}

func (r *rowsOf) add(values ...any) { r.rows = append(r.rows, values) }

// stmts writes them some at a time: on SQLite 256, 16 or 1, as with padded.
func (r *rowsOf) stmts(d sqldb.Dialect) []sqldb.Stmt {
	var list []sqldb.Stmt
	for rest := r.rows; len(rest) > 0; {
		n := min(len(rest), fencesAtOnce)
		if d == sqldb.SQLite {
			n = 1
			for n*16 <= min(len(rest), fencesAtOnce) {
				n *= 16
			}
		}
		text := r.head + strings.TrimSuffix(strings.Repeat(r.marks+",", n), ",") + r.tail
		list = append(list, sqldb.S(text, slices.Concat(rest[:n]...)...))
		rest = rest[n:]
	}
	return list
}
