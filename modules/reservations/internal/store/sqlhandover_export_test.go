package store

import (
	"banyan/modules/kernel/handover"
	"banyan/modules/kernel/handover/handoversql"
	"banyan/modules/kernel/sqldb"
)

// HandoverStatements are those that lock, wipe and read buckets, for tests of their plans.
func HandoverStatements(db *sqldb.DB, buckets []int) []sqldb.Stmt {
	m := moving{db}
	list := append(m.Wipes(buckets, handoversql.WipeAtOnce),
		handoversql.Lock(db.Dialect(), Route, buckets, func(handover.Fence) {}))
	for _, r := range m.Reads(buckets) {
		list = append(list, sqldb.S(r.SQL, r.Args...))
	}
	return list
}
