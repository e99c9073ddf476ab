package store

import (
	"context"
	"strings"

	"banyan/modules/kernel/handover/mutant"
	"banyan/modules/kernel/sqldb"
	"banyan/modules/reservations/internal/guess"
)

// guess assumes what is nearly always true of a new claim: flight and fence are as they
// were when last seen, the seats are free, the key is new, the customer holds nothing
// there yet. It saves the query before the write.
func (s *SQL) guess(sub Subject) (*State, bool) {
	if sub.FlightID == "" || len(sub.Seats) == 0 || sub.Key == "" || mutant.FreezeWithoutDrain {
		return nil, false
	}
	now, epoch := s.clock.Now(), s.epochs[sub.Bucket].Load()
	known, ok := s.flights.Get(sub.FlightID)
	if !ok || now == 0 || epoch == 0 {
		return nil, false
	}
	return &State{Now: now, Flight: &known, epoch: epoch, guessed: true}, true
}

// learn remembers what a snapshot, asked for at a moment of the clock, says.
func (s *SQL) learn(q *snapshot, sent int64) {
	if !q.now.Valid {
		return
	}
	s.clock.Learn(q.now.Int64, sent, s.clock.Elapsed())
	s.epochs[q.sub.Bucket].Store(q.epoch.Int64)
	if st := q.build(); st.Flight != nil {
		s.flights.Put(st.Flight.FlightID, *st.Flight)
	}
}

// learnFences remembers the epochs of all buckets.
func (s *SQL) learnFences(ctx context.Context) error {
	rows, err := s.db.Reader().QueryContext(ctx, "SELECT bucket,epoch FROM fences WHERE route=?", Route)
	if err != nil {
		return sqldb.Fail(err)
	}
	defer func() { _ = rows.Close() }()
	for rows.Next() {
		var b int
		var epoch int64
		if err := rows.Scan(&b, &epoch); err != nil {
			return sqldb.Fail(err)
		}
		s.epochs[b].Store(epoch)
	}
	if mutant.SealLostAfterRestart {
		_, err := s.db.Writer().ExecContext(ctx, "UPDATE fences SET mode=? WHERE mode=?", ModeActive, ModeSealed)
		return sqldb.Fail(err)
	}
	return sqldb.Fail(rows.Err())
}

// venture writes a claim on a guess, by itself: SQLite's writer shares commits, and writes
// for one while another decides. A guess that leads to a refusal, or is found wrong, is
// decided on the truth. Most of these are refused, so a reader gives it first: the writer
// is what everybody waits for.
func (s *SQL) venture(ctx context.Context, sub Subject, guessed *State, decide func(State) (Change, error)) error {
	change, err := decide(*guessed)
	if err == nil && change.Record != nil { // without a record nothing would tell that the key is not new
		if err = s.writeGuess(ctx, sub, *guessed, change); !refused(err) {
			return err
		}
	}
	st, err := s.read(ctx, newSnapshot(s.db.Dialect(), sub, false), ModeActive)
	if err != nil {
		return err
	}
	if change, err = decide(st); err != nil || change.Empty() {
		return err
	}
	return s.alone(ctx, sub, decide)
}

// writeGuess is writeGuessed for one claim on SQLite. All it can is done here, in the
// caller's time, for the writer is what everybody waits for.
func (s *SQL) writeGuess(ctx context.Context, sub Subject, st State, c Change) error {
	records := s.records(sub, st, c)
	batch := append(make([]sqldb.Stmt, 0, 1+len(records)), s.claimEvent(sub, st, c))
	for _, w := range records {
		batch = append(batch, w.stmt())
	}
	err := s.db.Do(ctx, func(tx *sqldb.Tx) error {
		tx.Finally(batch...)
		return nil
	})
	if err == nil {
		s.wrote(*st.Flight)
	}
	return err
}

// wrote remembers that a flight has its next version.
func (s *SQL) wrote(f Flight) {
	f.Version++
	s.flights.Put(f.FlightID, f)
}

// claimText is the event of one claim on a guess, in the form that costs SQLite least. It
// verifies all that the claim rests on, the seats too, whose keys would refuse it later:
// who has not written when it is refused need not be undone, and nor need those who share
// the commit. So the version may be whichever is next.
func claimText(d sqldb.Dialect, seats int) string {
	return eventHead +
		"(COALESCE((SELECT version FROM events WHERE bucket=? AND flight_id=? ORDER BY version DESC LIMIT 1),0)+1" + eventRest +
		"CASE WHEN " + d.NowMicros() + " BETWEEN ? AND ?" +
		" AND EXISTS(SELECT 1 FROM fences WHERE route=? AND bucket=? AND mode=? AND epoch=?)" +
		" AND EXISTS(SELECT 1 FROM flights WHERE flight_id=? AND seq=?)" +
		" AND NOT EXISTS(SELECT 1 FROM seats WHERE bucket=? AND flight_id=?" +
		" AND (customer_id=? AND kind='H'" + strings.Repeat(" OR seat=?", seats) + "))" +
		" THEN ? ELSE 0 END)"
}

// claimEvent makes the statement of claimText.
func (s *SQL) claimEvent(sub Subject, st State, c Change) sqldb.Stmt {
	tolerance, text := guess.Tolerance.Microseconds(), s.claimed
	if len(sub.Seats) != 1 {
		text = claimText(s.db.Dialect(), len(sub.Seats))
	}
	verified := append(make([]any, 0, 12+len(sub.Seats)), st.Now-tolerance, st.Now+tolerance, Route, sub.Bucket, ModeActive, st.epoch,
		sub.FlightID, st.Flight.Seq, sub.Bucket, sub.FlightID, sub.CustomerID)
	for _, seat := range sub.Seats {
		verified = append(verified, seat)
	}
	return sqldb.S(text, eventArgs([]any{sub.Bucket, sub.FlightID}, sub, st, c, append(verified, st.epoch))...)
}

// writeGuessed commits changes that were decided on guesses, all or none, in one round
// trip. The events verify what the changes rest on: their epoch is 0, and refused, unless
// fences and flights are as assumed, the clock is close, and none of the customers holds a
// seat on their flight. The events' keys refuse a version or a request's key that is not
// new, and the seats' key a seat that is not free. The first event verifies for
// all, since it is the planning of queries that costs on MySQL.
func (s *SQL) writeGuessed(ctx context.Context, batch []*job) error {
	var all []write
	for i, j := range batch {
		epoch := expr("?", j.st.epoch)
		if i == 0 {
			epoch = s.verified(batch)
		}
		all = append(all, newEvent(j.sub, j.st, j.change, epoch))
		all = append(all, s.records(j.sub, j.st, j.change)...)
	}
	err := s.db.Do(ctx, func(tx *sqldb.Tx) error {
		tx.Finally(merge(all)...)
		return nil
	})
	if err != nil {
		return err
	}
	for _, j := range batch {
		s.wrote(*j.st.Flight)
	}
	return nil
}

// verified is the first claim's epoch if these claims rest on the truth, and 0 if not. It
// keeps fences and flights as they are until the commit.
func (s *SQL) verified(batch []*job) expression {
	var fences, flights, holders either
	earliest, latest := batch[0].st.Now, batch[0].st.Now
	seen, flown := map[int]bool{}, map[string]bool{}
	for _, j := range batch {
		earliest, latest = min(earliest, j.st.Now), max(latest, j.st.Now)
		if !flown[j.sub.FlightID] { // who shares a flight rests on the same state of it
			flown[j.sub.FlightID] = true
			flights.or("flight_id=? AND seq=?", j.sub.FlightID, j.st.Flight.Seq)
		}
		holders.or("bucket=? AND flight_id=? AND customer_id=?", j.sub.Bucket, j.sub.FlightID, j.sub.CustomerID)
		if !seen[j.sub.Bucket] {
			seen[j.sub.Bucket] = true
			fences.or("bucket=? AND epoch=?", j.sub.Bucket, j.st.epoch)
		}
	}
	d, tolerance := s.db.Dialect(), guess.Tolerance.Microseconds()
	args := append([]any{latest - tolerance, earliest + tolerance, Route, ModeActive}, fences.args...)
	args = append(append(args, len(seen)), flights.args...)
	args = append(append(args, len(flown)), holders.args...)
	return expr("CASE WHEN "+d.NowMicros()+" BETWEEN ? AND ?"+
		" AND (SELECT COUNT(*) FROM fences WHERE route=? AND mode=? AND "+fences.text()+d.ShareLock()+")=?"+
		" AND (SELECT COUNT(*) FROM flights WHERE "+flights.text()+d.ShareLock()+")=?"+
		" AND NOT EXISTS(SELECT 1 FROM seats WHERE kind='H' AND "+holders.text()+")"+
		" THEN ? ELSE 0 END", append(args, batch[0].st.epoch)...)
}

// either collects alternatives of a condition.
type either struct {
	parts []string
	args  []any
}

func (e *either) or(condition string, args ...any) {
	e.parts = append(e.parts, "("+condition+")")
	e.args = append(e.args, args...)
}

func (e *either) text() string { return "(" + strings.Join(e.parts, " OR ") + ")" }
