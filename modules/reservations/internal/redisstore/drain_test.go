package redisstore_test

import (
	"fmt"
	"testing"
	"time"

	"banyan/modules/kernel/errs"
	"banyan/modules/kernel/handover"
	"banyan/modules/reservations/internal/redisstore"
	"banyan/modules/reservations/internal/store"
)

// TestFrozenWhileDeciding freezes a bucket between what a write has read and what it
// writes, which must not come after the freeze: first on a state that was loaded, then
// on one that was guessed.
func TestFrozenWhileDeciding(t *testing.T) {
	onBoth(t, func(t *testing.T, addrs string) {
		s, f := open(t, addrs, redisstore.Options{Own: true}), flight(2, 1)
		apply(t, s, 1, f)
		p := s.Participant()
		for n := range 2 {
			sub, decide := claim(f, "c", fmt.Sprint("h", n), "1A", time.Minute)
			give := func(op handover.Op, epoch int) {
				t.Helper()
				refused, err := p.Order(t.Context(), handover.Order{Op: op, Epoch: int64(epoch), Buckets: []int{sub.Bucket}})
				if err != nil || len(refused) > 0 {
					t.Fatalf("%s: %v, %v", op, refused, err)
				}
			}
			done := false
			err := s.Update(t.Context(), sub, func(st store.State) (store.Change, error) {
				if !done {
					give(handover.Freeze, 2*n+2)
				}
				done = true
				return decide(st)
			})
			if errs.CodeOf(err) != errs.Misdirected {
				t.Errorf("a write that was decided before the freeze: %v", err)
			}
			if st := read(t, s, sub); st.Seats["1A"].Ref != "" {
				t.Errorf("it left %+v", st.Seats)
			}
			give(handover.Reactivate, 2*n+3)
		}
	})
}
