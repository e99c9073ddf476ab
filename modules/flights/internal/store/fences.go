package store

import (
	"context"
	"database/sql"

	"banyan/modules/kernel/bucket"
	"banyan/modules/kernel/errs"
	"banyan/modules/kernel/handover"
	"banyan/modules/kernel/handover/handoversql"
	"banyan/modules/kernel/sqldb"
)

// Served is which buckets a store serves, as of a number of changes of its fences. It is
// not changed once it is made.
type Served struct {
	Buckets handover.Buckets // active or read-only

	active  handover.Buckets
	changes int64
	all     bool // Buckets has all
	none    bool
}

// Parts of statements. A fence's mode is asked for by its own key: what reads IN (SELECT …)
// a database may turn into a join, and lose the order of the flights.
const (
	fenceChanges = "(SELECT value FROM counters WHERE name='fences')"
	servedHere   = "(SELECT fences.mode FROM fences WHERE fences.route='" + Route + "' AND fences.bucket=flights.bucket) IN ('active','ro')"
)

// serving gives what is served as last seen, which may have changed.
func (s *Store) serving(ctx context.Context) (*Served, error) {
	if v := s.served.Load(); v != nil {
		return v, nil
	}
	s.opening.Lock()
	defer s.opening.Unlock()
	if v := s.served.Load(); v != nil {
		return v, nil
	}
	if err := s.open(ctx); err != nil {
		return nil, err
	}
	v, err := readServed(ctx, s.db.Reader())
	if err != nil {
		return nil, err
	}
	s.served.Store(v)
	return v, nil
}

// learn keeps what is served, unless something newer is known.
func (s *Store) learn(v *Served) {
	s.opening.Lock()
	defer s.opening.Unlock()
	if known := s.served.Load(); known == nil || known.changes < v.changes {
		s.served.Store(v)
	}
}

// readServed reads what is served, at one moment.
func readServed(ctx context.Context, q sqldb.Querier) (*Served, error) {
	v := &Served{}
	err := sqldb.Each(ctx, q, sqldb.Q(func(rows *sql.Rows) error {
		var b sql.NullInt64
		var mode sql.NullString
		err := rows.Scan(&v.changes, &b, &mode)
		v.add(b, mode)
		return err
	}, "SELECT c.value, f.bucket, f.mode FROM counters c"+
		" LEFT JOIN fences f ON f.route='"+Route+"' AND f.mode<>'sealed' WHERE c.name='fences'"))
	n := v.Buckets.Len()
	v.all, v.none = n == bucket.Count, n == 0
	return v, err
}

func (v *Served) add(b sql.NullInt64, mode sql.NullString) {
	if !b.Valid || b.Int64 < 0 || b.Int64 >= bucket.Count {
		return
	}
	v.Buckets.Add(int(b.Int64))
	if handover.Mode(mode.String) == handover.Active {
		v.active.Add(int(b.Int64))
	}
}

// asking makes the text of a query of flights. Its columns are flightColumns and, last,
// fenceChanges; partial wants only flights that are served here.
type asking func(partial bool) (string, []any)

// look reads at most limit flights that are served, and tells what was when they were
// read. As long as the fences are as last seen, this is one statement, which says so
// itself; it has no condition more when everything is served.
func (s *Store) look(ctx context.Context, limit int, ask asking) ([]Row, *Served, error) {
	v, err := s.serving(ctx)
	if err != nil {
		return nil, nil, err
	}
	rows, changes, err := rowsServed(ctx, s.db, limit, v, ask)
	if err != nil || changes == v.changes {
		return rows, v, err
	}
	return s.lookAgain(ctx, limit, ask)
}

// lookAgain reads the fences and the flights at one moment.
func (s *Store) lookAgain(ctx context.Context, limit int, ask asking) ([]Row, *Served, error) {
	tx, err := s.db.Reader().BeginTxx(ctx, &sql.TxOptions{Isolation: sql.LevelRepeatableRead, ReadOnly: true})
	if err != nil {
		return nil, nil, sqldb.Fail(err)
	}
	defer func() { _ = tx.Rollback() }() // nothing was written
	v, err := readServed(ctx, tx)
	if err != nil {
		return nil, nil, err
	}
	rows, _, err := rowsServed(ctx, tx, limit, v, ask)
	if err != nil {
		return nil, nil, err
	}
	s.learn(v)
	return rows, v, nil
}

// rowsServed runs a query as what is served demands, and tells the number of changes of
// the fences at that moment.
func rowsServed(ctx context.Context, q sqldb.Querier, limit int, v *Served, ask asking) ([]Row, int64, error) {
	if !v.none {
		text, args := ask(!v.all)
		rows, changes, err := countedRows(ctx, q, limit, text, args)
		if err != nil || len(rows) > 0 {
			return rows, changes, err
		}
	}
	// No row has told the number. Fences that are now as they were have been so meanwhile.
	changes, found := int64(0), false
	err := sqldb.Each(ctx, q, sqldb.Q(func(rows *sql.Rows) error {
		found = true
		return rows.Scan(&changes)
	}, "SELECT value FROM counters WHERE name='fences'"))
	if err == nil && !found {
		err = errs.E(errs.Internal, "the store of flights has no count of its fences' changes")
	}
	return nil, changes, err
}

// countedRows reads rows whose last column is the number of changes of the fences.
func countedRows(ctx context.Context, q sqldb.Querier, limit int, text string, args []any) ([]Row, int64, error) {
	answer, err := q.QueryContext(ctx, text, args...)
	if err != nil {
		return nil, 0, sqldb.Fail(err)
	}
	defer func() { _ = answer.Close() }()
	list := make([]Row, 0, limit)
	into := newScanner()
	var changes integer
	into.into = append(into.into, &changes)
	for answer.Next() {
		r, err := into.row(answer)
		if err != nil {
			return nil, 0, sqldb.Fail(err)
		}
		list = append(list, r)
	}
	return list, int64(changes), sqldb.Fail(answer.Err())
}

// refuse is the error for a bucket that is not served, with its fence as it is now.
func (s *Store) refuse(ctx context.Context, b int) error {
	f := handover.Fence{Bucket: b}
	err := sqldb.Each(ctx, s.db.Reader(), sqldb.Q(func(rows *sql.Rows) (err error) {
		f, err = handoversql.ScanFence(rows)
		return err
	}, "SELECT bucket,epoch,mode,seq FROM fences WHERE route=? AND bucket=?", Route, b))
	if err != nil {
		return err
	}
	return handoversql.Misdirected(f)
}

// keepFence reads a bucket's fence and keeps it as it is until the commit. It comes first
// in a transaction: who waits for it must not keep the outbox from others.
func (s *Store) keepFence(b int, into *handover.Fence) sqldb.Stmt {
	*into = handover.Fence{Bucket: b}
	return sqldb.Q(func(rows *sql.Rows) (err error) {
		*into, err = handoversql.ScanFence(rows)
		return err
	}, "SELECT bucket,epoch,mode,seq FROM fences WHERE route=? AND bucket=?"+s.db.Dialect().ShareLock(), Route, b)
}

func mustBeActive(f handover.Fence) error {
	if f.Mode != handover.Active {
		return handoversql.Misdirected(f)
	}
	return nil
}

// keepFences keeps all fences as they are until the commit, by their counter, and gives
// the buckets that are active.
func (s *Store) keepFences(ctx context.Context, tx *sqldb.Tx) (handover.Buckets, error) {
	var changes int64
	err := tx.Run(ctx, sqldb.Q(func(r *sql.Rows) error { return r.Scan(&changes) },
		"SELECT value FROM counters WHERE name='fences'"+s.db.Dialect().ShareLock()))
	if err != nil {
		return handover.Buckets{}, err
	}
	if v := s.served.Load(); v != nil && v.changes == changes {
		return v.active, nil
	}
	var active handover.Buckets
	err = tx.Run(ctx, sqldb.Q(func(r *sql.Rows) error {
		var b int
		if err := r.Scan(&b); err != nil || b < 0 || b >= bucket.Count {
			return err
		}
		active.Add(b)
		return nil
	}, "SELECT bucket FROM fences WHERE route='"+Route+"' AND mode='active'"))
	return active, err
}

// OwnsAll wants every bucket to be active here. errs: Unsafe.
func (s *Store) OwnsAll(ctx context.Context) error {
	if _, err := s.serving(ctx); err != nil {
		return err
	}
	v, err := readServed(ctx, s.db.Reader())
	if err != nil {
		return err
	}
	return wantAll(&v.active)
}

func wantAll(active *handover.Buckets) error {
	if n := active.Len(); n < bucket.Count {
		return errs.E(errs.Unsafe, "this store owns %d of %d buckets of flights; an import must not leave out those that were handed over: bring them back first", n, bucket.Count)
	}
	return nil
}
