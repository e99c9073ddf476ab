package main

// mutant is a rule that is broken, and the tests each of which must notice.
type mutant struct {
	name   string
	checks []check
}

// check is some tests of a package: the cheapest that notice a mutant in one place.
type check struct{ where, pack, run string }

const (
	sqlstore    = "modules/reservations/internal/store"
	redisstore  = "modules/reservations/internal/redisstore"
	coordinator = "proxy/handover"
	crashpoints = "app/internal/crashpoints"
	service     = "modules/reservations/reservationslocal"
)

func mutants() []mutant {
	const someMoves, sqlMoves = "TestCrashPoints/mysql-cluster", "TestCrashPoints/sqlite-mysql"
	return []mutant{
		{"freeze-without-drain", []check{
			{"SQL", sqlstore, "TestFreezeWaitsForCombinedWrites|TestFenceClosesWhileDeciding"},
			{"Redis", redisstore, "TestFrozenWhileDeciding"},
		}},
		{"timer-unfreezes", []check{{"coordinator", crashpoints, "TestFrozenUntilItIsDecided"}}},
		{"copy-without-epoch-check", []check{{"SQL", sqlstore, "TestSQLIsAParticipant"}, {"Redis", redisstore, "TestConformance"}}},
		{"copy-without-sequence-check", []check{{"SQL", sqlstore, "TestSQLIsAParticipant"}, {"Redis", redisstore, "TestConformance"}}},
		{"abort-without-compare-and-set", []check{{"journal", coordinator, "TestTransitions"}}},
		{"activate-without-epoch-check", []check{{"SQL", sqlstore, "TestSQLIsAParticipant"}, {"Redis", redisstore, "TestConformance"}}},
		{"reads-served-while-sealed", []check{{"SQL", crashpoints, sqlMoves}, {"Redis", crashpoints, someMoves}}},
		{"idempotency-records-not-copied", []check{
			{"both stores", crashpoints, someMoves}, {"both stores", service, "TestContractWhileBucketsMove/sqlite"},
		}},
		{"no-idempotency", []check{{"rules", crashpoints, someMoves}, {"rules", service, "TestContractOnSQLite"}}},
		{"seal-lost-after-restart", []check{
			{"SQL", crashpoints, "TestServicesAreRestarted/sqlite-mysql"}, {"Redis", crashpoints, "TestServicesAreRestarted/mysql-redis"},
		}},
		{"warm-copy-trusted", []check{{"coordinator", coordinator, "TestWrittenWhileCopied"}}},
		{"both-sides-active", []check{{"SQL", crashpoints, sqlMoves}, {"SQL, Redis", crashpoints, someMoves}}},
	}
}
