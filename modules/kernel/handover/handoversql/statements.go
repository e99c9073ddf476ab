package handoversql

import (
	"slices"
	"strings"

	"banyan/modules/kernel/sqldb"
)

// AtOnce bounds the buckets of a statement; a database that takes long lists for tables
// of their own does so above it.
const AtOnce = 256

// Padded repeats the last of at most AtOnce buckets until there are 1, 4, 16, 64 or 256:
// statements with lists come in few texts then. SQLite keeps a number of texts prepared,
// and those of the write path must find room.
func Padded(buckets []int) []int {
	size := 1
	for size < len(buckets) {
		size *= 4
	}
	all := make([]int, size)
	for i := range all {
		all[i] = buckets[min(i, len(buckets)-1)]
	}
	return all
}

// In is the condition that a column is one of at most AtOnce buckets.
func In(column string, buckets []int) (string, []any) {
	all := Padded(buckets)
	args := make([]any, len(all))
	for i, b := range all {
		args[i] = b
	}
	return column + " IN " + sqldb.Marks(1, len(all)), args
}

// Delete is the statement that deletes at most limit of the rows of a table, with the
// columns of its primary key, that a condition finds.
func Delete(d sqldb.Dialect, table, key, where string, args []any, limit int) sqldb.Stmt {
	found := " FROM " + table + " WHERE " + where + " LIMIT ?"
	if d != sqldb.MySQL {
		found = " FROM " + table + " WHERE (" + key + ") IN (SELECT " + key + found + ")"
	}
	return sqldb.S("DELETE"+found, append(slices.Clone(args), limit)...)
}

// Rows are the rows of a multi-row INSERT: Head, up to and with VALUES, and Tail are what
// stands around them, Marks is what stands for one row, such as (?,?).
type Rows struct {
	Head, Marks, Tail string

	rows [][]any
}

// Add adds a row: a value for each question mark.
func (r *Rows) Add(values ...any) { r.rows = append(r.rows, values) }

// Len is the number of rows.
func (r *Rows) Len() int { return len(r.rows) }

// Stmts writes them some at a time: on SQLite 256, 16 or 1, for the sake of few texts.
func (r *Rows) Stmts(d sqldb.Dialect) []sqldb.Stmt {
	var list []sqldb.Stmt
	for rest := r.rows; len(rest) > 0; {
		n := min(len(rest), AtOnce)
		if d == sqldb.SQLite {
			n = 1
			for n*16 <= min(len(rest), AtOnce) {
				n *= 16
			}
		}
		text := r.Head + " " + strings.TrimSuffix(strings.Repeat(r.Marks+",", n), ",") + r.Tail
		list = append(list, sqldb.S(text, slices.Concat(rest[:n]...)...))
		rest = rest[n:]
	}
	return list
}
