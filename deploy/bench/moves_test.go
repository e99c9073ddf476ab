package bench_test

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	proxyschema "banyan/migrations/proxy"
	"banyan/modules/kernel/bucket"
	"banyan/modules/kernel/dbtest"
	kernel "banyan/modules/kernel/handover"
	"banyan/modules/kernel/handover/handoverhttp"
	"banyan/modules/kernel/redisdb"
	"banyan/modules/kernel/sqldb"
	"banyan/modules/kernel/web"
	"banyan/modules/reservations/reservationshttp"
	"banyan/modules/reservations/reservationslocal"
	"banyan/proxy"
	"banyan/proxy/canary"
	"banyan/proxy/handover"
	"banyan/proxy/routes"
	"banyan/proxy/weights"
)

// split is reservations on MariaDB and, extracted, on Redis, behind a router.
type split struct {
	sql     *sqldb.DB // of the monolith's reservations
	journal *sqldb.DB
	redis   *redisdb.DB
	away    *reservationslocal.Service
	router  *proxy.Router
	front   http.Handler
}

const splitRoutes = `version: 1
backends:
  monolith:     { kind: inproc, store: monolith }
  reservations: { kind: http, url: "%s", store: %s, timeout: 10s }
routes:
  - id: reservations
    match: { paths: ["/v1/flights/{flight_id}/holds", "/v1/flights/{flight_id}/reservations"] }
    %s
    backends: { monolith: 100%%, reservations: 0%% }
`

const stateful = `stateful: { aggregate: ["path:flight_id"], participant: reservations }`

// newSplit makes the system with the benchmark's flights, or without any.
func newSplit(b *testing.B, flights bool) *split {
	b.Helper()
	s := &split{sql: dbtest.MySQL(b), journal: dbtest.MySQL(b)}
	monolith := onSQL(b, s.sql)
	var err error
	if s.redis, err = redisdb.Open(b.Context(), redisdb.Options{Addrs: dbtest.RedisAddr(b)}); err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { _ = s.redis.Close() })
	if s.away, err = reservationslocal.NewRedis(b.Context(), s.redis, reservationslocal.Options{Namespace: dbtest.Namespace()}); err != nil {
		b.Fatal(err)
	}
	if flights {
		for _, svc := range []*reservationslocal.Service{monolith, s.away} {
			if err := svc.Feed("bench", schedule{}).CatchUp(b.Context(), nil); err != nil {
				b.Fatal(err)
			}
		}
	}
	extracted := web.NewRouter()
	reservationshttp.Mount(extracted, s.away)
	handoverhttp.Mount(extracted, "reservations", s.away.Participant(), "")
	service := httptest.NewServer(extracted)
	b.Cleanup(service.Close)
	migrateProxy(b, s.journal)
	s.router = s.route(b, monolith, fmt.Sprintf(splitRoutes, service.URL, "own", stateful))
	s.front = web.RequestIDs(s.router)
	ctx, cancel := context.WithCancel(context.Background())
	var running sync.WaitGroup
	running.Go(func() { s.router.Run(ctx) })
	b.Cleanup(func() { cancel(); running.Wait() })
	return s
}

func migrateProxy(b *testing.B, db *sqldb.DB) {
	b.Helper()
	m, err := sqldb.NewMigrator(db, proxyschema.FS)
	if err == nil {
		_, err = m.Up(b.Context())
	}
	if err != nil {
		b.Fatal(err)
	}
}

// route makes a router over the monolith's service.
func (s *split) route(b *testing.B, svc *reservationslocal.Service, file string) *proxy.Router {
	b.Helper()
	path := filepath.Join(b.TempDir(), "routes.yaml")
	if err := os.WriteFile(path, []byte(file), 0o600); err != nil {
		b.Fatal(err)
	}
	config, err := routes.Load(path)
	if err != nil {
		b.Fatal(err)
	}
	module := web.NewRouter()
	reservationshttp.Mount(module, svc)
	router, err := proxy.New(b.Context(), proxy.Options{
		Config: config, Modules: map[string]http.Handler{routes.Monolith: module}, Weights: weights.New(s.journal),
		Handover: proxy.Handover{Journal: s.journal, Participants: map[string]kernel.Participant{"reservations": svc.Participant()}},
	})
	if err != nil {
		b.Fatal(err)
	}
	return router
}

// shift asks for a weight and waits until the buckets have moved.
func (s *split) shift(b *testing.B, to canary.Weight) time.Duration {
	b.Helper()
	begun := time.Now()
	_, err := s.router.Apply(b.Context(), proxy.Order{
		Route: "reservations", Action: proxy.Set, Weights: weights.Weights{"reservations": to}, Reason: "bench", Actor: "bench",
	})
	if err != nil {
		b.Fatal(err)
	}
	for s.owned(b) != int(to) {
		if time.Since(begun) > 20*time.Minute {
			b.Fatal("the buckets do not arrive")
		}
		time.Sleep(20 * time.Millisecond)
	}
	return time.Since(begun)
}

// owned counts what the journal gives to the extracted side.
func (s *split) owned(b *testing.B) int {
	b.Helper()
	var n int
	err := s.journal.Reader().GetContext(b.Context(), &n, "SELECT COUNT(*) FROM handover_buckets WHERE owner='reservations' AND phase='idle'")
	if err != nil {
		b.Fatal(err)
	}
	return n
}

// holdVia holds seats over HTTP through a router, as clients do.
func holdVia(front http.Handler) func(context.Context, int) error {
	return func(ctx context.Context, n int) error {
		flight, seat := place(n)
		body := fmt.Sprintf(`{"seats":[%q],"customer_id":"c-%d"}`, seat, n)
		r := httptest.NewRequestWithContext(ctx, http.MethodPost, "/v1/flights/"+flight+"/holds", bytes.NewReader([]byte(body)))
		r.Header.Set("Content-Type", "application/json")
		r.Header.Set("Idempotency-Key", fmt.Sprint("k-", n))
		w := httptest.NewRecorder()
		front.ServeHTTP(w, r)
		if w.Code != http.StatusCreated {
			return fmt.Errorf("hold %d: %d %s", n, w.Code, w.Body)
		}
		return nil
	}
}

// BenchmarkMoveEmpty moves ten thousand buckets without data.
func BenchmarkMoveEmpty(b *testing.B) {
	for b.Loop() {
		s := newSplit(b, false)
		took := s.shift(b, canary.Full).Seconds()
		b.ReportMetric(took, "s")
		report(b, took, "<= 10 s", took <= 10)
	}
}

// BenchmarkHoldMovable holds through a route whose data can move, against a route whose
// data cannot.
func BenchmarkHoldMovable(b *testing.B) {
	s := newSplit(b, true)
	svc := onSQLAgain(b, s.sql)
	plain := web.RequestIDs(s.route(b, svc, fmt.Sprintf(splitRoutes, "http://127.0.0.1:1", "monolith", "")))
	contest{base: holdVia(plain), product: holdVia(s.front), atLeast: 0.95}.run(b)
}

// onSQLAgain is another service on a database that is in use.
func onSQLAgain(b *testing.B, db *sqldb.DB) *reservationslocal.Service {
	b.Helper()
	svc, err := reservationslocal.NewSQL(b.Context(), db, reservationslocal.Options{})
	if err != nil {
		b.Fatal(err)
	}
	return svc
}

// BenchmarkMoveMillion moves BANYAN_BENCH_RESERVATIONS reservations, by default a
// million, while others book, and compares with a bare copy of the same rows.
func BenchmarkMoveMillion(b *testing.B) {
	n := 1_000_000
	if text := os.Getenv("BANYAN_BENCH_RESERVATIONS"); text != "" {
		n, _ = strconv.Atoi(text)
	}
	for b.Loop() {
		s := newSplit(b, true)
		s.fill(b, n)
		bookings := s.book(b, n)
		time.Sleep(turn)
		before := bookings.rate(5 * time.Second)
		bare := s.bareCopy(b)
		bookings.reset()
		took := s.shift(b, canary.Full)
		during := float64(bookings.done.Load()) / took.Seconds()
		bookings.stop(b)
		pauses := s.pauses(b)
		b.ReportMetric(took.Seconds(), "s")
		b.ReportMetric(bare.Seconds(), "bare-s")
		b.ReportMetric(before, "before/s")
		b.ReportMetric(during, "during/s")
		p99 := pauses[len(pauses)*99/100]
		report(b, took.Seconds()/bare.Seconds(), "<= 3 x bare copy", took <= 3*bare)
		report(b, p99.Seconds()*1000, "p99 pause <= 50 ms", p99 <= 50*time.Millisecond)
		longest := pauses[len(pauses)-1]
		report(b, longest.Seconds()*1000, "pause <= 500 ms", longest <= 500*time.Millisecond)
		report(b, during/before, "bookings >= 0.80", during >= 0.8*before)
	}
}

// pauses gives those of all moves, sorted.
func (s *split) pauses(b *testing.B) []time.Duration {
	b.Helper()
	var list []time.Duration
	for before := int64(0); ; {
		page, err := handover.NewJournal(s.journal, "reservations").Moves(b.Context(), before, 100)
		if err != nil {
			b.Fatal(err)
		}
		if len(page) == 0 {
			slices.Sort(list)
			return list
		}
		for _, m := range page {
			list = append(list, m.Pause)
		}
		before = page[len(page)-1].ID
	}
}

// load is callers that book, each after a moment's thought: as customers do, they leave the
// machine room to move data. What is measured is how much moves disturb them.
type load struct {
	done   atomic.Int64
	cancel context.CancelFunc
	all    sync.WaitGroup
	err    atomic.Pointer[error]
}

const (
	bookers = 8
	thought = 20 * time.Millisecond
)

// book holds seats from number first on.
func (s *split) book(b *testing.B, first int) *load {
	b.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	l := &load{cancel: cancel}
	var next atomic.Int64
	next.Store(int64(first))
	hold := holdVia(s.front)
	for range bookers {
		l.all.Go(func() {
			for ctx.Err() == nil {
				if err := hold(context.Background(), int(next.Add(1))); err != nil {
					l.err.CompareAndSwap(nil, &err)
					return
				}
				l.done.Add(1)
				time.Sleep(thought)
			}
		})
	}
	return l
}

func (l *load) reset() { l.done.Store(0) }

func (l *load) rate(d time.Duration) float64 {
	l.reset()
	time.Sleep(d)
	return float64(l.done.Load()) / d.Seconds()
}

func (l *load) stop(b *testing.B) {
	b.Helper()
	l.cancel()
	l.all.Wait()
	if err := l.err.Load(); err != nil {
		b.Errorf("a booking failed: %v", *err)
	}
}

const rowsAtOnce = 1000

// fill sells n seats the quick way: rows, without the service.
func (s *split) fill(b *testing.B, n int) {
	b.Helper()
	now := time.Now().UnixMicro()
	for first := 0; first < n; first += rowsAtOnce {
		var seats, reservations []any
		count := min(rowsAtOnce, n-first)
		for i := range count {
			flight, seat := place(first + i)
			home, customer := bucket.Of(flight), fmt.Sprint("c-", first+i)
			id := bucket.NewID(bucket.ReservationPrefix, home)
			seats = append(seats, home, flight, seat, "R", id, customer, 0)
			reservations = append(reservations, id, flight, customer, seat, "CONFIRMED", now, "", "")
		}
		s.insert(b, "seats(bucket,flight_id,seat,kind,ref,customer_id,expires_at)", count, 7, seats)
		s.insert(b, "reservations(reservation_id,flight_id,customer_id,seats,status,created_at,hold_id,related)", count, 8, reservations)
	}
	for first := 0; first < flightCount; first += rowsAtOnce {
		var events []any
		for i := range rowsAtOnce {
			flight := flightID(first + i)
			events = append(events, bucket.Of(flight), flight, n/flightCount+1, 1, "sold", "", now)
		}
		s.insert(b, "events(bucket,flight_id,version,epoch,type,ref,created_at)", rowsAtOnce, 7, events)
	}
}

func (s *split) insert(b *testing.B, into string, rows, width int, args []any) {
	b.Helper()
	if _, err := s.sql.Writer().ExecContext(b.Context(), "INSERT INTO "+into+" VALUES "+sqldb.Marks(rows, width), args...); err != nil {
		b.Fatal(err)
	}
}

// bareCopy reads seats and reservations and writes them to Redis, and nothing else.
func (s *split) bareCopy(b *testing.B) time.Duration {
	b.Helper()
	begun := time.Now()
	s.copyTable(b, "SELECT reservation_id,flight_id,customer_id,seats,status,created_at FROM reservations", "res", 6)
	s.copyTable(b, "SELECT CONCAT(flight_id,'/',seat),flight_id,kind,ref,customer_id,expires_at FROM seats", "seat", 6)
	return time.Since(begun)
}

func (s *split) copyTable(b *testing.B, query, kind string, columns int) {
	b.Helper()
	rows, err := s.sql.Reader().QueryContext(b.Context(), query)
	if err != nil {
		b.Fatal(err)
	}
	defer func() { _ = rows.Close() }()
	values, dest := make([]string, columns), make([]any, columns)
	for i := range values {
		dest[i] = &values[i]
	}
	pipe := s.redis.Pipeline()
	for rows.Next() {
		if err := rows.Scan(dest...); err != nil {
			b.Fatal(err)
		}
		record, _ := json.Marshal(values[1:])
		pipe.HSet(b.Context(), "bare:"+kind+":"+strconv.Itoa(bucket.Of(values[1])), values[0], record)
		if pipe.Len() == rowsAtOnce {
			if _, err := pipe.Exec(b.Context()); err != nil {
				b.Fatal(err)
			}
		}
	}
	if _, err := pipe.Exec(b.Context()); err != nil || rows.Err() != nil {
		b.Fatal(err, rows.Err())
	}
}
