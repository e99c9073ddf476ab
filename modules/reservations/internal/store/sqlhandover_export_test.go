package store

import "banyan/modules/kernel/sqldb"

// HandoverStatements are those that lock, wipe and read buckets, for tests of their plans.
func HandoverStatements(d sqldb.Dialect, buckets []int) []sqldb.Stmt {
	list := append(wipes(d, buckets), locks(d, buckets))
	for _, r := range reads(buckets) {
		list = append(list, sqldb.S(r.query, r.args...))
	}
	return list
}

// WipeAtOnce is how many rows of a table a transaction deletes.
const WipeAtOnce = wipeAtOnce
