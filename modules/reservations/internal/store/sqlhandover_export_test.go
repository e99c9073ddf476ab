package store

import "banyan/modules/kernel/sqldb"

// HandoverStatements are those that read and wipe buckets, for tests of their plans.
func HandoverStatements(d sqldb.Dialect, buckets []int) []sqldb.Stmt {
	list := wipes(d, buckets)
	for _, r := range reads(buckets) {
		list = append(list, sqldb.S(r.query, r.args...))
	}
	return list
}

// WipeAtOnce is how many rows of a table a transaction deletes.
const WipeAtOnce = wipeAtOnce
