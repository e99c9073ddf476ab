package store_test

import (
	"fmt"
	"sync"
	"sync/atomic"
	"testing"

	"banyan/modules/kernel/bucket"
	"banyan/modules/kernel/dbtest"
	"banyan/modules/kernel/errs"
	"banyan/modules/kernel/handover"
	"banyan/modules/kernel/idempotency"
	"banyan/modules/kernel/sqldb"
	"banyan/modules/reservations/internal/records"
	"banyan/modules/reservations/internal/store"
)

// Many write while their buckets are frozen: what was acknowledged is in the export, and
// what was refused is not.
func TestFreezeAmongManyWriters(t *testing.T) {
	for name, database := range map[string]func(testing.TB) *sqldb.DB{"SQLite": dbtest.SQLite, "MariaDB": dbtest.MySQL} {
		t.Run(name, func(t *testing.T) {
			flights := flightIDs(20)
			p := open(t, database(t), true, flights)
			var acked, refused sync.Map
			var writes atomic.Int64
			half := make(chan struct{})
			var done sync.WaitGroup
			for i := range 200 {
				done.Go(func() {
					for n := range 10 {
						if writes.Add(1) == 600 {
							close(half)
						}
						key := fmt.Sprintf("k%d-%d", i, n)
						switch err := tryHold(t, p.s, flights[(i+n)%len(flights)], key); {
						case err == nil:
							acked.Store(key, true)
						case errs.CodeOf(err) == errs.Misdirected:
							refused.Store(key, true)
						default:
							t.Errorf("%s: %v", key, err)
						}
					}
				})
			}
			<-half
			buckets := bucketsOf(flights)
			if err := <-freeze(t, p, 2, buckets...); err != nil {
				t.Fatal(err)
			}
			before, err := p.Digest(t.Context(), 2, buckets)
			if err != nil {
				t.Fatal(err)
			}
			done.Wait()
			found := exported(t, p, 2, buckets)
			check(t, &acked, &refused, found)
			if after, err := p.Digest(t.Context(), 2, buckets); err != nil || fmt.Sprint(after) != fmt.Sprint(before) {
				t.Errorf("something changed after the freeze (%v)", err)
			}
		})
	}
}

// tryHold holds a seat of its own with a key, which is also the hold's customer.
func tryHold(t *testing.T, s store.Store, flight, key string) error {
	b := bucket.Of(flight)
	h := store.Hold{HoldID: bucket.NewID(bucket.HoldPrefix, b), FlightID: flight, CustomerID: key, Seats: []string{"1A"}, Status: "HELD"}
	return s.Update(t.Context(), store.Subject{Bucket: b, FlightID: flight, Seats: h.Seats, CustomerID: key, Key: key},
		func(st store.State) (store.Change, error) {
			return store.Change{
				Put: []string{"1A"}, As: store.Seat{Kind: store.Held, Ref: h.HoldID, CustomerID: key, ExpiresAt: st.Now + 1e9},
				Hold: &h, Event: "held", Record: &idempotency.Record{Fingerprint: "f", Answer: []byte(`{}`)},
			}, nil
		})
}

// exported are the keys that have an answer, a hold, or both.
func exported(t *testing.T, p handover.Participant, epoch int64, buckets []int) map[string]int {
	t.Helper()
	found := map[string]int{}
	for _, part := range export(t, p, epoch, buckets) {
		for _, line := range part.Records {
			r, err := records.Decode(line)
			if err != nil {
				t.Fatal(err)
			}
			switch r := r.(type) {
			case records.Answer:
				found[r.Key]++
			case records.Hold:
				found[r.CustomerID]++
			}
		}
	}
	return found
}

func check(t *testing.T, acked, refused *sync.Map, found map[string]int) {
	t.Helper()
	yes, no := 0, 0
	acked.Range(func(key, _ any) bool {
		if yes++; found[key.(string)] != 2 {
			t.Errorf("%s was acknowledged, and %d of 2 records are there", key, found[key.(string)])
		}
		return true
	})
	refused.Range(func(key, _ any) bool {
		if no++; found[key.(string)] != 0 {
			t.Errorf("%s was refused, and %d records are there", key, found[key.(string)])
		}
		return true
	})
	if yes == 0 || no == 0 || len(found) != yes {
		t.Errorf("%d writes acknowledged, %d refused, %d found: the freeze was not among them", yes, no, len(found))
	}
}

// An export that an abort overtakes gives what there was, or is refused.
func TestExportIsOfOneMoment(t *testing.T) {
	flights := flightIDs(1)
	b := bucket.Of(flights[0])
	for name, database := range map[string]func(testing.TB) *sqldb.DB{"SQLite": dbtest.SQLite, "MariaDB": dbtest.MySQL} {
		t.Run(name, func(t *testing.T) {
			p := open(t, database(t), true, flights)
			for epoch := int64(2); epoch < 100; epoch += 2 {
				if err := tryHold(t, p.s, flights[0], fmt.Sprintf("k%d", epoch)); err != nil {
					t.Fatal(err)
				}
				give(t, p, handover.Freeze, epoch, []int{b})
				before, err := p.Digest(t.Context(), epoch, []int{b})
				if err != nil {
					t.Fatal(err)
				}
				var done sync.WaitGroup
				for range 4 {
					done.Go(func() {
						after, err := p.Digest(t.Context(), epoch, []int{b})
						if err == nil && after[0] != before[0] || err != nil && errs.CodeOf(err) != errs.Misdirected {
							t.Errorf("epoch %d: digest %v, was %v (%v)", epoch, after, before, err)
						}
					})
				}
				give(t, p, handover.Reactivate, epoch+1, []int{b})
				if err := tryHold(t, p.s, flights[0], fmt.Sprintf("l%d", epoch)); err != nil {
					t.Error(err)
				}
				done.Wait()
			}
		})
	}
}
