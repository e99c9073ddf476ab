package store

import (
	"context"
	"database/sql"
	"fmt"
	"slices"
	"strings"

	"banyan/modules/kernel/handover"
	"banyan/modules/kernel/handover/handoversql"
	"banyan/modules/kernel/sqldb"
)

var _ handover.Stamper = sqlParticipant{}

// Stamps implements handover.Stamper. Every write adds an event with the next version of
// its flight, in the same transaction, and the newest event of a flight is never removed:
// a bucket whose flights have the same versions as before is as it was. A sweep adds no
// event. It only deletes what has expired, which counts for nothing and which the target's
// own sweep deletes as well. Only the versions are read, and by the key: the bucket is
// frozen meanwhile.
func (p sqlParticipant) Stamps(ctx context.Context, epoch int64, buckets []int) ([]string, error) {
	if err := handover.CheckBuckets(buckets); err != nil {
		return nil, err
	}
	stamps := make(map[int]*strings.Builder, len(buckets))
	for _, b := range buckets {
		stamps[b] = &strings.Builder{}
	}
	var queries []sqldb.Stmt
	for chunk := range slices.Chunk(buckets, handoversql.AtOnce) {
		queries = append(queries, stamp(chunk, stamps))
	}
	if err := handoversql.View(ctx, p.db, Route, epoch, buckets, queries...); err != nil {
		return nil, err
	}
	list := make([]string, len(buckets))
	for i, b := range buckets {
		list[i] = stamps[b].String()
	}
	return list, nil
}

// stamp adds the versions of some buckets' flights to their stamps.
func stamp(buckets []int, to map[int]*strings.Builder) sqldb.Stmt {
	in, args := handoversql.In("bucket", buckets)
	return sqldb.Q(func(rows *sql.Rows) error {
		var b int
		var flight string
		var version int64
		if err := rows.Scan(&b, &flight, &version); err != nil {
			return err
		}
		if of := to[b]; of != nil {
			_, _ = fmt.Fprintf(of, "%q %d\n", flight, version)
		}
		return nil
	}, "SELECT bucket,flight_id,MAX(version) FROM events WHERE "+in+" GROUP BY bucket,flight_id ORDER BY bucket,flight_id", args...)
}
