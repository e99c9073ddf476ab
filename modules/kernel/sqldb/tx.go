package sqldb

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/go-sql-driver/mysql"
)

// Stmt is one statement of a batch.
type Stmt struct {
	SQL  string
	Args []any
	// Rows is called for each row of the answer; nil for a statement without one.
	Rows func(*sql.Rows) error
	// Affected receives the number of rows matched; only in batches without Rows.
	Affected *int64
}

// S makes a statement without an answer.
func S(query string, args ...any) Stmt { return Stmt{SQL: query, Args: args} }

// Q makes a statement whose rows go to scan.
func Q(scan func(*sql.Rows) error, query string, args ...any) Stmt {
	return Stmt{SQL: query, Args: args, Rows: scan}
}

// values converts arguments for the driver, in the place of others that are done with.
func values(args []any, place []driver.NamedValue) ([]driver.NamedValue, error) {
	list := place[:0]
	for i, a := range args {
		v, err := driver.DefaultParameterConverter.ConvertValue(a)
		if err != nil {
			return nil, fmt.Errorf("argument %d: %w", i+1, err)
		}
		list = append(list, driver.NamedValue{Ordinal: i + 1, Value: v})
	}
	return list, nil
}

// Tx is a transaction under way; it is used by one goroutine.
type Tx struct {
	conn    *sql.Conn
	oneTrip bool   // batches go out as one text (MySQL)
	opening string // sent with the first batch
	last    []Stmt
	cache   *stmtCache // SQLite
	wrote   bool       // SQLite: a statement without an answer was run
}

// Run sends a batch: one round trip on MySQL, statement by statement on SQLite.
func (t *Tx) Run(ctx context.Context, batch ...Stmt) error {
	if len(batch) == 0 {
		return nil
	}
	if !t.oneTrip {
		// One caller's cancellation would interrupt the connection, and roll back everyone
		// who shares the commit.
		return t.runEach(context.WithoutCancel(ctx), batch)
	}
	if t.opening != "" {
		batch = append([]Stmt{S(t.opening)}, batch...)
		t.opening = ""
	}
	for _, s := range batch {
		if s.Rows != nil {
			return t.queryTogether(ctx, batch)
		}
	}
	return t.execTogether(ctx, batch)
}

// Finally queues statements that go out together with the commit. Use it for writes
// that need no answer: on MySQL the whole end of the transaction is one round trip.
func (t *Tx) Finally(batch ...Stmt) { t.last = append(t.last, batch...) }

func (t *Tx) commit(ctx context.Context) error {
	if t.opening != "" && len(t.last) == 0 {
		return nil // nothing was ever sent
	}
	return t.Run(ctx, append(t.last, S("COMMIT"))...)
}

// rollback frees the connection of the transaction, whatever state it is in.
func (t *Tx) rollback() {
	if t.opening != "" {
		return
	}
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
	defer cancel()
	if _, err := t.conn.ExecContext(ctx, "ROLLBACK"); err != nil {
		// The session may still hold locks: drop it, the server then rolls back.
		_ = t.conn.Raw(func(any) error { return driver.ErrBadConn })
	}
}

func together(batch []Stmt) (string, []any) {
	texts := make([]string, len(batch))
	var args []any
	for i, s := range batch {
		texts[i] = s.SQL
		args = append(args, s.Args...)
	}
	return strings.Join(texts, ";"), args
}

func (t *Tx) execTogether(ctx context.Context, batch []Stmt) error {
	query, args := together(batch)
	values, err := values(args, make([]driver.NamedValue, 0, len(args)))
	if err != nil {
		return err
	}
	return t.conn.Raw(func(c any) error {
		result, err := c.(driver.ExecerContext).ExecContext(ctx, query, values)
		if err != nil {
			return err
		}
		affected := result.(mysql.Result).AllRowsAffected()
		for i, s := range batch {
			if s.Affected != nil && i < len(affected) {
				*s.Affected = affected[i]
			}
		}
		return nil
	})
}

func (t *Tx) queryTogether(ctx context.Context, batch []Stmt) error {
	query, args := together(batch)
	rows, err := t.conn.QueryContext(ctx, query, args...)
	if err != nil {
		return err
	}
	defer func() { _ = rows.Close() }()
	first := true
	for _, s := range batch {
		if s.Rows == nil {
			continue // the driver steps over answers without columns
		}
		if !first && !rows.NextResultSet() {
			return errors.Join(rows.Err(), errors.New("sqldb: a statement of the batch gave no answer"))
		}
		first = false
		for rows.Next() {
			if err := s.Rows(rows); err != nil {
				return err
			}
		}
		if err := rows.Err(); err != nil {
			return err
		}
	}
	for rows.NextResultSet() { // drains answers behind the last SELECT, and their errors
	}
	return rows.Err()
}

func (t *Tx) runEach(ctx context.Context, batch []Stmt) error {
	for _, s := range batch {
		if err := t.runOne(ctx, s); err != nil {
			return err
		}
	}
	return nil
}

func (t *Tx) runOne(ctx context.Context, s Stmt) error {
	if s.Rows == nil {
		affected, err := t.cache.exec(ctx, t.conn, s)
		t.wrote = t.wrote || err == nil // a statement that fails is undone whole
		if err == nil && s.Affected != nil {
			*s.Affected = affected
		}
		return err
	}
	prepared, done, err := t.cache.query(ctx, t.conn, s.SQL) //nolint:sqlclosecheck // the cache keeps it; done closes what it does not
	if err != nil {
		return err
	}
	defer done()
	rows, err := prepared.QueryContext(ctx, s.Args...)
	if err != nil {
		return err
	}
	defer func() { _ = rows.Close() }()
	for rows.Next() {
		if err := s.Rows(rows); err != nil {
			return err
		}
	}
	return rows.Err()
}
