package redisstore

import (
	"context"
	_ "embed" // the scripts
	"fmt"
	"strconv"

	"github.com/redis/go-redis/v9"

	"banyan/modules/kernel/bucket"
	"banyan/modules/kernel/errs"
	"banyan/modules/kernel/handover"
	"banyan/modules/kernel/redisdb"
)

// The scripts of a handover. Each works on one bucket, for its keys share a slot, and is
// atomic: a bucket that is frozen has no writer under way.
var (
	//go:embed scripts/handover_order.lua
	orderText string
	//go:embed scripts/handover_look.lua
	lookText string
	//go:embed scripts/handover_copy.lua
	copyText string
)

// fenceParts is the field beside the fence that counts the parts copied in its epoch. No
// flight is called so: flights' ids have no spaces.
const fenceParts = "# seq"

// maxEpoch is the last whole number that scripts tell from the next one.
const maxEpoch = 1 << 53

// participant is the store's part in a handover.
type participant struct {
	s                 *Store
	order, look, copy script
}

var _ handover.Participant = (*participant)(nil)

// Participant lets the store take over buckets and hand them on.
func (s *Store) Participant() handover.Participant {
	return &participant{s: s, order: newScript(orderText), look: newScript(lookText), copy: newScript(copyText)}
}

// Status implements handover.Participant. A bucket that has lost what was acknowledged is
// told as one without a fence. Whether the servers are durable is asked each
// time, also of a store that was opened with AcceptDataLoss.
func (p *participant) Status(ctx context.Context, buckets []int) (handover.Status, error) {
	if len(buckets) > 0 {
		if err := handover.CheckBuckets(buckets); err != nil {
			return handover.Status{}, err
		}
	}
	err := p.s.db.CheckDurable(ctx)
	if err != nil && errs.CodeOf(err) != errs.Unsafe {
		return handover.Status{}, err
	}
	st := handover.Status{Durable: err == nil, Follows: map[string]int64{}}
	feeds, err := p.s.db.HGetAll(ctx, p.s.prefix+"feeds").Result()
	if err != nil {
		return handover.Status{}, redisdb.Fail(err)
	}
	for source, last := range feeds {
		if st.Follows[source], err = strconv.ParseInt(last, 10, 64); err != nil {
			return handover.Status{}, redisdb.Fail(errDamaged("cursor", last))
		}
	}
	run, err := p.s.vouch(ctx)
	if err != nil {
		return handover.Status{}, err
	}
	if st.Fences, err = p.fences(ctx, buckets); err == nil {
		err = p.s.same(run)
	}
	return st, redisdb.Fail(err)
}

// fences reads those of some buckets, or all that there are.
func (p *participant) fences(ctx context.Context, buckets []int) ([]handover.Fence, error) {
	every := len(buckets) == 0
	if every {
		buckets = make([]int, bucket.Count)
		for b := range buckets {
			buckets[b] = b
		}
	}
	fences := make([]handover.Fence, 0, len(buckets))
	for at := 0; at < len(buckets); at += fencesAtOnce {
		some := buckets[at:min(at+fencesAtOnce, len(buckets))]
		pipe := p.s.db.Pipeline()
		answers := make([]*redis.SliceCmd, len(some))
		for i, b := range some {
			answers[i] = pipe.HMGet(ctx, p.s.buckets[b], "#", fenceParts)
		}
		if _, err := pipe.Exec(ctx); err != nil {
			return nil, err
		}
		for i, b := range some {
			f, err := fence(b, answers[i].Val())
			if err != nil {
				return nil, err
			}
			if p.s.trust.isLost(b) {
				f = handover.Fence{Bucket: b}
			}
			if !every || f.Mode != handover.Absent {
				fences = append(fences, f)
			}
		}
	}
	return fences, nil
}

// fence reads the fence's field and the number of parts at the head of an answer.
func fence(b int, fields []any) (handover.Fence, error) {
	f := handover.Fence{Bucket: b}
	if len(fields) < 2 {
		return f, fmt.Errorf("redisstore: %v for the fence of bucket %d", fields, b)
	}
	record, ok := text(fields[0]), true
	if record == "" {
		return f, nil
	}
	mode, epoch := modeOf(record)
	f.Mode, f.Epoch = handover.Mode(mode), epoch
	if parts := text(fields[1]); parts != "" {
		f.Seq = number(parts, &ok)
	}
	known := f.Mode == handover.Sealed || f.Mode == handover.ReadOnly || f.Mode == handover.Active
	if !ok || !known || record != mode+" "+itoa(epoch) {
		return f, errDamaged("fence", record)
	}
	return f, nil
}

// Order implements handover.Participant.
func (p *participant) Order(ctx context.Context, o handover.Order) ([]handover.Fence, error) {
	if err := handover.CheckOrder(o); err != nil {
		return nil, err
	}
	if o.Epoch > maxEpoch {
		return nil, errs.E(errs.Invalid, "epoch %d is too large", o.Epoch).With("field", "epoch")
	}
	if _, err := p.s.vouch(ctx); err != nil {
		return nil, err
	}
	var calls []call
	var lost []handover.Fence
	for i, b := range o.Buckets {
		if p.s.trust.isLost(b) && o.Op != handover.Seal && o.Op != handover.Recover {
			lost = append(lost, handover.Fence{Bucket: b})
			continue
		}
		seq := int64(0)
		if o.Op == handover.Activate {
			seq = o.Seqs[i]
		}
		calls = append(calls, call{bucket: b, args: []any{string(o.Op), o.Epoch, seq}})
	}
	refused, err := p.refused(ctx, p.order, calls)
	if err != nil {
		return nil, err
	}
	refused = append(lost, refused...)
	p.s.trust.ordered(o, refused)
	return refused, nil
}

// refused runs a script that answers 1 or what the fence is, and collects the latter: one
// for each bucket, as it is in the end.
func (p *participant) refused(ctx context.Context, sc script, calls []call) ([]handover.Fence, error) {
	var refused []handover.Fence
	answers, err := p.s.runEach(ctx, sc, calls)
	if err != nil {
		return nil, redisdb.Fail(err)
	}
	at := map[int]int{} // where a bucket's fence is in refused
	for i, answer := range answers {
		b := calls[i].bucket
		switch a := answer.(type) {
		case int64:
			if n, ok := at[b]; ok { // an earlier part was refused
				refused[n].Seq++
			}
		case []any:
			f, err := fence(b, a)
			if err != nil {
				return nil, redisdb.Fail(err)
			}
			if n, ok := at[b]; ok {
				refused[n] = f
				continue
			}
			at[b] = len(refused)
			refused = append(refused, f)
		case string:
			return nil, errs.E(errs.Conflict, "flight %s of bucket %d is not known here yet; its events must be followed first", a, b).
				With("bucket", b)
		default:
			return nil, redisdb.Fail(fmt.Errorf("redisstore: a handover's script answered %v", answer))
		}
	}
	return refused, nil
}

// Restarts counts how often a server was found to be another run than before, or another
// server. It may have lost what it acknowledged: its fences are to be compared with the
// journal before it is trusted. The count rises before the new run gives an answer.
func (p *participant) Restarts() int64 { return p.s.db.Restarts() }
