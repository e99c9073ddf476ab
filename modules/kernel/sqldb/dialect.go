package sqldb

import (
	"context"
	"errors"
	"strings"

	"github.com/go-sql-driver/mysql"
	"modernc.org/sqlite"

	"banyan/modules/kernel/errs"
)

// Dialect is where the two families differ; everything else is shared SQL.
type Dialect int

// The dialects.
const (
	SQLite Dialect = iota
	MySQL
)

// String gives the name that goose and the driver use.
func (d Dialect) String() string {
	if d == MySQL {
		return "mysql"
	}
	return "sqlite3"
}

// ShareLock ends a SELECT that must keep its row from changing until the commit.
// SQLite needs none: it has one writer.
func (d Dialect) ShareLock() string {
	if d == MySQL {
		return " LOCK IN SHARE MODE"
	}
	return ""
}

// NowMicros is an expression: the database's clock in microseconds since 1970 UTC.
func (d Dialect) NowMicros() string {
	if d == MySQL {
		return "CAST(UNIX_TIMESTAMP(NOW(6)) * 1000000 AS SIGNED)"
	}
	return "CAST(unixepoch('subsec') * 1000000 AS INTEGER)"
}

// InsertIgnore starts an INSERT that leaves existing rows as they are.
func (d Dialect) InsertIgnore() string {
	if d == MySQL {
		return "INSERT IGNORE"
	}
	return "INSERT OR IGNORE"
}

// Upsert ends an INSERT that overwrites the named columns when the key exists.
func (d Dialect) Upsert(key string, columns ...string) string {
	sets := make([]string, len(columns))
	for i, c := range columns {
		if d == MySQL {
			sets[i] = c + "=VALUES(" + c + ")"
		} else {
			sets[i] = c + "=excluded." + c
		}
	}
	if d == MySQL {
		return " ON DUPLICATE KEY UPDATE " + strings.Join(sets, ",")
	}
	return " ON CONFLICT(" + key + ") DO UPDATE SET " + strings.Join(sets, ",")
}

// Marks gives n rows of width question marks each, for a multi-row INSERT or an IN list.
func Marks(n, width int) string {
	row := "(" + strings.TrimSuffix(strings.Repeat("?,", width), ",") + ")"
	return strings.TrimSuffix(strings.Repeat(row+",", n), ",")
}

// Class sorts the database's errors.
type Class int

// The classes that callers act upon.
const (
	NoError Class = iota
	Duplicate
	Deadlock // run the transaction again
	Busy     // a lock was not had in time
	Violation
	Other
)

// ClassOf sorts an error of either dialect.
func ClassOf(err error) Class {
	if err == nil {
		return NoError
	}
	if my := (*mysql.MySQLError)(nil); errors.As(err, &my) {
		return mysqlClass(my.Number)
	}
	if lite := (*sqlite.Error)(nil); errors.As(err, &lite) {
		return sqliteClass(lite.Code())
	}
	return Other
}

func mysqlClass(number uint16) Class {
	switch number {
	case 1062:
		return Duplicate
	case 1213, 1020: // 1020: MariaDB's "record has changed since last read"
		return Deadlock
	case 1205:
		return Busy
	case 4025, 3819, 1048, 1451, 1452, 1406, 1264:
		return Violation
	}
	return Other
}

func sqliteClass(code int) Class {
	switch code {
	case 2067, 1555: // unique, primary key
		return Duplicate
	case 275, 787, 1299: // check, foreign key, not null
		return Violation
	}
	if code&0xff == 5 || code&0xff == 6 {
		return Busy
	}
	return Other
}

// Fail turns an error of the database into errs.Unavailable with its cause, and
// leaves errors of ours, and nil, as they are.
func Fail(err error) error {
	if err == nil {
		return nil
	}
	if ours := (*errs.Error)(nil); errors.As(err, &ours) {
		return err
	}
	if errors.Is(err, context.Canceled) {
		return errs.E(errs.Unavailable, "the request was given up").Because(err)
	}
	if c := ClassOf(err); c == Violation || c == Duplicate {
		return errs.E(errs.Internal, "the database refused the row").Because(err)
	}
	return errs.E(errs.Unavailable, "the database did not answer; try again").Because(err)
}
