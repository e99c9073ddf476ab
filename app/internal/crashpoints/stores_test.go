package crashpoints_test

import (
	"context"
	"encoding/json"
	"fmt"
	"io/fs"
	"testing"

	proxymigrations "banyan/migrations/proxy"
	migrations "banyan/migrations/reservations"
	"banyan/modules/kernel/bucket"
	"banyan/modules/kernel/dbtest"
	"banyan/modules/kernel/redisdb"
	"banyan/modules/kernel/sqldb"
	"banyan/modules/reservations/reservationslocal"
	"banyan/proxy/handover"
	"banyan/proxy/handover/handovertestkit"
)

// flown is the number of buckets, from the first on, that have a flight.
const flown = 310

// flights gives a flight of each bucket below n.
func flights(n int) []string {
	list, found := make([]string, n), 0
	for i := 0; found < n; i++ {
		id := fmt.Sprintf("CP%d-JFK-202611%02d", i/30%9999+1, i%30+1)
		if b := bucket.Of(id); b < n && list[b] == "" {
			list[b] = id
			found++
		}
	}
	return list
}

// seats is the number of seats of a flight.
const seats = 60

func seat(n int) string { return fmt.Sprintf("%d%c", 1+n%seats/6, 'A'+n%6) }

// schedule is the feed that tells a store of the flights.
func schedule(t testing.TB, list []string) eventList {
	t.Helper()
	names, facts := []string{}, []map[string]any{}
	for n := range seats {
		names = append(names, seat(n))
	}
	for n, id := range list {
		facts = append(facts, map[string]any{
			"flight_id": id, "designator": fmt.Sprint("CP", n+1), "date": "2026-11-21", "configuration": "CRASH.1", "status": "SCHEDULED",
		})
	}
	event := func(seq int64, kind string, data map[string]any) reservationslocal.FlightEvent {
		body, err := json.Marshal(data)
		if err != nil {
			t.Fatal(err)
		}
		return reservationslocal.FlightEvent{Seq: seq, Type: kind, Data: body}
	}
	return eventList{
		event(1, "configuration.published", map[string]any{"configuration": "CRASH.1", "seats": names}),
		event(2, "flight.scheduled", map[string]any{"flights": facts}),
	}
}

type eventList []reservationslocal.FlightEvent

func (l eventList) Events(_ context.Context, since int64, limit int) ([]reservationslocal.FlightEvent, error) {
	rest := l[min(int(since), len(l)):]
	return rest[:min(limit, len(rest))], nil
}

func migrate(t testing.TB, db *sqldb.DB, from fs.FS) *sqldb.DB {
	t.Helper()
	m, err := sqldb.NewMigrator(db, from)
	if err == nil {
		_, err = m.Up(t.Context())
	}
	if err != nil {
		t.Fatal(err)
	}
	return db
}

// journal makes one of which the home owns everything.
func journal(t testing.TB, db *sqldb.DB) *handover.Journal {
	t.Helper()
	j := handover.NewJournal(migrate(t, db, proxymigrations.FS), "reservations")
	if err := j.Init(t.Context(), handovertestkit.Home); err != nil {
		t.Fatal(err)
	}
	return j
}

// place says where a store is, so that it can be opened again.
type place func(t testing.TB, own bool) *reservationslocal.Service

// sqlAt opens a service on a database, whose pools it shares.
func sqlAt(t testing.TB, db *sqldb.DB) place {
	t.Helper()
	migrate(t, db, migrations.FS)
	return func(t testing.TB, own bool) *reservationslocal.Service {
		t.Helper()
		s, err := reservationslocal.NewSQL(t.Context(), db, reservationslocal.Options{Own: own})
		if err != nil {
			t.Fatal(err)
		}
		return s
	}
}

// redisAt opens a service on a Redis, in a namespace of its own.
func redisAt(addrs string) place {
	namespace := dbtest.Namespace()
	return func(t testing.TB, own bool) *reservationslocal.Service {
		t.Helper()
		db, err := redisdb.Open(t.Context(), redisdb.Options{Addrs: addrs})
		if err != nil {
			t.Fatal(err)
		}
		s, err := reservationslocal.NewRedis(t.Context(), db, reservationslocal.Options{Own: own, Namespace: namespace})
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = s.Close() })
		return s
	}
}
