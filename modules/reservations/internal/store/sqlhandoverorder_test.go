package store_test

import (
	"fmt"
	"reflect"
	"slices"
	"strings"
	"sync"
	"testing"

	"banyan/modules/kernel/bucket"
	"banyan/modules/kernel/dbtest"
	"banyan/modules/kernel/errs"
	"banyan/modules/kernel/handover"
	"banyan/modules/kernel/handover/handoversql"
	"banyan/modules/kernel/sqldb"
	"banyan/modules/reservations/internal/store"
)

// allFences has each fence of a small world, in buckets far apart and not in their order.
func allFences() []handover.Fence {
	fences := []handover.Fence{{}}
	for _, mode := range []handover.Mode{handover.Sealed, handover.ReadOnly, handover.Active} {
		for epoch := int64(1); epoch <= 3; epoch++ {
			for seq := range int64(3) {
				fences = append(fences, handover.Fence{Mode: mode, Epoch: epoch, Seq: seq})
			}
		}
	}
	for i := range fences {
		fences[i].Bucket = (i*3571 + 17) % bucket.Count
	}
	return fences
}

func numbers(fences []handover.Fence) []int {
	var list []int
	for _, f := range fences {
		list = append(list, f.Bucket)
	}
	return list
}

// plant makes fences, and puts a row of each table into their buckets.
func plant(t *testing.T, db *sqldb.DB, fences []handover.Fence) {
	t.Helper()
	for _, table := range []string{"fences", "seats", "events", "holds", "reservations"} {
		exec(t, db, "DELETE FROM "+table)
	}
	for _, f := range fences {
		if f.Mode != handover.Absent {
			exec(t, db, "INSERT INTO fences(route,bucket,epoch,mode,seq) VALUES(?,?,?,?,?)", store.Route, f.Bucket, f.Epoch, string(f.Mode), f.Seq)
		}
	}
	rowsIn(t, db, numbers(fences))
}

// rowsIn puts a row of each table into buckets.
func rowsIn(t *testing.T, db *sqldb.DB, buckets []int) {
	t.Helper()
	var seats, events, holds, bookings []any
	for _, b := range buckets {
		flight := fmt.Sprintf("F%d", b)
		seats = append(seats, b, flight, "1A", "H", "x", "", 0)
		events = append(events, b, flight, 1, 1, "held", "", 0, fmt.Sprintf("k%d", b), "f", "{}")
		holds = append(holds, fmt.Sprintf("h%04d-0000000000000000", b), flight, "", "", "", "HELD", 0, 0, 0, "")
		bookings = append(bookings, fmt.Sprintf("r%04d-0000000000000000", b), flight, "", "", "CONFIRMED", 0, "", "")
	}
	n := len(buckets)
	exec(t, db, "INSERT INTO seats(bucket,flight_id,seat,kind,ref,customer_id,expires_at) VALUES "+sqldb.Marks(n, 7), seats...)
	exec(t, db, "INSERT INTO events(bucket,flight_id,version,epoch,type,ref,created_at,request_key,fingerprint,answer) VALUES "+sqldb.Marks(n, 10), events...)
	exec(t, db, "INSERT INTO holds(hold_id,flight_id,customer_id,token,seats,status,created_at,expires_at,extensions,reservation_id) VALUES "+sqldb.Marks(n, 10), holds...)
	exec(t, db, "INSERT INTO reservations(reservation_id,flight_id,customer_id,seats,status,created_at,hold_id,related) VALUES "+sqldb.Marks(n, 8), bookings...)
}

// left counts the rows of each bucket, over all tables.
func left(t *testing.T, db *sqldb.DB) map[int]int {
	t.Helper()
	var rows []struct {
		Bucket int `db:"bucket"`
		N      int `db:"n"`
	}
	err := db.Reader().SelectContext(t.Context(), &rows, "SELECT bucket,COUNT(*) AS n FROM (SELECT bucket FROM seats UNION ALL SELECT bucket FROM events"+
		" UNION ALL SELECT CAST(SUBSTR(hold_id,2,4) AS SIGNED) FROM holds UNION ALL SELECT CAST(SUBSTR(reservation_id,2,4) AS SIGNED) FROM reservations) x GROUP BY bucket")
	if err != nil {
		t.Fatal(err)
	}
	n := map[int]int{}
	for _, r := range rows {
		n[r.Bucket] = r.N
	}
	return n
}

func status(t *testing.T, p handover.Participant, buckets []int) []handover.Fence {
	t.Helper()
	st, err := p.Status(t.Context(), buckets)
	if err != nil {
		t.Fatal(err)
	}
	return st.Fences
}

// Every order does to every fence, and to the data, what the table of orders says; it
// leaves all other buckets alone.
func TestOrdersFollowTheTable(t *testing.T) {
	each(t, func(t *testing.T, db *sqldb.DB, s *store.SQL) {
		p, fences := s.Participant(), allFences()
		bystander := handover.Fence{Bucket: fences[0].Bucket + 1, Epoch: 1, Mode: handover.Sealed}
		for _, op := range handover.Ops() {
			plant(t, db, append(slices.Clone(fences), bystander))
			o := handover.Order{Op: op, Epoch: 2, Buckets: numbers(fences)}
			var refused, after []handover.Fence
			rows := map[int]int{bystander.Bucket: 4}
			for i, f := range fences {
				seq := int64(i % 3)
				if op == handover.Activate {
					o.Seqs = append(o.Seqs, seq)
				} else {
					seq = 0
				}
				to, effect, ok := handover.Next(f, op, 2, seq)
				if !ok {
					to, effect, refused = f, handover.Keep, append(refused, f)
				}
				if after = append(after, to); effect == handover.Keep {
					rows[f.Bucket] = 4
				}
			}
			slices.SortFunc(refused, func(a, b handover.Fence) int { return a.Bucket - b.Bucket })
			got, err := p.Order(t.Context(), o)
			if err != nil || !slices.Equal(got, refused) {
				t.Errorf("%s refuses %v\nwant %v (%v)", op, got, refused, err)
			}
			if got := status(t, p, o.Buckets); !slices.Equal(got, after) {
				t.Errorf("%s leads to %v\nwant %v", op, got, after)
			}
			if got := left(t, db); !reflect.DeepEqual(got, rows) {
				t.Errorf("%s leaves rows %v\nwant %v", op, got, rows)
			}
		}
	})
}

// Of two who seal a bucket that was never here, the higher epoch stays.
func TestNewFencesAreNotLost(t *testing.T) {
	p := open(t, dbtest.MySQL(t), false, nil)
	buckets := []int{9, 3, 7}
	for round := range int64(20) {
		exec(t, p.db, "DELETE FROM fences")
		var done sync.WaitGroup
		for epoch := 10 * round; epoch < 10*round+8; epoch++ {
			done.Go(func() {
				if _, err := p.Order(t.Context(), handover.Order{Op: handover.Seal, Epoch: epoch + 1, Buckets: buckets}); err != nil {
					t.Error(err)
				}
			})
		}
		done.Wait()
		for _, f := range status(t, p, buckets) {
			if f.Epoch != 10*round+8 || f.Mode != handover.Sealed {
				t.Fatalf("the fence is %+v, want epoch %d", f, 10*round+8)
			}
		}
	}
}

// A bucket that is too large for one transaction is wiped all the same.
func TestLargeBucketsAreWiped(t *testing.T) {
	each(t, func(t *testing.T, db *sqldb.DB, s *store.SQL) {
		p := s.Participant()
		for _, step := range []struct {
			op   handover.Op
			have handover.Fence
		}{
			{handover.Seal, handover.Fence{Bucket: 5, Epoch: 3, Mode: handover.Sealed, Seq: 8}},
			{handover.Purge, handover.Fence{Bucket: 5, Epoch: 4, Mode: handover.Sealed, Seq: 8}},
		} {
			plant(t, db, []handover.Fence{step.have, {Bucket: 6, Epoch: 1, Mode: handover.Active}})
			manySeats(t, db, 5, 2*handoversql.WipeAtOnce+1)
			give(t, p, step.op, 4, []int{5})
			want, _, _ := handover.Next(step.have, step.op, 4, 0)
			if got := status(t, p, []int{5}); got[0] != want {
				t.Errorf("%s leads to %v, want %v", step.op, got[0], want)
			}
			if got := left(t, db); !reflect.DeepEqual(got, map[int]int{6: 4}) {
				t.Errorf("%s leaves %v", step.op, got)
			}
		}
	})
}

// manySeats puts rows into a bucket.
func manySeats(t *testing.T, db *sqldb.DB, b, n int) {
	t.Helper()
	for from := 0; from < n; from += 1000 {
		var args []any
		for i := from; i < min(n, from+1000); i++ {
			args = append(args, b, fmt.Sprintf("G%d", i), "1A", "H", "x", "", 0)
		}
		exec(t, db, "INSERT INTO seats(bucket,flight_id,seat,kind,ref,customer_id,expires_at) VALUES "+sqldb.Marks(len(args)/7, 7), args...)
	}
}

// A bucket whose sealing was interrupted half-way is not filled and not activated.
func TestHalfSealedBucketsAreOfNoUse(t *testing.T) {
	each(t, func(t *testing.T, db *sqldb.DB, s *store.SQL) {
		p := s.Participant()
		half := handover.Fence{Bucket: 5, Epoch: 4, Mode: handover.Sealed, Seq: -1}
		plant(t, db, []handover.Fence{half})
		part := handover.Part{Bucket: 5, Seq: 1}
		if refused, err := p.Copy(t.Context(), 4, []handover.Part{part}); err != nil || !slices.Equal(refused, []handover.Fence{half}) {
			t.Errorf("copy: refused %v (%v)", refused, err)
		}
		o := handover.Order{Op: handover.Activate, Epoch: 4, Buckets: []int{5}, Seqs: []int64{0}}
		if refused, err := p.Order(t.Context(), o); err != nil || !slices.Equal(refused, []handover.Fence{half}) {
			t.Errorf("activate: refused %v (%v)", refused, err)
		}
		give(t, p, handover.Seal, 5, []int{5})
		if got := status(t, p, []int{5}); got[0] != (handover.Fence{Bucket: 5, Epoch: 5, Mode: handover.Sealed}) || len(left(t, db)) > 0 {
			t.Errorf("sealed again: %v, rows %v", got, left(t, db))
		}
	})
}

func TestStatus(t *testing.T) {
	server := dbtest.StartMariaDB(t)
	db, err := sqldb.OpenMySQL(t.Context(), server.DSN)
	if err != nil {
		t.Skipf("no schema to work in: %v", err)
	}
	t.Cleanup(func() { _ = db.Close() })
	p := open(t, db, true, nil)
	st, err := p.Status(t.Context(), []int{7, 3})
	if err != nil || !st.Durable || st.Follows["flights"] != 7 || len(st.Follows) != 1 ||
		!slices.Equal(st.Fences, []handover.Fence{{Bucket: 7, Epoch: 1, Mode: handover.Active}, {Bucket: 3, Epoch: 1, Mode: handover.Active}}) {
		t.Errorf("status %+v (%v)", st, err)
	}
	if st, err = p.Status(t.Context(), nil); err != nil || len(st.Fences) != bucket.Count || st.Fences[9].Bucket != 9 {
		t.Errorf("%d fences (%v)", len(st.Fences), err)
	}
	if _, err := p.Status(t.Context(), []int{bucket.Count}); errs.CodeOf(err) != errs.Invalid {
		t.Errorf("a bucket that is none: %v", err)
	}
	if _, err := db.Writer().ExecContext(t.Context(), "SET GLOBAL innodb_flush_log_at_trx_commit=2"); err != nil {
		t.Fatal(err)
	}
	if st, err = p.Status(t.Context(), []int{7}); err != nil || st.Durable {
		t.Errorf("a server that loses data: %+v (%v)", st, err)
	}
	if _, err := p.Order(t.Context(), handover.Order{Op: handover.Seal, Epoch: 2, Buckets: []int{1, 1}}); errs.CodeOf(err) != errs.Invalid || !strings.Contains(err.Error(), "twice") {
		t.Errorf("a bucket named twice: %v", err)
	}
}
