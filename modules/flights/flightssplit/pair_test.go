package flightssplit_test

import (
	"context"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"net/http/httptest"
	"slices"
	"sync"
	"testing"
	"time"

	migrations "banyan/migrations/flights"
	"banyan/modules/flights"
	"banyan/modules/flights/flightshttp"
	"banyan/modules/flights/flightslocal"
	"banyan/modules/flights/flightssplit"
	"banyan/modules/flights/flightstest"
	"banyan/modules/kernel/dbtest"
	"banyan/modules/kernel/handover"
	"banyan/modules/kernel/sqldb"
	"banyan/modules/kernel/web"
)

// pair is a split with its sides, and a store that has everything the split has.
type pair struct {
	home, away, whole *flightslocal.Service
	split             *flightssplit.Split
	mu                sync.Mutex
	epoch             int64
}

type opener func(testing.TB) *sqldb.DB

// kinds are the databases of home and away.
func kinds() map[string][2]opener {
	return map[string][2]opener{
		"SQLiteAndSQLite":  {dbtest.SQLite, dbtest.SQLite},
		"MariaDBAndSQLite": {dbtest.MySQL, dbtest.SQLite},
	}
}

func service(t testing.TB, db *sqldb.DB, empty bool) *flightslocal.Service {
	t.Helper()
	m, err := sqldb.NewMigrator(db, migrations.FS)
	if err == nil {
		_, err = m.Up(t.Context())
	}
	if err != nil {
		t.Fatal(err)
	}
	s, err := flightslocal.Open(t.Context(), db, flightslocal.Options{Empty: empty})
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// newPair makes a split whose away answers over HTTP, with the suite's airports at home.
func newPair(t testing.TB, open [2]opener) *pair {
	t.Helper()
	p := &pair{home: service(t, open[0](t), false), away: service(t, open[1](t), true), whole: service(t, dbtest.SQLite(t), false), epoch: 1}
	for _, s := range []*flightslocal.Service{p.home, p.whole} {
		if err := s.PutAirports(t.Context(), flightstest.Airports()); err != nil {
			t.Fatal(err)
		}
	}
	r := web.NewRouter()
	flightshttp.Mount(r, p.away)
	flightshttp.MountSide(r, p.away)
	server := httptest.NewServer(web.RequestIDs(r))
	t.Cleanup(server.Close)
	client := flightshttp.NewClient(server.URL, web.NewTransport(web.TransportOptions{}))
	p.split = flightssplit.New(p.home, client, flightssplit.Options{})
	return p
}

// copyReference lets both sides know what the other has made.
func (p *pair) copyReference(ctx context.Context) error {
	if err := p.away.Copier(p.home).CatchUp(ctx); err != nil {
		return err
	}
	return p.home.Copier(p.away).CatchUp(ctx)
}

// move hands buckets over, as a coordinator does, or gives the error why it cannot.
func (p *pair) move(ctx context.Context, from, to *flightslocal.Service, buckets []int) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.epoch++
	source, target := from.Participant(), to.Participant()
	if err := p.copyReference(ctx); err != nil {
		return err
	}
	for chunk := range slices.Chunk(buckets, handover.MaxBuckets) {
		if err := moveSome(ctx, source, target, p.epoch, chunk); err != nil {
			return err
		}
	}
	return nil
}

func moveSome(ctx context.Context, source, target handover.Participant, epoch int64, buckets []int) error {
	order := func(p handover.Participant, op handover.Op, seqs ...int64) error {
		refused, err := p.Order(ctx, handover.Order{Op: op, Epoch: epoch, Buckets: buckets, Seqs: seqs})
		if len(refused) > 0 {
			return fmt.Errorf("%s refused: %v", op, refused[:1])
		}
		return err
	}
	if err := order(target, handover.Seal); err != nil {
		return err
	}
	if err := order(source, handover.Freeze); err != nil {
		return err
	}
	if err := follows(ctx, source, target); err != nil {
		return err
	}
	seqs := make([]int64, len(buckets))
	if err := source.Export(ctx, epoch, buckets, func(part handover.Part) error {
		seqs[slices.Index(buckets, part.Bucket)] = part.Seq
		refused, err := target.Copy(ctx, epoch, []handover.Part{part})
		if len(refused) > 0 {
			return fmt.Errorf("part refused: %v", refused)
		}
		return err
	}); err != nil {
		return err
	}
	one, err := source.Digest(ctx, epoch, buckets)
	if err != nil {
		return err
	}
	two, err := target.Digest(ctx, epoch, buckets)
	if err != nil || !slices.Equal(one, two) {
		return fmt.Errorf("digests differ (%w)", err)
	}
	if err := order(source, handover.SealSource); err != nil {
		return err
	}
	return order(target, handover.Activate, seqs...)
}

// follows wants the target to know what the source knows.
func follows(ctx context.Context, source, target handover.Participant) error {
	a, err := source.Status(ctx, []int{0})
	if err != nil {
		return err
	}
	b, err := target.Status(ctx, []int{0})
	if err != nil {
		return err
	}
	for name, n := range a.Follows {
		if b.Follows[name] < n {
			return fmt.Errorf("the target knows %s up to %d, the source up to %d", name, b.Follows[name], n)
		}
	}
	return nil
}

// load gives the split and the whole the same flights: the sample, and some that agents
// scheduled, with many equal times and prices.
func (p *pair) load(t *testing.T) {
	t.Helper()
	today := time.Date(2026, 11, 20, 12, 0, 0, 0, time.UTC)
	for _, s := range []*flightslocal.Service{p.home, p.whole} {
		if err := s.LoadSample(t.Context(), today); err != nil {
			t.Fatal(err)
		}
		r := rand.New(rand.NewPCG(5, 5))
		for i := range 120 {
			if _, err := s.Schedule(t.Context(), someFlight(r, i)); err != nil {
				t.Fatal(err)
			}
		}
	}
}

func someFlight(r *rand.Rand, i int) flights.NewFlight {
	codes := []string{"JFK", "ATL", "FRA", "LHR"}
	from := r.IntN(len(codes))
	date := fmt.Sprintf("2026-11-%02d", 20+r.IntN(3))
	f := flights.NewFlight{
		Designator: fmt.Sprintf("%s%d", []string{"AA", "BA", "4U"}[r.IntN(3)], 5000+i), Origin: codes[from],
		Destination: codes[(from+1+r.IntN(len(codes)-1))%len(codes)], Stops: r.IntN(2), Aircraft: []string{"A320", "B789"}[r.IntN(2)],
		Departure: date + fmt.Sprintf("T%02d:00", r.IntN(3)*6), Arrival: date + fmt.Sprintf("T%02d:00", 21+r.IntN(3)),
		Fares: map[flights.Cabin]flights.Money{flights.Economy: {Amount: fmt.Sprintf("%d.00", 1+r.IntN(5)), Currency: []string{"EUR", "USD"}[r.IntN(2)]}},
	}
	return f
}

// compare asks the split and the whole, page by page, and wants the same bytes.
func (p *pair) compare(t *testing.T, c flights.Criteria) (found int) {
	t.Helper()
	for {
		want, err := p.whole.Search(t.Context(), c)
		if err != nil {
			t.Fatal(err)
		}
		got, err := p.split.Search(t.Context(), c)
		if err != nil {
			t.Fatalf("%+v: %v", c, err)
		}
		if g, w := asJSON(t, got), asJSON(t, want); g != w {
			t.Fatalf("%+v: the split answers\n%.2000s\none store\n%.2000s", c, g, w)
		}
		found += len(got.Flights)
		if c.Cursor = got.NextCursor; c.Cursor == "" {
			return found
		}
	}
}

func asJSON(t *testing.T, v any) string {
	t.Helper()
	body, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	return string(body)
}
