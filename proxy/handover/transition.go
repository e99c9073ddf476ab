package handover

import (
	"context"
	"encoding/json"
	"time"

	"banyan/modules/kernel/handover/mutant"
	"banyan/modules/kernel/sqldb"
)

// step is a transition of a move that exists: what its buckets and its row become, if
// all of its buckets are still in the phase and the epoch that the move was seen in.
type step struct {
	to          Phase // Idle ends the move
	newEpoch    bool
	coordinator string
	set         string // of the buckets, beside phase, epoch and changed
	args        []any
	row         string // of the move's row, beside phase, epoch and coordinator
	rowArgs     []any
}

// transit carries a step out and gives the move as it is then.
func (j *Journal) transit(ctx context.Context, m Move, s step) (Move, error) {
	var after Move
	err := j.change(ctx, func(t turn) error {
		after = m
		after.Phase, after.changed, after.Coordinator = s.to, t.changed, s.coordinator
		if s.newEpoch {
			after.Epoch = t.epoch
		}
		args := append([]any{s.to.String(), after.Epoch, t.changed}, s.args...)
		var matched int64
		update := sqldb.S("UPDATE handover_buckets SET phase=?, epoch=?, changed=?"+s.set+" WHERE route=? AND move=? AND epoch=? AND phase=?",
			append(args, j.route, m.ID, m.Epoch, m.Phase.String())...)
		if mutant.AbortWithoutCompareAndSet && s.to == Aborting {
			update = sqldb.S("UPDATE handover_buckets SET phase=?, epoch=?, changed=?, owner=? WHERE route=? AND move=?", append(args, m.Source, j.route, m.ID)...)
		}
		update.Affected = &matched
		if err := t.tx.Run(ctx, update); err != nil {
			return err
		}
		if matched != int64(m.Buckets) {
			return lost("move %d of route %s is no longer %s in epoch %d", m.ID, j.route, m.Phase, m.Epoch)
		}
		if s.to == Idle {
			after.Phase = Ended
		}
		args = append([]any{after.Phase.String(), after.Epoch, s.coordinator}, s.rowArgs...)
		t.tx.Finally(sqldb.S("UPDATE handover_moves SET phase=?, epoch=?, coordinator=?, heartbeat_at="+j.db.Dialect().NowMicros()+s.row+" WHERE route=? AND move=?",
			append(args, j.route, m.ID)...))
		return nil
	})
	if err != nil {
		return m, err
	}
	return after, nil
}

// TakeOver makes a move that is being prepared one's own, in a new epoch: whatever the
// former coordinator still sends comes too late. It starts again from sealing.
func (j *Journal) TakeOver(ctx context.Context, m Move, coordinator string) (Move, error) {
	if m.Phase != Prep {
		return m, lost("move %d is %s: only one that is being prepared starts again", m.ID, m.Phase)
	}
	return j.transit(ctx, m, step{to: Prep, newEpoch: true, coordinator: coordinator})
}

// Commit gives the buckets to the target. parts is the number of parts that each bucket
// of the move came in, in the order of the buckets.
func (j *Journal) Commit(ctx context.Context, m Move, records int64, parts []int64) (Move, error) {
	if m.Phase != Prep {
		return m, lost("move %d is %s: only one that is being prepared can be committed", m.ID, m.Phase)
	}
	list, err := json.Marshal(parts)
	if err != nil {
		return m, err
	}
	after, err := j.transit(ctx, m, step{
		to: Committed, coordinator: m.Coordinator, set: ", owner=?", args: []any{m.Target},
		row: ", records=?, parts=?", rowArgs: []any{records, string(list)},
	})
	if err == nil {
		after.Records, after.parts = records, parts
	}
	return after, err
}

// Adopt makes a committed move one's own; it goes forward in its epoch.
func (j *Journal) Adopt(ctx context.Context, m Move, coordinator string) (Move, error) {
	if m.Phase != Committed {
		return m, lost("move %d is %s, not committed", m.ID, m.Phase)
	}
	return j.transit(ctx, m, step{to: Committed, coordinator: coordinator})
}

// Finish ends a committed move, and notes what the source may forget after a while.
func (j *Journal) Finish(ctx context.Context, m Move, pause time.Duration) (Move, error) {
	if m.Phase != Committed {
		return m, lost("move %d is %s, not committed", m.ID, m.Phase)
	}
	if m.Kind == Recovering {
		return j.end(ctx, m, "", Recovered, pause, m.Error) // the source is gone
	}
	return j.end(ctx, m, m.Source, Moved, pause, m.Error)
}

// Abort gives a move up that is being prepared, or takes over one that is being given
// up, with a new epoch. The source must be reactivated in it.
func (j *Journal) Abort(ctx context.Context, m Move, coordinator, why string) (Move, error) {
	if m.Phase != Prep && m.Phase != Aborting {
		return m, lost("move %d is %s: it is too late to give it up", m.ID, m.Phase)
	}
	if m.Error != "" {
		why = m.Error // the first reason says most
	}
	after, err := j.transit(ctx, m, step{to: Aborting, newEpoch: true, coordinator: coordinator, row: ", error=?", rowArgs: []any{text(why)}})
	if err == nil {
		after.Error = text(why)
	}
	return after, err
}

// Aborted ends a move that was given up, and notes what the target may forget.
func (j *Journal) Aborted(ctx context.Context, m Move, pause time.Duration, why string) (Move, error) {
	if m.Phase != Aborting {
		return m, lost("move %d is %s, not being given up", m.ID, m.Phase)
	}
	return j.end(ctx, m, m.Target, Aborted, pause, text(why))
}

func (j *Journal) end(ctx context.Context, m Move, purge string, outcome Outcome, pause time.Duration, why string) (Move, error) {
	now := j.db.Dialect().NowMicros()
	after, err := j.transit(ctx, m, step{
		to: Idle, coordinator: m.Coordinator,
		set:  ", target='', move=0, purge_store=?, purge_epoch=?, purge_since=" + now,
		args: []any{purge, m.Epoch},
		row:  ", ended_at=" + now + ", outcome=?, pause=?, error=?", rowArgs: []any{string(outcome), pause.Microseconds(), text(why)},
	})
	if err == nil {
		after.Outcome, after.Pause, after.Error = outcome, pause, text(why)
	}
	return after, err
}

// Note keeps what a move waits for, for people to see.
func (j *Journal) Note(ctx context.Context, m Move, why string) error {
	return j.db.Do(ctx, func(tx *sqldb.Tx) error {
		tx.Finally(sqldb.S("UPDATE handover_moves SET error=? WHERE route=? AND move=? AND epoch=? AND phase<>'ended'", text(why), j.route, m.ID, m.Epoch))
		return nil
	})
}

// Heartbeat says that a coordinator still works on its moves. It proves nothing.
func (j *Journal) Heartbeat(ctx context.Context, coordinator string, moves []int64) error {
	if len(moves) == 0 {
		return nil
	}
	args := []any{j.route, coordinator}
	for _, id := range moves {
		args = append(args, id)
	}
	return j.db.Do(ctx, func(tx *sqldb.Tx) error {
		tx.Finally(sqldb.S("UPDATE handover_moves SET heartbeat_at="+j.db.Dialect().NowMicros()+
			" WHERE route=? AND coordinator=? AND phase<>'ended' AND move IN "+sqldb.Marks(1, len(moves)), args...))
		return nil
	})
}
