package store

import (
	"context"
	"database/sql"
	"fmt"
	"strings"

	"github.com/jmoiron/sqlx"

	"banyan/modules/kernel/bucket"
	"banyan/modules/kernel/handover"
	"banyan/modules/kernel/sqldb"
)

var _ handover.Stamper = sqlParticipant{}

// Stamps implements handover.Stamper. Every write adds an event with the next version of
// its flight, in the same transaction, and the newest event of a flight is never removed.
// What is done without an event, a sweep, only deletes rows. So a bucket whose flights
// have the same versions, and whose tables have as many rows as before, is as it was.
func (p sqlParticipant) Stamps(ctx context.Context, epoch int64, buckets []int) ([]string, error) {
	if err := handover.CheckBuckets(buckets); err != nil {
		return nil, err
	}
	tx, err := p.db.Reader().BeginTxx(ctx, &sql.TxOptions{Isolation: sql.LevelRepeatableRead, ReadOnly: true})
	if err != nil {
		return nil, sqldb.Fail(err)
	}
	defer func() { _ = tx.Rollback() }() // nothing was written
	if err := mayExport(ctx, tx, epoch, buckets); err != nil {
		return nil, sqldb.Fail(err)
	}
	stamps := make(map[int]*strings.Builder, len(buckets))
	for _, b := range buckets {
		stamps[b] = &strings.Builder{}
	}
	for from := 0; from < len(buckets); from += fencesAtOnce {
		if err := stamp(ctx, tx, buckets[from:min(from+fencesAtOnce, len(buckets))], stamps); err != nil {
			return nil, sqldb.Fail(err)
		}
	}
	list := make([]string, len(buckets))
	for i, b := range buckets {
		list[i] = stamps[b].String()
	}
	return list, nil
}

// stamp adds what some buckets' tables have to their stamps.
func stamp(ctx context.Context, tx *sqlx.Tx, buckets []int, to map[int]*strings.Builder) error {
	in, args := inBuckets(buckets)
	holds, holdArgs := inIDs("hold_id", bucket.HoldPrefix, buckets)
	bookings, bookingArgs := inIDs("reservation_id", bucket.ReservationPrefix, buckets)
	const ofID = "SELECT CAST(SUBSTR(%s,2,4) AS SIGNED) AS b,'',0,COUNT(*) FROM %s WHERE %s GROUP BY b ORDER BY b"
	for i, q := range []reading{
		{query: "SELECT bucket,flight_id,MAX(version),COUNT(*) FROM events WHERE " + in + " GROUP BY bucket,flight_id ORDER BY bucket,flight_id", args: args},
		{query: "SELECT bucket,'',0,COUNT(*) FROM seats WHERE " + in + " GROUP BY bucket ORDER BY bucket", args: args},
		{query: fmt.Sprintf(ofID, "hold_id", "holds", holds), args: holdArgs},
		{query: fmt.Sprintf(ofID, "reservation_id", "reservations", bookings), args: bookingArgs},
	} {
		if err := q.stamp(ctx, tx, i, to); err != nil {
			return err
		}
	}
	return nil
}

func (q reading) stamp(ctx context.Context, tx *sqlx.Tx, table int, to map[int]*strings.Builder) error {
	rows, err := tx.QueryContext(ctx, q.query, q.args...)
	if err != nil {
		return err
	}
	defer func() { _ = rows.Close() }()
	for rows.Next() {
		var b int
		var flight string
		var version, count int64
		if err := rows.Scan(&b, &flight, &version, &count); err != nil {
			return err
		}
		if of := to[b]; of != nil {
			_, _ = fmt.Fprintf(of, "%d %q %d %d\n", table, flight, version, count)
		}
	}
	return rows.Err()
}
