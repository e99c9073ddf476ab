package redisstore_test

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"banyan/modules/kernel/bucket"
	"banyan/modules/kernel/dbtest"
	"banyan/modules/kernel/errs"
	"banyan/modules/kernel/handover"
	"banyan/modules/kernel/idempotency"
	"banyan/modules/reservations/internal/records"
	"banyan/modules/reservations/internal/redisstore"
	"banyan/modules/reservations/internal/store"
)

// writers write until they have been refused often enough.
type writers struct {
	sync.WaitGroup
	mu               sync.Mutex
	written, refused map[string]bool
	enough           chan struct{} // closed after some writes
}

func (w *writers) write(t *testing.T, s *redisstore.Store, writer int, flights []store.Flight) {
	for n := 0; t.Context().Err() == nil; n++ {
		f := flights[(writer+n)%len(flights)]
		key := fmt.Sprintf("w%d-%d", writer, n)
		err := s.Update(t.Context(), store.Subject{Bucket: bucket.Of(f.FlightID), FlightID: f.FlightID, Key: key},
			func(st store.State) (store.Change, error) {
				return store.Change{Record: &idempotency.Record{Fingerprint: "fp", Answer: []byte("{}"), CreatedAt: st.Now}, Event: "x"}, nil
			})
		if w.count(t, key, err) {
			return
		}
	}
}

// count notes the outcome and tells whether to stop.
func (w *writers) count(t *testing.T, key string, err error) bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	switch errs.CodeOf(err) {
	case "":
		w.written[key] = true
		if len(w.written) == 100 {
			close(w.enough)
		}
	case errs.Misdirected:
		w.refused[key] = true
	case errs.Unavailable: // met too many others: unknown to us
	default:
		t.Errorf("%s: %v", key, err)
	}
	return len(w.refused) > 50
}

// TestFreezeDrains freezes buckets under writers: what was acknowledged is exported, what
// was refused is not.
func TestFreezeDrains(t *testing.T) {
	onBoth(t, func(t *testing.T, addrs string) {
		s := open(t, addrs, redisstore.Options{Own: true})
		p := s.Participant()
		flights := []store.Flight{flight(1, 1), flight(2, 1), flight(3, 1)}
		apply(t, s, 1, flights...)
		var buckets []int
		for _, f := range flights {
			buckets = append(buckets, bucket.Of(f.FlightID))
		}
		w := &writers{written: map[string]bool{}, refused: map[string]bool{}, enough: make(chan struct{})}
		for n := range 8 {
			w.Go(func() { w.write(t, s, n, flights) })
		}
		<-w.enough
		order(t, p, handover.Freeze, 2, buckets...)
		exported := map[string]bool{}
		for _, line := range lines(parts(t, p, 2, buckets...)) { // while they go on trying
			if r, err := records.Decode([]byte(line)); err != nil {
				t.Error(err)
			} else if a, ok := r.(records.Answer); ok {
				exported[a.Key] = true
			}
		}
		w.Wait()
		for key := range w.written {
			if !exported[key] {
				t.Errorf("%s was acknowledged, but not exported", key)
			}
		}
		for key := range w.refused {
			if exported[key] {
				t.Errorf("%s was refused, but exported", key)
			}
		}
		t.Logf("%d written, %d refused", len(w.written), len(w.refused))
	})
}

// TestKilledWhileFilled ends Redis the hard way while parts arrive. Whatever it is then
// found to have, the fence counts exactly the parts that are there.
func TestKilledWhileFilled(t *testing.T) {
	server := dbtest.StartRedis(t)
	ns := dbtest.Namespace()
	const b, perPart = 42, 20
	var all []handover.Part
	for seq := range int64(400) {
		part := handover.Part{Bucket: b, Seq: seq + 1}
		for n := range perPart {
			part.Records = append(part.Records, records.Answer{Key: fmt.Sprintf("%06d", seq*perPart+int64(n)), Answer: strings.Repeat("x", 200)}.Encode(nil))
		}
		all = append(all, part)
	}
	acknowledged := int64(0)
	p := open(t, server.Addr, redisstore.Options{Namespace: ns}).Participant()
	order(t, p, handover.Seal, 1, b)
	midway := make(chan struct{})
	failed := make(chan struct{})
	go func() {
		defer close(failed)
		for i, part := range all {
			if refused, err := p.Copy(context.Background(), 1, []handover.Part{part}); err != nil || refused != nil {
				return
			}
			acknowledged = int64(i + 1)
			if i == 50 {
				close(midway)
			}
		}
	}()
	select {
	case <-midway:
	case <-failed:
		t.Fatal("the parts were not stored")
	}
	server.Kill9()
	<-failed
	server.Restart()
	counter, ok := p.(interface{ Restarts() int64 })
	if fencesOf(t, p, nil); !ok || counter.Restarts() != 1 {
		t.Error("the restart was not noticed")
	}
	again := open(t, server.Addr, redisstore.Options{Namespace: ns}).Participant()
	f := fencesOf(t, again, []int{b})[0]
	if f.Mode != handover.Sealed || f.Epoch != 1 || f.Seq < acknowledged || f.Seq > acknowledged+1 {
		t.Errorf("%d parts were acknowledged, the fence says %+v", acknowledged, f)
	}
	if f.Seq == int64(len(all)) {
		t.Error("the kill came too late to prove anything")
	}
	if got, want := lines(parts(t, again, 1, b)), lines(all[:f.Seq]); !slices.Equal(got, want) {
		t.Errorf("%d records are there, %d belong to the %d parts", len(got), len(want), f.Seq)
	}
	if refused, err := again.Copy(t.Context(), 1, all[f.Seq:]); err != nil || refused != nil { // and it can be finished
		t.Error(refused, err)
	}
	if got := lines(parts(t, again, 1, b)); !slices.Equal(got, lines(all)) {
		t.Errorf("%d records in the end", len(got))
	}
}

// TestUnknownOutcomeIsAnError gives orders to a server that is gone: no order is given
// twice, and none is taken for done.
func TestUnknownOutcomeIsAnError(t *testing.T) {
	server := dbtest.StartRedis(t)
	p := open(t, server.Addr, redisstore.Options{}).Participant()
	server.Kill9()
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	defer cancel()
	o := handover.Order{Op: handover.Seal, Epoch: 1, Buckets: []int{1, 2}}
	if refused, err := p.Order(ctx, o); errs.CodeOf(err) != errs.Unavailable || refused != nil {
		t.Errorf("order: %v, %v", refused, err)
	}
	if refused, err := p.Copy(ctx, 1, []handover.Part{{Bucket: 1, Seq: 1}}); errs.CodeOf(err) != errs.Unavailable || refused != nil {
		t.Errorf("copy: %v, %v", refused, err)
	}
	if st, err := p.Status(ctx, nil); err == nil {
		t.Errorf("status: %+v", st)
	}
}
