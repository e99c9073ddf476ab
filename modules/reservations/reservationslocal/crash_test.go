package reservationslocal_test

import (
	"cmp"
	"context"
	"database/sql"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	migrations "banyan/migrations/reservations"
	"banyan/modules/kernel/dbtest"
	"banyan/modules/kernel/redisdb"
	"banyan/modules/kernel/sqldb"
	"banyan/modules/reservations/reservationslocal"
)

// storeAt says where a store is, also to a child process.
type storeAt struct {
	SQLite, MySQL, Redis string
	Namespace            string
	AcceptDataLoss       bool
}

// open starts a service on the store; the caller closes it.
func (at storeAt) open(ctx context.Context) (*reservationslocal.Service, error) {
	o := reservationslocal.Options{Namespace: at.Namespace, AcceptDataLoss: at.AcceptDataLoss, Own: true}
	if at.Redis != "" {
		db, err := redisdb.Open(ctx, redisdb.Options{Addrs: at.Redis})
		if err != nil {
			return nil, err
		}
		return reservationslocal.NewRedis(ctx, db, o)
	}
	var db *sqldb.DB
	var err error
	if at.MySQL != "" {
		db, err = sqldb.OpenMySQL(ctx, at.MySQL)
	} else {
		db, err = sqldb.OpenSQLite(ctx, at.SQLite)
	}
	if err != nil {
		return nil, err
	}
	m, err := sqldb.NewMigrator(db, migrations.FS)
	if err == nil {
		_, err = m.Up(ctx)
	}
	if err != nil {
		_ = db.Close()
		return nil, err
	}
	return reservationslocal.NewSQL(ctx, db, o)
}

// crashFlights is more than the writers can fill.
const crashFlights = 300

func crashFlight(n int) string { return fmt.Sprintf("CR%d-JFK-20261121", n+1) }

// schedule gives the store its flights, then leaves it to others.
func (at storeAt) schedule(t *testing.T) {
	t.Helper()
	s, err := at.open(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = s.Close() }()
	type fact struct {
		FlightID      string `json:"flight_id"`
		Designator    string `json:"designator"`
		Date          string `json:"date"`
		Configuration string `json:"configuration"`
		Status        string `json:"status"`
	}
	var seats []string
	var facts []fact
	for n := range crashFlights {
		facts = append(facts, fact{crashFlight(n), fmt.Sprint("CR", n+1), "2026-11-21", "CRASH.1", "SCHEDULED"})
	}
	for n := range crashSeats {
		seats = append(seats, crashSeat(n))
	}
	feed := eventList{
		crashEvent(t, 1, "configuration.published", map[string]any{"configuration": "CRASH.1", "seats": seats}),
		crashEvent(t, 2, "flight.scheduled", map[string]any{"flights": facts}),
	}
	if err := s.Feed("flights", feed).CatchUp(t.Context(), nil); err != nil {
		t.Fatal(err)
	}
}

func crashEvent(t *testing.T, seq int64, kind string, data any) reservationslocal.FlightEvent {
	t.Helper()
	body, err := json.Marshal(data)
	if err != nil {
		t.Fatal(err)
	}
	return reservationslocal.FlightEvent{Seq: seq, Type: kind, Data: body}
}

type eventList []reservationslocal.FlightEvent

func (l eventList) Events(_ context.Context, since int64, limit int) ([]reservationslocal.FlightEvent, error) {
	rest := l[min(int(since), len(l)):]
	return rest[:min(limit, len(rest))], nil
}

// TestCrashSQLite kills the process that writes the file.
func TestCrashSQLite(t *testing.T) {
	crash(t, storeAt{SQLite: filepath.Join(t.TempDir(), "reservations.db")}, nil)
}

// TestCrashMariaDB kills server and service.
func TestCrashMariaDB(t *testing.T) {
	server := dbtest.StartMariaDB(t)
	crash(t, storeAt{MySQL: server.DSN}, server)
}

// TestCrashRedis kills server and service.
func TestCrashRedis(t *testing.T) {
	server := dbtest.StartRedis(t)
	crash(t, storeAt{Redis: server.Addr}, server)
}

const crashRounds = 4

// crash lets writers hold and confirm while the server and the service are killed at
// random instants. Afterwards everything that was acknowledged must be there.
func crash(t *testing.T, at storeAt, server *dbtest.Server) {
	if testing.Short() {
		t.Skip("crash tests take some seconds")
	}
	at.schedule(t)
	child := startChild(t, at)
	w := startWriters(t, child)
	for round := range crashRounds {
		time.Sleep(200*time.Millisecond + rand.N(400*time.Millisecond))
		killServer, killService := server != nil && round%3 != 1, server == nil || round%3 != 0
		if killService {
			child.kill()
		}
		if killServer {
			server.Kill9()
			time.Sleep(rand.N(100 * time.Millisecond))
			server.Restart()
		}
		if killService {
			child.start()
		}
		w.awaitProgress()
	}
	w.stop()
	child.kill()
	s, err := at.open(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = s.Close() }()
	lost := w.book.verify(t.Context(), s)
	t.Logf("%d holds and %d reservations acknowledged over %d kills, %d answers lost on the way, %d seats refused as taken",
		len(w.book.held), len(w.book.reserved), crashRounds, w.book.unanswered, w.book.taken)
	for _, l := range lost {
		t.Error(l)
	}
	if len(w.book.reserved) == 0 || w.book.unanswered == 0 || w.book.taken == 0 {
		t.Error("the test proved nothing: it needs reservations, kills that hit requests, and seats asked for twice")
	}
}

// TestCrashTestSeesLoss runs the same check on a Redis that keeps nothing: a check that
// stays green here is worth nothing above.
func TestCrashTestSeesLoss(t *testing.T) {
	server := dbtest.StartRedis(t, "--appendonly", "no")
	at := storeAt{Redis: server.Addr, AcceptDataLoss: true}
	at.schedule(t)
	child := startChild(t, at)
	w := startWriters(t, child)
	w.awaitProgress()
	w.stop()
	server.Kill9()
	server.Restart()
	s, err := at.open(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = s.Close() }()
	if lost, wrote := len(w.book.verify(t.Context(), s)), len(w.book.held)+len(w.book.reserved); lost < wrote || wrote == 0 {
		t.Errorf("%d of %d lost writes were noticed", lost, wrote)
	}
}

// TestRedisThatWouldLoseWritesIsRefused starts the service itself: the settings one by
// one are tested where they are checked.
func TestRedisThatWouldLoseWritesIsRefused(t *testing.T) {
	for _, settings := range [][]string{{"--appendonly", "no"}, {"--appendfsync", "everysec"}, {"--maxmemory-policy", "allkeys-lru"}} {
		name := strings.TrimPrefix(strings.Join(settings, " "), "--")
		t.Run(name, func(t *testing.T) {
			at := storeAt{Redis: dbtest.StartRedis(t, settings...).Addr}
			_, err := at.open(t.Context())
			if err == nil || !strings.Contains(err.Error(), name) || !strings.Contains(err.Error(), "CONFIG SET "+strings.TrimPrefix(settings[0], "--")) {
				t.Errorf("got %v", err)
			}
			at.AcceptDataLoss = true
			s, err := at.open(t.Context())
			if err != nil {
				t.Fatalf("told to accept it: %v", err)
			}
			_ = s.Close()
		})
	}
}

// TestMariaDBThatWouldLoseWritesIsRefused changes the setting on a running server.
func TestMariaDBThatWouldLoseWritesIsRefused(t *testing.T) {
	at := storeAt{MySQL: dbtest.StartMariaDB(t).DSN}
	db, err := sql.Open("mysql", at.MySQL)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = db.Close() }()
	if _, err := db.ExecContext(t.Context(), "SET GLOBAL innodb_flush_log_at_trx_commit=2"); err != nil {
		t.Fatal(err)
	}
	_, err = at.open(t.Context())
	if err == nil || !strings.Contains(err.Error(), "innodb_flush_log_at_trx_commit=1") {
		t.Errorf("got %v", err)
	}
}

// crashStoreEnv tells a child process where its store is.
const crashStoreEnv = "BANYAN_TEST_CRASH_STORE"

func storeFromEnv() (at storeAt, ok bool) {
	text := os.Getenv(crashStoreEnv)
	return at, text != "" && json.Unmarshal([]byte(cmp.Or(text, "{}")), &at) == nil
}
