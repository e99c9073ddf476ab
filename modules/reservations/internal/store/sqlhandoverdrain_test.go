package store_test

import (
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/jmoiron/sqlx"

	"banyan/modules/kernel/bucket"
	"banyan/modules/kernel/dbtest"
	"banyan/modules/kernel/errs"
	"banyan/modules/kernel/handover"
	"banyan/modules/kernel/handover/handoversql"
	"banyan/modules/kernel/idempotency"
	"banyan/modules/kernel/sqldb"
	"banyan/modules/reservations/internal/store"
)

// waiting polls the server until a transaction with such a statement waits for a lock,
// and gives the statement.
func waiting(t *testing.T, db *sqldb.DB, like string) string {
	t.Helper()
	for range 60 {
		var found []string
		err := db.Reader().SelectContext(t.Context(), &found, "SELECT COALESCE(trx_query,'') FROM information_schema.innodb_trx"+
			" WHERE trx_state='LOCK WAIT' AND trx_query LIKE ? AND trx_mysql_thread_id IN (SELECT id FROM information_schema.processlist WHERE db=DATABASE())", like)
		if err != nil {
			t.Fatal(err)
		}
		if len(found) > 0 {
			return found[0]
		}
		time.Sleep(150 * time.Millisecond) // the server renews this view every 100 ms
	}
	t.Fatalf("nobody waits with %s", like)
	return ""
}

const waitsForFence = "SELECT bucket,epoch,mode,seq FROM fences%FOR UPDATE%"

// blockSeat writes a seat and does not commit, so that a writer of it stops after it has
// read its fence and before it commits.
func blockSeat(t *testing.T, db *sqldb.DB, flight string) *sqlx.Tx {
	t.Helper()
	blocker, err := db.Writer().BeginTxx(t.Context(), nil)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = blocker.Rollback() })
	if _, err := blocker.ExecContext(t.Context(), "INSERT INTO seats(bucket,flight_id,seat,kind,ref,customer_id,expires_at) VALUES(?,?,'1A','H','x','',1)",
		bucket.Of(flight), flight); err != nil {
		t.Fatal(err)
	}
	return blocker
}

// freeze gives the order in the background.
func freeze(t *testing.T, p handover.Participant, epoch int64, buckets ...int) chan error {
	done := make(chan error, 1)
	go func() {
		refused, err := p.Order(t.Context(), handover.Order{Op: handover.Freeze, Epoch: epoch, Buckets: buckets})
		if len(refused) > 0 {
			err = fmt.Errorf("refused: %v", refused)
		}
		done <- err
	}()
	return done
}

// notYet wants an order not to be through.
func notYet(t *testing.T, done chan error) {
	t.Helper()
	select {
	case err := <-done:
		t.Fatalf("frozen while a write was under way (%v)", err)
	default:
	}
}

// lateWrite wants a write after the freeze refused, and to leave nothing behind.
func lateWrite(t *testing.T, p side, epoch int64, flight string) {
	t.Helper()
	before, err := p.Digest(t.Context(), epoch, []int{bucket.Of(flight)})
	if err != nil || before[0].Records == 0 {
		t.Fatalf("digest %v (%v)", before, err)
	}
	sub := store.Subject{Bucket: bucket.Of(flight), FlightID: flight, Seats: []string{"9F"}, Key: "late"}
	err = p.s.Update(t.Context(), sub, func(st store.State) (store.Change, error) {
		c, _ := block("9F")(st)
		c.Record = &idempotency.Record{Fingerprint: "f", Answer: []byte(`{}`)}
		return c, nil
	})
	if errs.CodeOf(err) != errs.Misdirected {
		t.Errorf("a write after the freeze: %v", err)
	}
	after, err := p.Digest(t.Context(), epoch, []int{bucket.Of(flight)})
	if err != nil || after[0] != before[0] {
		t.Errorf("it left something behind: %v, was %v (%v)", after, before, err)
	}
}

func TestFreezeWaitsForAWriteUnderWay(t *testing.T) {
	answered := func(st store.State) (store.Change, error) {
		c, err := block("1A")(st)
		c.Record = &idempotency.Record{Fingerprint: "f", Answer: []byte(`{}`)}
		return c, err
	}
	for name, decide := range map[string]func(store.State) (store.Change, error){"read": block("1A"), "guessed": answered} {
		t.Run(name, func(t *testing.T) {
			flights := flightIDs(1)
			p := open(t, dbtest.MySQL(t), true, flights)
			if _, err := p.s.Seats(t.Context(), flights[0]); err != nil { // or there would be nothing to guess with
				t.Fatal(err)
			}
			blocker := blockSeat(t, p.db, flights[0])
			wrote := make(chan error, 1)
			go func() { wrote <- p.s.Update(t.Context(), claim(flights[0]), decide) }()
			waiting(t, p.db, "INSERT INTO%") // a guess looks at the seats before it writes
			frozen := freeze(t, p, 2, bucket.Of(flights[0]))
			waiting(t, p.db, waitsForFence)
			notYet(t, frozen)
			if err := blocker.Rollback(); err != nil {
				t.Fatal(err)
			}
			if err := <-wrote; err != nil {
				t.Errorf("the write under way: %v", err)
			}
			if err := <-frozen; err != nil {
				t.Fatal(err)
			}
			if st := state(t, p.s, flights[0]); st.Seats["1A"].Kind != store.Blocked || st.Flight.Version != 1 {
				t.Errorf("the write under way left %+v in version %d", st.Seats, st.Flight.Version)
			}
			lateWrite(t, p, 2, flights[0])
		})
	}
}

// keyless is a claim whose state is read: with a key it would be guessed.
func keyless(id string) store.Subject {
	sub := claim(id)
	sub.Key = ""
	return sub
}

// Claims that were combined hold the fences of all of them.
func TestFreezeWaitsForCombinedWrites(t *testing.T) {
	flights := flightIDs(12)
	p := open(t, dbtest.MySQL(t), true, flights)
	stopped := flights[0]
	blocker := blockSeat(t, p.db, stopped)
	// Two claims keep the combiner busy, so that the others come together.
	release := make(chan struct{})
	var done sync.WaitGroup
	var deciding sync.WaitGroup
	deciding.Add(2)
	for _, id := range flights[10:] {
		once := sync.OnceFunc(deciding.Done)
		done.Go(func() {
			if err := p.s.Update(t.Context(), keyless(id), func(st store.State) (store.Change, error) {
				once()
				<-release
				return block("1A")(st)
			}); err != nil {
				t.Error(err)
			}
		})
		time.Sleep(100 * time.Millisecond) // else the two are one batch; the check below tells
	}
	for _, id := range flights[:10] {
		done.Go(func() {
			if err := p.s.Update(t.Context(), keyless(id), block("1A")); err != nil {
				t.Error(err)
			}
		})
	}
	time.Sleep(300 * time.Millisecond)
	deciding.Wait()
	close(release)
	statement := waiting(t, p.db, "INSERT INTO seats%")
	other := ""
	for _, id := range flights[1:10] {
		if strings.Contains(statement, "'"+id+"'") && bucket.Of(id) != bucket.Of(stopped) {
			other = id
		}
	}
	if other == "" {
		t.Fatalf("the claims did not come together: %s", statement)
	}
	frozen := freeze(t, p, 2, bucket.Of(other))
	waiting(t, p.db, waitsForFence)
	notYet(t, frozen)
	if err := blocker.Commit(); err != nil {
		t.Fatal(err)
	}
	done.Wait()
	if err := <-frozen; err != nil {
		t.Fatal(err)
	}
	if st := state(t, p.s, other); st.Seats["1A"].Kind != store.Blocked || st.Flight.Version != 1 {
		t.Errorf("the write under way left %+v in version %d", st.Seats, st.Flight.Version)
	}
	lateWrite(t, p, 2, other)
}

func TestFreezeWaitsForSQLitesWriter(t *testing.T) {
	flights := flightIDs(1)
	p := open(t, dbtest.SQLite(t), true, flights)
	deciding, release, wrote := make(chan struct{}), make(chan struct{}), make(chan error, 1)
	go func() {
		enter := sync.OnceFunc(func() { close(deciding) })
		wrote <- p.s.Update(t.Context(), claim(flights[0]), func(st store.State) (store.Change, error) {
			enter()
			<-release
			return block("1A")(st)
		})
	}()
	<-deciding
	frozen := freeze(t, p, 2, bucket.Of(flights[0]))
	select {
	case err := <-frozen:
		t.Fatalf("frozen while a write was under way (%v)", err)
	case <-time.After(100 * time.Millisecond):
	}
	close(release)
	if err := <-wrote; err != nil {
		t.Errorf("the write under way: %v", err)
	}
	if err := <-frozen; err != nil {
		t.Fatal(err)
	}
	if st := state(t, p.s, flights[0]); st.Seats["1A"].Kind != store.Blocked {
		t.Errorf("the write under way left %+v", st.Seats)
	}
	lateWrite(t, p, 2, flights[0])
}

// Whoever has a fence for longer than the database waits does not make an order fail.
func TestAnOrderOutlastsALockTimeout(t *testing.T) {
	if testing.Short() {
		t.Skip("takes as long as the database waits for a lock")
	}
	flights := flightIDs(1)
	p := open(t, dbtest.MySQL(t), true, flights)
	blocker, err := p.db.Writer().BeginTxx(t.Context(), nil)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := blocker.ExecContext(t.Context(), "UPDATE fences SET mode='active' WHERE bucket=?", bucket.Of(flights[0])); err != nil {
		t.Fatal(err)
	}
	frozen := freeze(t, p, 2, bucket.Of(flights[0]))
	time.Sleep(5500 * time.Millisecond)
	notYet(t, frozen)
	if err := blocker.Rollback(); err != nil {
		t.Fatal(err)
	}
	if err := <-frozen; err != nil {
		t.Error(err)
	}
}

// While a large bucket is being wiped, its fence says that it is of no use yet.
func TestALargeSealIsNotDoneEarly(t *testing.T) {
	p := open(t, dbtest.MySQL(t), false, nil)
	fence := handover.Fence{Bucket: 5, Epoch: 3, Mode: handover.Sealed, Seq: 8}
	plant(t, p.db, []handover.Fence{fence})
	manySeats(t, p.db, 5, handoversql.WipeAtOnce)
	exec(t, p.db, "INSERT INTO seats(bucket,flight_id,seat,kind,ref,customer_id,expires_at) VALUES(5,'ZZ','1A','H','x','',1)") // the last to go
	blocker, err := p.db.Writer().BeginTxx(t.Context(), nil)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = blocker.Rollback() })
	if _, err := blocker.ExecContext(t.Context(), "UPDATE seats SET ref='y' WHERE bucket=5 AND flight_id='ZZ' AND seat='1A'"); err != nil {
		t.Fatal(err)
	}
	sealed := make(chan error, 1)
	go func() {
		_, err := p.Order(t.Context(), handover.Order{Op: handover.Seal, Epoch: 4, Buckets: []int{5}})
		sealed <- err
	}()
	waiting(t, p.db, "DELETE FROM seats%")
	if got := status(t, p, []int{5}); got[0] != (handover.Fence{Bucket: 5, Epoch: 4, Mode: handover.Sealed, Seq: -1}) {
		t.Errorf("while it is wiped, the fence is %+v", got[0])
	}
	if err := blocker.Rollback(); err != nil {
		t.Fatal(err)
	}
	if err := <-sealed; err != nil || len(left(t, p.db)) > 0 {
		t.Errorf("%v is left (%v)", left(t, p.db), err)
	}
}
