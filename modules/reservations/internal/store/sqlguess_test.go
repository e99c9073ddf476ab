package store_test

import (
	"slices"
	"testing"
	"time"

	"banyan/modules/kernel/bucket"
	"banyan/modules/kernel/errs"
	"banyan/modules/kernel/idempotency"
	"banyan/modules/kernel/sqldb"
	"banyan/modules/reservations/internal/store"
)

// guessable is a claim whose state may be guessed once the flight has been seen.
func guessable() store.Subject {
	sub := subject("1A")
	sub.Key, sub.CustomerID = "key", "ann"
	return sub
}

func holdFor(st store.State) store.Change {
	return store.Change{
		Put: []string{"1A"}, As: store.Seat{Kind: store.Held, Ref: "h1", CustomerID: "ann", ExpiresAt: st.Now + 1e9},
		Record: &idempotency.Record{Fingerprint: "f", Answer: []byte(`{}`), CreatedAt: st.Now}, Event: "held",
	}
}

// A right guess is decided upon once, and its outcome is like any other's.
func TestGuessThatIsRight(t *testing.T) {
	each(t, func(t *testing.T, _ *sqldb.DB, s *store.SQL) {
		if _, err := s.Read(t.Context(), subject()); err != nil {
			t.Fatal(err)
		}
		decisions := 0
		err := s.Update(t.Context(), guessable(), func(st store.State) (store.Change, error) {
			decisions++
			return holdFor(st), nil
		})
		if err != nil || decisions != 1 {
			t.Fatalf("%d decisions (%v)", decisions, err)
		}
		st, err := s.Read(t.Context(), guessable())
		if err != nil || st.Flight.Version != 1 || st.Seats["1A"].Ref != "h1" || st.Recorded == nil || st.HeldSeats != 1 {
			t.Errorf("afterwards there is %+v (%v)", st, err)
		}
	})
}

// A claim that was written is the next one's guess.
func TestGuessAfterAGuess(t *testing.T) {
	each(t, func(t *testing.T, _ *sqldb.DB, s *store.SQL) {
		if _, err := s.Read(t.Context(), subject()); err != nil {
			t.Fatal(err)
		}
		var first []int64 // versions that claims were first decided on
		for _, seat := range []string{"1A", "1B", "2A"} {
			sub, decisions := subject(seat), 0
			sub.Key, sub.CustomerID = "key "+seat, "c "+seat
			err := s.Update(t.Context(), sub, func(st store.State) (store.Change, error) {
				if decisions++; decisions == 1 {
					first = append(first, st.Flight.Version)
				}
				return store.Change{
					Put: []string{seat}, As: store.Seat{Kind: store.Held, Ref: "h" + seat, CustomerID: sub.CustomerID, ExpiresAt: st.Now + 1e9},
					Record: &idempotency.Record{Fingerprint: "f", Answer: []byte(`{}`), CreatedAt: st.Now}, Event: "held",
				}, nil
			})
			if err == nil && decisions > 1 { // the machine was too slow for the guess
				_, err = s.Read(t.Context(), subject())
			}
			if err != nil {
				t.Fatal(err)
			}
		}
		if !slices.Equal(first, []int64{0, 1, 2}) {
			t.Errorf("decided on versions %v", first)
		}
	})
}

// Whatever of a guess is wrong, the decision that counts is made on the truth.
func TestGuessThatIsWrong(t *testing.T) {
	b := bucket.Of(flightID)
	seat := "INSERT INTO seats(bucket,flight_id,seat,kind,ref,customer_id,expires_at) VALUES(?,?,?,?,?,?,?)"
	event := "INSERT INTO events(bucket,flight_id,version,epoch,type,ref,created_at,request_key,fingerprint,answer) VALUES(?,?,?,1,'t','',1,?,'f','{}')"
	later := time.Now().Add(time.Hour).UnixMicro()
	for _, c := range []struct {
		wrong string
		query string
		args  []any
		true  func(store.State) bool
	}{
		{"the seat is taken", seat, []any{b, flightID, "1A", "R", "r1", "bob", 0}, func(st store.State) bool { return st.Seats["1A"].Ref == "r1" }},
		{"an expired hold is there", seat, []any{b, flightID, "1A", "H", "h0", "bob", 5}, func(st store.State) bool { return st.Seats["1A"].Ref == "h0" }},
		{"the customer holds another", seat, []any{b, flightID, "1B", "H", "h0", "ann", later}, func(st store.State) bool { return st.HeldSeats == 1 }},
		{"the key is known", event, []any{b, "another", 1, "key"}, func(st store.State) bool { return st.Recorded != nil }},
		{"the flight is cancelled", "UPDATE flights SET is_open=0,seq=seq+1 WHERE flight_id=?", []any{flightID}, func(st store.State) bool { return !st.Flight.Open }},
		{"the bucket came back", "UPDATE fences SET epoch=epoch+2 WHERE bucket=?", []any{b}, func(store.State) bool { return true }},
	} {
		t.Run(c.wrong, func(t *testing.T) {
			each(t, func(t *testing.T, db *sqldb.DB, s *store.SQL) {
				meet(t, s, func() { exec(t, db, c.query, c.args...) }, c.true)
			})
		})
	}
	t.Run("the time is over", func(t *testing.T) {
		each(t, func(t *testing.T, _ *sqldb.DB, s *store.SQL) {
			meet(t, s, func() { time.Sleep(60 * time.Millisecond) }, func(store.State) bool { return true })
		})
	})
}

// Others have written to the flight since, but nothing that the claim rests on: the next
// version is the claim's, which SQLite finds without another decision.
func TestGuessOfAnOldVersion(t *testing.T) {
	each(t, func(t *testing.T, db *sqldb.DB, s *store.SQL) {
		if _, err := s.Read(t.Context(), subject()); err != nil {
			t.Fatal(err)
		}
		decisions, want := 0, 2
		if db.Dialect() == sqldb.SQLite {
			want = 1
		}
		err := s.Update(t.Context(), guessable(), func(st store.State) (store.Change, error) {
			if decisions++; decisions == 1 {
				exec(t, db, "INSERT INTO events(bucket,flight_id,version,epoch,type,ref,created_at) VALUES(?,?,1,1,'t','',1)", bucket.Of(flightID), flightID)
			}
			return holdFor(st), nil
		})
		if err != nil || decisions != want {
			t.Errorf("%d decisions (%v)", decisions, err)
		}
		st, err := s.Read(t.Context(), guessable())
		if err != nil || st.Flight.Version != 2 || st.Seats["1A"].Ref != "h1" {
			t.Errorf("afterwards there is %+v of %+v (%v)", st, st.Flight, err)
		}
	})
}

// meet lets something happen after the first decision, and wants a second one.
func meet(t *testing.T, s *store.SQL, meanwhile func(), isTrue func(store.State) bool) {
	t.Helper()
	if _, err := s.Read(t.Context(), subject()); err != nil {
		t.Fatal(err)
	}
	refuse := errs.E(errs.SeatTaken, "no")
	decisions := 0
	err := s.Update(t.Context(), guessable(), func(st store.State) (store.Change, error) {
		if decisions++; decisions == 1 {
			meanwhile()
			return holdFor(st), nil
		}
		if !isTrue(st) {
			t.Errorf("decided again on %+v of %+v", st, st.Flight)
		}
		return store.Change{}, refuse
	})
	if decisions < 2 || errs.CodeOf(err) != errs.SeatTaken {
		t.Errorf("%d decisions (%v)", decisions, err)
	}
	st, err := s.Seats(t.Context(), flightID)
	if err != nil || st.Seats["1A"].Ref == "h1" {
		t.Errorf("the guess was written: %+v (%v)", st, err)
	}
}

// A bucket that closed is told to the caller, whatever was guessed.
func TestGuessOfAClosedBucket(t *testing.T) {
	each(t, func(t *testing.T, db *sqldb.DB, s *store.SQL) {
		if _, err := s.Read(t.Context(), subject()); err != nil {
			t.Fatal(err)
		}
		exec(t, db, "UPDATE fences SET mode='ro' WHERE bucket=?", bucket.Of(flightID)) // the epoch as it was
		err := s.Update(t.Context(), guessable(), func(st store.State) (store.Change, error) { return holdFor(st), nil })
		if errs.CodeOf(err) != errs.Misdirected {
			t.Errorf("it was answered %v", err)
		}
	})
}
