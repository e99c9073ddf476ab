package promotion

import (
	"context"
	"database/sql"
	"encoding/json"
	"fmt"
	"time"

	"banyan/modules/kernel/errs"
	"banyan/modules/kernel/sqldb"
	"banyan/proxy/analysis"
)

// MaxReplicas bounds how many replicas' counts are read.
const MaxReplicas = 256

// Arms is what a replica has counted, by backend.
type Arms map[string]*analysis.Sample

// Stamp names the window of samples that a promotion is in: what was counted in another
// one says nothing about this one.
func (r Row) Stamp() string { return fmt.Sprintf("%d/%d/%d", r.StartedAt, r.Step, r.Windows) }

// Share writes what a replica has counted since the window of a stamp began, over what it
// wrote before.
func (s *Store) Share(ctx context.Context, route, replica, stamp string, arms Arms) error {
	counts, err := json.Marshal(arms)
	if err != nil {
		return errs.E(errs.Internal, "the counts cannot be written").Because(err)
	}
	d := s.db.Dialect()
	return s.run(ctx, "INSERT INTO promotion_counts (route, replica, stamp, counts, written_at) VALUES (?,?,?,?,"+d.NowMicros()+")"+
		d.Upsert("route, replica", "stamp", "counts", "written_at"), route, replica, stamp, string(counts))
}

// Shared gives what replicas wrote in the window of a stamp. Counts of a program that
// counts otherwise are left out.
func (s *Store) Shared(ctx context.Context, route, stamp string) (map[string]Arms, error) {
	all := map[string]Arms{}
	err := sqldb.Each(ctx, s.db.Reader(), sqldb.Q(func(rows *sql.Rows) error {
		var replica string
		var counts []byte
		if err := rows.Scan(&replica, &counts); err != nil {
			return err
		}
		arms := Arms{}
		if json.Unmarshal(counts, &arms) == nil {
			all[replica] = arms
		}
		return nil
	}, "SELECT replica, counts FROM promotion_counts WHERE route=? AND stamp=? ORDER BY replica LIMIT ?", route, stamp, MaxReplicas))
	return all, err
}

// Expire deletes what was written in other windows than that of the stamp, and by
// replicas that have been quiet for so long.
func (s *Store) Expire(ctx context.Context, route, stamp string, quiet time.Duration) error {
	return s.run(ctx, "DELETE FROM promotion_counts WHERE route=? AND (stamp<>? OR written_at<"+s.db.Dialect().NowMicros()+"-?)", route, stamp, quiet.Microseconds())
}

// Withdraw deletes what a replica wrote.
func (s *Store) Withdraw(ctx context.Context, route, replica string) error {
	return s.run(ctx, "DELETE FROM promotion_counts WHERE route=? AND replica=?", route, replica)
}

func (s *Store) run(ctx context.Context, statement string, args ...any) error {
	return s.db.Do(ctx, func(tx *sqldb.Tx) error {
		return tx.Run(ctx, sqldb.S(statement, args...))
	})
}
