package handover

import (
	"context"
	"database/sql"
	"time"

	kernel "banyan/modules/kernel/handover"
	"banyan/modules/kernel/sqldb"
)

// Purge says what a store may forget: buckets that it sealed in the epoch or earlier.
type Purge struct {
	Store   string
	Epoch   int64
	Buckets []int
}

// Purgeable gives some of what has been waiting to be forgotten for a time, in groups of
// at most MaxBuckets. Buckets that are moving are left out.
func (j *Journal) Purgeable(ctx context.Context, retain time.Duration) ([]Purge, error) {
	var list []Purge
	err := sqldb.Each(ctx, j.db.Reader(), sqldb.Q(func(rows *sql.Rows) error {
		var b int
		var p Purge
		if err := rows.Scan(&b, &p.Store, &p.Epoch); err != nil {
			return err
		}
		if n := len(list); n == 0 || list[n-1].Store != p.Store || list[n-1].Epoch != p.Epoch {
			list = append(list, p)
		}
		last := &list[len(list)-1]
		last.Buckets = append(last.Buckets, b)
		return nil
	}, "SELECT bucket, purge_store, purge_epoch FROM handover_buckets"+
		" WHERE route=? AND phase='idle' AND purge_store<>'' AND purge_store<>owner AND purge_since<="+j.db.Dialect().NowMicros()+"-?"+
		" ORDER BY purge_store, purge_epoch, bucket LIMIT ?", j.route, retain.Microseconds(), kernel.MaxBuckets))
	return list, err
}

// Purged notes that a store has forgotten buckets. Those of which something newer is
// to be forgotten stay as they are.
func (j *Journal) Purged(ctx context.Context, p Purge) error {
	if len(p.Buckets) == 0 {
		return nil
	}
	args := []any{j.route, p.Store, p.Epoch}
	for _, b := range p.Buckets {
		args = append(args, b)
	}
	return j.db.Do(ctx, func(tx *sqldb.Tx) error {
		tx.Finally(sqldb.S("UPDATE handover_buckets SET purge_store='', purge_epoch=0, purge_since=0"+
			" WHERE route=? AND purge_store=? AND purge_epoch=? AND bucket IN "+sqldb.Marks(1, len(p.Buckets)), args...))
		return nil
	})
}

// Leave takes some buckets, not all, out of a move that is being prepared: they become a move
// of their own, in a new epoch, which is given up at once.
func (j *Journal) Leave(ctx context.Context, m Move, buckets []int, why string) (rest, left Move, err error) {
	if m.Phase != Prep || len(buckets) == 0 || len(buckets) >= m.Buckets {
		return m, Move{}, lost("move %d is %s with %d buckets: %d cannot be left out of it", m.ID, m.Phase, m.Buckets, len(buckets))
	}
	rest = m
	rest.Buckets -= len(buckets)
	left = Move{
		Kind: Moving, Phase: Aborting, Source: m.Source, Target: m.Target, Buckets: len(buckets),
		Coordinator: m.Coordinator, Reason: m.Reason, Error: text(why),
	}
	err = j.change(ctx, func(t turn) error {
		left.ID, left.Epoch, left.changed = t.epoch, t.epoch, t.changed
		args := []any{left.Epoch, left.ID, left.changed, j.route, m.ID, m.Epoch}
		for _, n := range buckets {
			args = append(args, n)
		}
		var matched int64
		take := sqldb.S("UPDATE handover_buckets SET phase='aborting', epoch=?, move=?, changed=?"+
			" WHERE route=? AND move=? AND epoch=? AND phase='prep' AND bucket IN "+sqldb.Marks(1, len(buckets)), args...)
		take.Affected = &matched
		if err := t.tx.Run(ctx, take); err != nil {
			return err
		}
		if matched != int64(len(buckets)) {
			return lost("move %d of route %s is no longer prep in epoch %d", m.ID, j.route, m.Epoch)
		}
		t.tx.Finally(
			sqldb.S("UPDATE handover_moves SET buckets=? WHERE route=? AND move=?", rest.Buckets, j.route, m.ID),
			j.insertMove(left),
			sqldb.S("UPDATE handover_moves SET error=? WHERE route=? AND move=?", left.Error, j.route, left.ID))
		return nil
	})
	return rest, left, err
}

// Pin says that a bucket belongs to a backend whatever the weights are.
type Pin struct {
	Bucket int    `json:"bucket"`
	Owner  string `json:"owner"`
	Reason string `json:"reason"`
	SetAt  int64  `json:"set_at"` // microseconds since 1970, database's clock
}

// SetPin pins a bucket, or changes its pin.
func (j *Journal) SetPin(ctx context.Context, p Pin) error {
	return j.change(ctx, func(t turn) error {
		t.tx.Finally(sqldb.S("INSERT INTO handover_pins (route, bucket, owner, reason, set_at) VALUES (?,?,?,?,"+j.db.Dialect().NowMicros()+")"+
			j.db.Dialect().Upsert("route, bucket", "owner", "reason", "set_at"), j.route, p.Bucket, p.Owner, text(p.Reason)))
		return nil
	})
}

// RemovePin lets the weights decide about a bucket again.
func (j *Journal) RemovePin(ctx context.Context, bucket int) error {
	return j.change(ctx, func(t turn) error {
		t.tx.Finally(sqldb.S("DELETE FROM handover_pins WHERE route=? AND bucket=?", j.route, bucket))
		return nil
	})
}

// Pins gives all pins of the route, in order of buckets.
func (j *Journal) Pins(ctx context.Context) ([]Pin, error) {
	list := []Pin{}
	err := sqldb.Each(ctx, j.db.Reader(), sqldb.Q(func(rows *sql.Rows) error {
		var p Pin
		err := rows.Scan(&p.Bucket, &p.Owner, &p.Reason, &p.SetAt)
		list = append(list, p)
		return err
	}, "SELECT bucket, owner, reason, set_at FROM handover_pins WHERE route=? ORDER BY bucket", j.route))
	return list, err
}

// Rescue gives buckets to the home by somebody's word that their owner is gone for good:
// a move that is committed at once, in a new epoch. The state that was seen must still
// be the journal's: buckets that are idle (from is the zero Move), or all those of a
// move, which then ends.
func (j *Journal) Rescue(ctx context.Context, b Batch, from Move, coordinator string) (Move, error) {
	m := Move{
		Kind: Recovering, Phase: Committed, Source: b.Source, Target: b.Target, Buckets: len(b.Buckets),
		Coordinator: coordinator, Reason: text(b.Reason),
	}
	err := j.change(ctx, func(t turn) error {
		m.ID, m.Epoch, m.changed = t.epoch, t.epoch, t.changed
		set := "UPDATE handover_buckets SET phase='committed', owner=?, target=?, epoch=?, move=?, changed=? WHERE route=?"
		args := []any{m.Target, m.Target, m.Epoch, m.ID, m.changed, j.route}
		if from.ID == 0 {
			set += " AND phase='idle' AND owner=? AND bucket IN " + sqldb.Marks(1, len(b.Buckets))
			args = append(args, m.Source)
			for _, n := range b.Buckets {
				args = append(args, n)
			}
		} else {
			set += " AND move=? AND epoch=? AND phase=?"
			args = append(args, from.ID, from.Epoch, from.Phase.String())
		}
		var matched int64
		update := sqldb.S(set, args...)
		update.Affected = &matched
		if err := t.tx.Run(ctx, update); err != nil {
			return err
		}
		if matched != int64(m.Buckets) {
			return lost("the journal has changed meanwhile: %d of %d buckets are as they were seen", matched, m.Buckets)
		}
		t.tx.Finally(j.insertMove(m), sqldb.S("UPDATE handover_moves SET phase='ended', outcome='recovered', ended_at="+j.db.Dialect().NowMicros()+
			" WHERE route=? AND move=? AND phase<>'ended'", j.route, from.ID))
		return nil
	})
	return m, err
}
