package store_test

import (
	"fmt"
	"sync"
	"testing"

	"banyan/modules/kernel/dbtest"
	"banyan/modules/kernel/idempotency"
	"banyan/modules/reservations/internal/store"
)

// Two processes that sell one flight at once, each on guesses that the other makes wrong,
// refuse nobody: every claim of a free seat succeeds, and so does what follows it.
func TestHotFlightOfTwoProcesses(t *testing.T) {
	db := dbtest.MySQL(t)
	migrate(t, db)
	var processes [2]*store.SQL
	for i := range processes {
		s, err := store.NewSQL(t.Context(), db, store.SQLOptions{Own: true})
		if err != nil {
			t.Fatal(err)
		}
		processes[i] = s
	}
	known := store.Flight{FlightID: flightID, Designator: "9E12", Date: "2026-11-21", Configuration: "A-2.1", Open: true, Seq: 2}
	if err := processes[0].Apply(t.Context(), "flights", 2, nil, []store.Flight{known}); err != nil {
		t.Fatal(err)
	}
	const callers, rows = 16, 8
	var all sync.WaitGroup
	for c := range callers {
		all.Go(func() {
			for row := range rows {
				seat := fmt.Sprintf("%d%c", row+1, 'A'+c)
				if err := sellTwice(t, processes[c%2], seat); err != nil {
					t.Errorf("seat %s: %v", seat, err)
				}
			}
		})
	}
	all.Wait()
	st, err := processes[1].Seats(t.Context(), flightID)
	if err != nil || len(st.Seats) != callers*rows || st.Flight.Version != 2*callers*rows {
		t.Errorf("%d seats in version %d (%v)", len(st.Seats), st.Flight.Version, err)
	}
}

// sellTwice holds a seat and then reserves it, as a hold and its confirmation do.
func sellTwice(t *testing.T, s *store.SQL, seat string) error {
	for _, kind := range []store.Kind{store.Held, store.Reserved} {
		sub := subject(seat)
		sub.CustomerID, sub.Key = "c"+seat, string(kind)+seat
		err := s.Update(t.Context(), sub, func(st store.State) (store.Change, error) {
			return store.Change{
				Put: []string{seat}, As: store.Seat{Kind: kind, Ref: "x" + seat, CustomerID: "c" + seat, ExpiresAt: st.Now + 1e9},
				Record: &idempotency.Record{Fingerprint: "f", Answer: []byte(`{}`), CreatedAt: st.Now}, Event: "sold",
			}, nil
		})
		if err != nil {
			return err
		}
	}
	return nil
}
