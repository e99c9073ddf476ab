package store

import (
	"slices"

	"banyan/modules/kernel/sqldb"
)

// Guarded is a query as it is run when not all buckets are served.
func Guarded(q Query) Query {
	q.counted, q.partial = true, true
	return q
}

// Found are the statements that find what a participant reads and wipes of buckets.
func Found(s *Store, buckets []int) []sqldb.Stmt {
	list := slices.Clone(moving{s}.Wipes(buckets, 1000))
	for _, r := range (moving{s}).Reads(buckets) {
		list = append(list, sqldb.S(r.SQL, r.Args...))
	}
	return list
}
