package redisstore_test

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"banyan/modules/kernel/bucket"
	"banyan/modules/kernel/dbtest"
	"banyan/modules/kernel/idempotency"
	"banyan/modules/kernel/redisdb"
	"banyan/modules/reservations/internal/redisstore"
	"banyan/modules/reservations/internal/store"
)

// TestEveryVersionHasAnEvent: what made a version is kept with the answer that it gave, or
// by itself if nothing is answered, and the answer comes back.
func TestEveryVersionHasAnEvent(t *testing.T) {
	addr, ns := dbtest.RedisAddr(t), dbtest.Namespace()
	s := open(t, addr, redisstore.Options{Namespace: ns, Own: true})
	f := flight(1, 1)
	apply(t, s, 1, f)
	for n, answer := range []string{`{"n":1}`, "", `{"n":3}`} {
		sub, decide := claim(f, "ann", fmt.Sprint("h", n), fmt.Sprintf("%dA", n+1), time.Minute)
		update(t, s, sub, func(st store.State) (store.Change, error) {
			c, err := decide(st)
			if c.Record = nil; answer != "" {
				c.Record = &idempotency.Record{CreatedAt: st.Now, Answer: []byte(answer)}
			}
			return c, err
		})
		if r := read(t, s, sub).Recorded; answer != "" && (r == nil || string(r.Answer) != answer) {
			t.Errorf("%s came back as %+v", answer, r)
		}
	}
	db, err := redisdb.Open(t.Context(), redisdb.Options{Addrs: addr})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = db.Close() })
	day, err := db.HGetAll(t.Context(), ns+":"+redisdb.Tag(bucket.Of(f.FlightID))+":day").Result()
	if err != nil {
		t.Fatal(err)
	}
	maps.DeleteFunc(day, func(field, _ string) bool { return field[0] == 'h' })
	tail := func(n, version int) string {
		return fmt.Sprintf("4:held2:h%d%d:%s1:%d", n, len(f.FlightID), f.FlightID, version)
	}
	want := map[string]string{"ikey-h0": tail(0, 1), "e" + f.FlightID + " 2": "4:held2:h1", "ikey-h2": tail(2, 3)}
	for field, end := range want {
		if !strings.HasSuffix(day[field], end) {
			t.Errorf("%s is %q, want %q at its end", field, day[field], end)
		}
	}
	if len(day) != len(want) {
		t.Errorf("kept %q", slices.Sorted(maps.Keys(day)))
	}
}

// TestFenceOfAnotherEpoch: a decision that was made before a bucket went away and came back
// is made again.
func TestFenceOfAnotherEpoch(t *testing.T) {
	addr, ns := dbtest.RedisAddr(t), dbtest.Namespace()
	s := open(t, addr, redisstore.Options{Namespace: ns, Own: true})
	f := flight(1, 1)
	apply(t, s, 1, f)
	sub, decide := claim(f, "ann", "h1", "1A", time.Minute)
	sub.Key = "" // never decided on a guess
	decided := 0
	update(t, s, sub, func(st store.State) (store.Change, error) {
		if decided++; decided == 1 {
			setFence(t, addr, ns, sub.Bucket, "active 3")
		}
		c, err := decide(st)
		c.Record = nil
		return c, err
	})
	if decided != 2 {
		t.Errorf("decided %d times", decided)
	}
}
