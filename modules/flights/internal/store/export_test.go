package store

import (
	"banyan/modules/kernel/handover"
	"banyan/modules/kernel/handover/handoversql"
	"banyan/modules/kernel/sqldb"
)

// Guarded is a query as it is run when not all buckets are served.
func Guarded(q Query) Query {
	q.counted, q.partial = true, true
	return q
}

// Found are the statements with which a participant locks, wipes and reads buckets.
func Found(s *Store, buckets []int) []sqldb.Stmt {
	m := moving{s}
	list := append(m.Wipes(buckets, handoversql.WipeAtOnce),
		handoversql.Lock(s.db.Dialect(), Route, buckets, func(handover.Fence) {}))
	for _, r := range m.Reads(buckets) {
		list = append(list, sqldb.S(r.SQL, r.Args...))
	}
	return list
}
