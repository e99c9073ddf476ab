package store_test

import (
	"bytes"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"banyan/modules/kernel/bucket"
	"banyan/modules/kernel/errs"
	"banyan/modules/kernel/handover"
	"banyan/modules/kernel/handover/handoversql"
	"banyan/modules/kernel/sqldb"
	"banyan/modules/reservations/internal/records"
	"banyan/modules/reservations/internal/store"
)

// lines are some answers, in the order of their bytes.
func lines(from, n, size int) [][]byte {
	var list [][]byte
	for i := from; i < from+n; i++ {
		list = append(list, records.Answer{Key: fmt.Sprintf("k%06d", i), Fingerprint: "f", CreatedAt: 5, Answer: strings.Repeat("x", size)}.Encode(nil))
	}
	return list
}

// sealed makes buckets ready to be filled in epoch 2.
func sealed(t *testing.T, db *sqldb.DB, p handover.Participant, buckets ...int) {
	t.Helper()
	exec(t, db, "DELETE FROM fences")
	give(t, p, handover.Seal, 2, buckets)
}

func TestCopyAdmitsPartsInOrder(t *testing.T) {
	each(t, func(t *testing.T, db *sqldb.DB, s *store.SQL) {
		p := s.Participant()
		sealed(t, db, p, 7, 3)
		a, b, c := lines(0, 3, 1), lines(3, 3, 1), lines(6, 3, 1)
		part := func(bucket int, seq int64, records [][]byte) handover.Part {
			return handover.Part{Bucket: bucket, Seq: seq, Records: records}
		}
		for _, step := range []struct {
			epoch   int64
			parts   []handover.Part
			refused []handover.Fence
		}{
			{2, []handover.Part{part(7, 1, a), part(3, 2, b), part(7, 2, b)}, []handover.Fence{{Bucket: 3, Epoch: 2, Mode: handover.Sealed}}},
			{2, []handover.Part{part(7, 2, b)}, []handover.Fence{{Bucket: 7, Epoch: 2, Mode: handover.Sealed, Seq: 2}}},
			{1, []handover.Part{part(7, 3, c)}, []handover.Fence{{Bucket: 7, Epoch: 2, Mode: handover.Sealed, Seq: 2}}},
			{3, []handover.Part{part(7, 3, c)}, []handover.Fence{{Bucket: 7, Epoch: 2, Mode: handover.Sealed, Seq: 2}}},
			{2, []handover.Part{part(5, 1, a)}, []handover.Fence{{Bucket: 5}}},
			{2, []handover.Part{part(7, 3, nil), part(7, 4, c), part(7, 4, c)}, []handover.Fence{{Bucket: 7, Epoch: 2, Mode: handover.Sealed, Seq: 4}}},
		} {
			refused, err := p.Copy(t.Context(), step.epoch, step.parts)
			if err != nil || !slices.Equal(refused, step.refused) {
				t.Errorf("%v refuses %v, want %v (%v)", step.parts, refused, step.refused, err)
			}
		}
		got := export(t, p, 2, []int{7, 3})
		if want := slices.Concat(a, b, c); len(got) != 1 || !slices.EqualFunc(got[0].Records, want, bytes.Equal) {
			t.Errorf("exported %v", got)
		}
		give(t, p, handover.Activate, 2, []int{7, 3}, 4, 0)
		if refused, err := p.Copy(t.Context(), 2, []handover.Part{part(3, 1, a)}); err != nil || len(refused) != 1 {
			t.Errorf("an active bucket: refused %v (%v)", refused, err)
		}
	})
}

// A line that is not a record of this bucket spoils the whole call.
func TestCopyRefusesForeignRecords(t *testing.T) {
	flight := "AA34-JFK-20261121"
	b := bucket.Of(flight)
	good := records.Flight{FlightID: flight, Version: 1}
	each(t, func(t *testing.T, db *sqldb.DB, s *store.SQL) {
		p := s.Participant()
		sealed(t, db, p, b)
		for name, r := range map[string]records.Record{
			"flight elsewhere": records.Flight{FlightID: "AA35-JFK-20261121", Version: 1}, "never written": records.Flight{FlightID: flight},
			"no key": records.Answer{}, "seat elsewhere": records.Seat{FlightID: "AA35-JFK-20261121", Kind: "B"},
			"hold elsewhere":        records.Hold{HoldID: bucket.NewID("h", b+1)},
			"reservation as a hold": records.Hold{HoldID: bucket.NewID("r", b)},
			"reservation elsewhere": records.Reservation{ReservationID: bucket.NewID("r", b+1)},
			"seat of two names":     records.Hold{HoldID: bucket.NewID("h", b), Seats: []string{"1A,1B"}},
			"seat without name":     records.Reservation{ReservationID: bucket.NewID("r", b), Seats: []string{""}},
		} {
			parts := []handover.Part{{Bucket: b, Seq: 1, Records: [][]byte{good.Encode(nil)}}, {Bucket: b, Seq: 2, Records: [][]byte{r.Encode(nil)}}}
			if _, err := p.Copy(t.Context(), 2, parts); errs.CodeOf(err) != errs.Invalid {
				t.Errorf("%s: %v", name, err)
			}
		}
		var parts []handover.Part // more than a transaction takes
		for seq := range int64(handoversql.AtOnce) {
			parts = append(parts, handover.Part{Bucket: b, Seq: seq + 1})
		}
		parts = append(parts, handover.Part{Bucket: b, Seq: handoversql.AtOnce + 1, Records: [][]byte{[]byte(`{"record":"something"}`)}})
		if _, err := p.Copy(t.Context(), 2, parts); errs.CodeOf(err) != errs.Invalid {
			t.Errorf("no record at all: %v", err)
		}
		if f := status(t, p, []int{b}); f[0].Seq != 0 || len(left(t, db)) != 0 {
			t.Errorf("something was stored: %v, %v", f, left(t, db))
		}
	})
}

// More than one part, more than one transaction, and more than is read at once.
func TestMuchIsCopied(t *testing.T) {
	each(t, func(t *testing.T, db *sqldb.DB, s *store.SQL) {
		p := s.Participant()
		buckets := []int{9, 1, 4}
		sealed(t, db, p, buckets...)
		sent := map[int][][]byte{9: lines(0, 2300, 10), 1: lines(0, 700, 30_000), 4: lines(0, 800, 30_000)}
		parts := map[int]int64{}
		for _, b := range buckets {
			all := handover.Split(b, sent[b])
			parts[b] = int64(len(all))
			if refused, err := p.Copy(t.Context(), 2, all); err != nil || len(refused) > 0 {
				t.Fatalf("refused %v (%v)", refused, err)
			}
		}
		if parts[9] < 5 || parts[1] < 20 {
			t.Fatalf("%v parts are too few for this test", parts)
		}
		var order []int
		got := map[int][][]byte{}
		for _, part := range export(t, p, 2, buckets) {
			if len(order) == 0 || order[len(order)-1] != part.Bucket {
				order = append(order, part.Bucket)
			}
			got[part.Bucket] = append(got[part.Bucket], part.Records...)
		}
		if !slices.Equal(order, buckets) {
			t.Errorf("exported in the order %v", order)
		}
		for b, want := range sent {
			if !slices.EqualFunc(got[b], want, bytes.Equal) {
				t.Errorf("bucket %d: %d records, want %d", b, len(got[b]), len(want))
			}
		}
		give(t, p, handover.Activate, 2, buckets, parts[9], parts[1], parts[4])
	})
}

func TestExportIsRefused(t *testing.T) {
	each(t, func(t *testing.T, db *sqldb.DB, s *store.SQL) {
		p := s.Participant()
		plant(t, db, []handover.Fence{{Bucket: 1, Epoch: 3, Mode: handover.ReadOnly}, {Bucket: 2}})
		for _, c := range []struct {
			epoch   int64
			buckets []int
			want    errs.Code
		}{
			{0, []int{1}, ""},
			{3, []int{1}, ""},
			{2, []int{1}, errs.Misdirected},
			{4, []int{1}, errs.Misdirected},
			{0, []int{2}, errs.Misdirected},
			{3, []int{1, 2}, errs.Misdirected},
			{3, nil, errs.Invalid},
			{3, []int{-1}, errs.Invalid},
		} {
			if err := p.Export(t.Context(), c.epoch, c.buckets, func(handover.Part) error { return nil }); errs.CodeOf(err) != c.want {
				t.Errorf("export of %v in epoch %d: %v", c.buckets, c.epoch, err)
			}
			if _, err := p.Digest(t.Context(), c.epoch, c.buckets); errs.CodeOf(err) != c.want {
				t.Errorf("digest of %v in epoch %d: %v", c.buckets, c.epoch, err)
			}
		}
		stop := errors.New("stop")
		if err := p.Export(t.Context(), 3, []int{1}, func(handover.Part) error { return stop }); !errors.Is(err, stop) {
			t.Errorf("the reader's error came back as %v", err)
		}
		// An empty bucket has no part, and a digest of nothing.
		exec(t, db, "DELETE FROM seats")
		exec(t, db, "DELETE FROM events")
		exec(t, db, "DELETE FROM holds")
		exec(t, db, "DELETE FROM reservations")
		if d, err := p.Digest(t.Context(), 3, []int{1}); err != nil || d[0] != (handover.NewDigester([]int{1}).Digests()[0]) {
			t.Errorf("an empty bucket: %v (%v)", d, err)
		}
	})
}
