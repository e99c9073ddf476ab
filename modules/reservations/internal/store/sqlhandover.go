package store

import (
	"context"
	"fmt"
	"strings"

	"banyan/modules/kernel/bucket"
	"banyan/modules/kernel/handover"
	"banyan/modules/kernel/handover/handoversql"
	"banyan/modules/kernel/sqldb"
)

// sqlParticipant hands buckets of an SQL store over.
type sqlParticipant struct {
	handover.Participant
	db *sqldb.DB
}

// Participant gives the side of the store that takes over buckets and hands them on.
func (s *SQL) Participant() handover.Participant {
	return sqlParticipant{handoversql.New(s.db, Route, moving{s.db}, handoversql.Hooks{}), s.db}
}

// moving is what moves with a bucket: all that the store has of its flights but the flights
// themselves, of which every store has a copy.
type moving struct{ db *sqldb.DB }

var _ handoversql.Data[decoded] = moving{}

// Follows tells how far the copies of others' data are.
func (m moving) Follows(ctx context.Context) (map[string]int64, error) {
	var feeds []struct {
		Source  string `db:"source"`
		LastSeq int64  `db:"last_seq"`
	}
	if err := m.db.Reader().SelectContext(ctx, &feeds, "SELECT source,last_seq FROM feeds"); err != nil {
		return nil, sqldb.Fail(err)
	}
	follows := make(map[string]int64, len(feeds))
	for _, f := range feeds {
		follows[f.Source] = f.LastSeq
	}
	return follows, nil
}

// Wipes goes along primary keys.
func (m moving) Wipes(buckets []int, limit int) []sqldb.Stmt {
	in, inArgs := handoversql.In("bucket", buckets)
	holds, holdArgs := inIDs("hold_id", bucket.HoldPrefix, buckets)
	bookings, bookingArgs := inIDs("reservation_id", bucket.ReservationPrefix, buckets)
	d := m.db.Dialect()
	return []sqldb.Stmt{
		handoversql.Delete(d, "seats", "bucket,flight_id,seat", in, inArgs, limit),
		handoversql.Delete(d, "events", "bucket,flight_id,version", in, inArgs, limit),
		handoversql.Delete(d, "holds", "hold_id", holds, holdArgs, limit),
		handoversql.Delete(d, "reservations", "reservation_id", bookings, bookingArgs, limit),
	}
}

// inIDs is the condition on tables whose key is an id that carries the bucket.
func inIDs(column, prefix string, buckets []int) (string, []any) {
	all := handoversql.Padded(buckets)
	args := make([]any, 0, 2*len(all))
	for _, b := range all {
		// The full stop is next to the dash.
		args = append(args, fmt.Sprintf("%s%04d-", prefix, b), fmt.Sprintf("%s%04d.", prefix, b))
	}
	either := strings.Repeat(" OR "+column+">=? AND "+column+"<?", len(all))
	return "(" + strings.TrimPrefix(either, " OR ") + ")", args
}
