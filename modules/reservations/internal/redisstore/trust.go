package redisstore

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"sync/atomic"

	"github.com/redis/go-redis/v9"

	"banyan/modules/kernel/bucket"
	"banyan/modules/kernel/errs"
	"banyan/modules/kernel/handover"
	"banyan/modules/kernel/redisdb"
	"banyan/modules/reservations/internal/store"
)

// trust is what this process knows of Redis beside it, to notice one that came back with
// less than it had acknowledged: whose file was emptied, put back from a copy or cut.
//
// Every answer is of a run of Redis. When another run is met, no answer counts until what
// it has was compared with what the one before acknowledged to this process: per bucket
// the newest fence, and the last write with the version that it gave its flight. Redis
// writes one file in order, so whoever finds the last write finds those before it. A
// bucket that has less is not used any more, and told to coordinators as having no fence,
// whose audit then refuses it. A process that ends forgets: then only the fences are left,
// which an audit compares with the journal, and starting it again accepts the rest.
type trust struct {
	vouched  atomic.Int64  // the count of restarts up to which Redis was compared
	checking chan struct{} // holds one: a comparison under way

	mu    sync.Mutex
	known [bucket.Count]acknowledged
	lost  map[int]bool
}

// acknowledged is the newest that is known of a bucket.
type acknowledged struct {
	fence   string
	at      int64  // time of the last write, by Redis; 0: none
	under   string // the fence at that time
	flight  string
	version int64
}

// newer tells whether a fence was there after another one.
func newer(a, b string) bool {
	mode, epoch := modeOf(a)
	before, earlier := modeOf(b)
	return epoch > earlier || epoch == earlier && rank(mode) > rank(before)
}

// rank orders the modes of one epoch.
func rank(mode string) int {
	return slices.Index([]string{"", store.ModeReadOnly, store.ModeSealed, store.ModeActive}, mode)
}

// saw notes a fence.
func (t *trust) saw(b int, fence string) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.known[b].saw(fence)
}

func (k *acknowledged) saw(fence string) {
	if k.fence != fence && newer(fence, k.fence) {
		k.fence = fence
	}
}

// wrote notes a write that was acknowledged.
func (t *trust) wrote(b int, w acknowledged) {
	t.mu.Lock()
	defer t.mu.Unlock()
	k := &t.known[b]
	k.saw(w.fence)
	if w.at >= k.at {
		k.at, k.under, k.flight, k.version = w.at, w.fence, w.flight, w.version
	}
}

// isLost tells whether acknowledged writes of a bucket are gone.
func (t *trust) isLost(b int) bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.lost[b]
}

// regained says that a bucket is used from now on as it is: it was emptied, or somebody
// has decided so.
func (t *trust) regained(b int) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.lost[b] {
		delete(t.lost, b)
		t.known[b] = acknowledged{}
	}
}

// vouch gives the count of restarts with which answers must still be met to count. It
// compares first if it rose.
func (s *Store) vouch(ctx context.Context) (int64, error) {
	if n := s.trust.vouched.Load(); n == s.db.Restarts() {
		return n, nil
	}
	select {
	case s.trust.checking <- struct{}{}:
		defer func() { <-s.trust.checking }()
	case <-ctx.Done():
		return 0, errs.E(errs.Unavailable, "Redis was restarted and is being compared; try again").Because(ctx.Err())
	}
	n := s.db.Restarts()
	if n == s.trust.vouched.Load() {
		return n, nil // somebody else has compared
	}
	if err := s.compare(ctx); err != nil {
		return 0, redisdb.Fail(err)
	}
	if err := s.same(n); err != nil {
		return 0, err
	}
	s.trust.vouched.Store(n)
	return n, nil
}

// same refuses an answer that another run than the one vouched for may have given.
func (s *Store) same(n int64) error {
	if s.db.Restarts() != n {
		return errs.E(errs.Unavailable, "Redis was restarted meanwhile; try again")
	}
	return nil
}

// usable refuses a bucket that has lost something.
func (s *Store) usable(b int) error {
	if s.trust.isLost(b) {
		return errs.E(errs.Unavailable, "Redis came back without writes of bucket %d that it had acknowledged; they are to be brought back, "+
			"or the loss accepted by starting this service again", b)
	}
	return nil
}

// compare reads of every bucket what is known of it. What it finds missing stays lost.
func (s *Store) compare(ctx context.Context) error {
	s.trust.mu.Lock()
	known := s.trust.known
	s.trust.mu.Unlock()
	for from := 0; from < bucket.Count; from += fencesAtOnce {
		pipe := s.db.Pipeline()
		type asked struct{ fence, version *redis.SliceCmd }
		answers := map[int]asked{}
		for b := from; b < min(from+fencesAtOnce, bucket.Count); b++ {
			if k := known[b]; k.fence != "" {
				answers[b] = asked{pipe.HMGet(ctx, s.buckets[b], "#"), pipe.HMGet(ctx, s.base(b)+"s:"+k.flight, "#")}
			}
		}
		if len(answers) == 0 {
			continue
		}
		if _, err := pipe.Exec(ctx); err != nil {
			return fmt.Errorf("compare Redis with what it acknowledged: %w", err)
		}
		for b, a := range answers {
			fence, version := text(a.fence.Val()[0]), text(a.version.Val()[0])
			if known[b].missing(fence, version) {
				s.trust.mu.Lock()
				s.trust.lost[b] = true
				s.trust.mu.Unlock()
			}
		}
	}
	return nil
}

// missing tells whether a bucket that has this fence, and its flight this version, has
// less than was acknowledged. Under another fence the flight may be gone or renewed.
func (k acknowledged) missing(fence, version string) bool {
	if k.fence != fence {
		return newer(k.fence, fence)
	}
	if k.at == 0 || k.under != fence {
		return false
	}
	ok, found := true, int64(0)
	if version != "" {
		found = number(version, &ok)
	}
	return !ok || found < k.version
}

// ordered tells the fences that an order has led to.
func (t *trust) ordered(o handover.Order, refused []handover.Fence) {
	not := map[int]bool{}
	for _, f := range refused {
		not[f.Bucket] = true
	}
	mode := store.ModeSealed
	switch o.Op {
	case handover.Activate, handover.Reactivate, handover.Recover:
		mode = store.ModeActive
	case handover.Freeze:
		mode = store.ModeReadOnly
	case handover.Seal, handover.SealSource, handover.Purge:
	}
	for _, b := range o.Buckets {
		if !not[b] {
			if o.Op == handover.Seal || o.Op == handover.Recover {
				t.regained(b)
			}
			t.saw(b, mode+" "+itoa(o.Epoch))
		}
	}
}
