package redisstore_test

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/redis/go-redis/v9"

	"banyan/modules/kernel/dbtest"
	"banyan/modules/kernel/errs"
	"banyan/modules/kernel/handover"
	"banyan/modules/kernel/redisdb"
	"banyan/modules/reservations/internal/redisstore"
)

// allFences has each fence of a small world once, in buckets far apart.
func allFences() []handover.Fence {
	fences := []handover.Fence{{}}
	for _, mode := range []handover.Mode{handover.Sealed, handover.ReadOnly, handover.Active} {
		for epoch := int64(2); epoch <= 4; epoch++ {
			for seq := range int64(3) {
				fences = append(fences, handover.Fence{Mode: mode, Epoch: epoch, Seq: seq})
			}
		}
	}
	for i := range fences {
		fences[i].Bucket = i * 357
	}
	return fences
}

func bucketsOf(fences []handover.Fence) []int {
	buckets := make([]int, len(fences))
	for i, f := range fences {
		buckets[i] = f.Bucket
	}
	return buckets
}

// raw is a bucket's keys as they are in Redis.
type raw struct {
	db *redisdb.DB
	ns string
}

func openRaw(t *testing.T, addrs, ns string) raw {
	t.Helper()
	db, err := redisdb.Open(t.Context(), redisdb.Options{Addrs: addrs})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = db.Close() })
	return raw{db, ns}
}

func (r raw) key(b int, name string) string { return r.ns + ":" + redisdb.Tag(b) + ":" + name }

// set makes fences, and in each bucket something of all that a bucket may have.
func (r raw) set(t *testing.T, fences []handover.Fence) {
	t.Helper()
	ctx := t.Context()
	_, err := r.db.Pipelined(ctx, func(p redis.Pipeliner) error {
		for _, f := range fences {
			flights := r.key(f.Bucket, "flights")
			p.HSet(ctx, flights, "F", "11,1:x", "G", "11,1:x")
			p.HDel(ctx, flights, "#", "# seq")
			if f.Mode != handover.Absent {
				p.HSet(ctx, flights, "#", fmt.Sprintf("%s %d", f.Mode, f.Epoch))
			}
			if f.Seq != 0 {
				p.HSet(ctx, flights, "# seq", f.Seq)
			}
			for _, name := range []string{"day", "res", "s:F", "s:G"} {
				p.HSet(ctx, r.key(f.Bucket, name), "x", "y")
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
}

// left tells how many keys of data each bucket has; the catalogue must still be there.
func (r raw) left(t *testing.T, fences []handover.Fence) []int64 {
	t.Helper()
	var data []*redis.IntCmd
	ctx := t.Context()
	_, err := r.db.Pipelined(ctx, func(p redis.Pipeliner) error {
		for _, f := range fences {
			keys := []string{r.key(f.Bucket, "day"), r.key(f.Bucket, "res"), r.key(f.Bucket, "s:F"), r.key(f.Bucket, "s:G")}
			data = append(data, p.Exists(ctx, keys...))
			p.HGet(ctx, r.key(f.Bucket, "flights"), "F")
			p.HGet(ctx, r.key(f.Bucket, "flights"), "G")
		}
		return nil
	})
	if err != nil {
		t.Fatalf("the catalogue is damaged: %v", err)
	}
	counts := make([]int64, len(data))
	for i, c := range data {
		counts[i] = c.Val()
	}
	return counts
}

func fencesOf(t *testing.T, p handover.Participant, buckets []int) []handover.Fence {
	t.Helper()
	st, err := p.Status(t.Context(), buckets)
	if err != nil {
		t.Fatal(err)
	}
	return st.Fences
}

// TestOrdersAreThoseOfNext compares the script with the table for every fence, order,
// epoch and number of parts of a small world.
func TestOrdersAreThoseOfNext(t *testing.T) {
	onBoth(t, func(t *testing.T, addrs string) {
		ns := dbtest.Namespace()
		p := open(t, addrs, redisstore.Options{Namespace: ns}).Participant()
		r, before := openRaw(t, addrs, ns), allFences()
		buckets := bucketsOf(before)
		for _, op := range handover.Ops() {
			for epoch := int64(1); epoch <= 5; epoch++ {
				for seq := range int64(4) {
					o := handover.Order{Op: op, Epoch: epoch, Buckets: buckets}
					if op == handover.Activate {
						o.Seqs = slices.Repeat([]int64{seq}, len(buckets))
					} else if seq > 0 {
						continue // nobody else is told a number of parts
					}
					r.set(t, before)
					refused, err := p.Order(t.Context(), o)
					if err != nil {
						t.Fatal(err)
					}
					compare(t, fmt.Sprintf("%s(%d, %d)", op, epoch, seq), before, refused, fencesOf(t, p, buckets), r.left(t, before),
						func(f handover.Fence) (handover.Fence, handover.Effect, bool) {
							return handover.Next(f, op, epoch, seq)
						})
				}
			}
		}
	})
}

// TestPartsAreAdmittedAsByAdmit does the same for parts.
func TestPartsAreAdmittedAsByAdmit(t *testing.T) {
	onBoth(t, func(t *testing.T, addrs string) {
		ns := dbtest.Namespace()
		p := open(t, addrs, redisstore.Options{Namespace: ns}).Participant()
		r, before := openRaw(t, addrs, ns), allFences()
		for epoch := int64(1); epoch <= 5; epoch++ {
			for seq := int64(1); seq <= 4; seq++ {
				r.set(t, before)
				var parts []handover.Part
				for _, f := range before {
					parts = append(parts, handover.Part{Bucket: f.Bucket, Seq: seq})
				}
				refused, err := p.Copy(t.Context(), epoch, parts)
				if err != nil {
					t.Fatal(err)
				}
				compare(t, fmt.Sprintf("copy(%d, %d)", epoch, seq), before, refused, fencesOf(t, p, bucketsOf(before)), r.left(t, before),
					func(f handover.Fence) (handover.Fence, handover.Effect, bool) {
						to, ok := handover.Admit(f, epoch, seq)
						return to, handover.Keep, ok
					})
			}
		}
	})
}

// compare checks what came of fences against a rule.
func compare(t *testing.T, what string, before, refused, after []handover.Fence, left []int64,
	rule func(handover.Fence) (handover.Fence, handover.Effect, bool),
) {
	t.Helper()
	for i, f := range before {
		want, effect, ok := rule(f)
		if !ok {
			want, effect = f, handover.Keep
		}
		data := int64(4)
		if effect == handover.Wipe {
			data = 0
		}
		if after[i] != want || left[i] != data {
			t.Errorf("%s: %+v became %+v with %d keys, want %+v with %d", what, f, after[i], left[i], want, data)
		}
		if slices.Contains(refused, f) == ok {
			t.Errorf("%s: %+v: accepted is %v, but refused are %v", what, f, ok, refused)
		}
	}
}

func TestStatus(t *testing.T) {
	onBoth(t, func(t *testing.T, addrs string) {
		ns := dbtest.Namespace()
		s := open(t, addrs, redisstore.Options{Namespace: ns})
		p := s.Participant()
		if st, err := p.Status(t.Context(), nil); err != nil || len(st.Fences) != 0 || !st.Durable || len(st.Follows) != 0 {
			t.Errorf("of an empty store: %+v, %v", st, err)
		}
		apply(t, s, 7, flight(1, 7))
		if _, err := p.Order(t.Context(), handover.Order{Op: handover.Seal, Epoch: 4, Buckets: []int{9999, 3}}); err != nil {
			t.Fatal(err)
		}
		want := []handover.Fence{{Bucket: 3, Epoch: 4, Mode: handover.Sealed}, {Bucket: 9999, Epoch: 4, Mode: handover.Sealed}}
		if st, err := p.Status(t.Context(), nil); err != nil || !slices.Equal(st.Fences, want) || st.Follows["flights"] != 7 {
			t.Errorf("got %+v, %v", st, err)
		}
		slices.Reverse(want)
		if got := fencesOf(t, p, []int{9999, 4, 3}); !slices.Equal(got, slices.Insert(want, 1, handover.Fence{Bucket: 4})) {
			t.Errorf("of some buckets: %+v", got)
		}
		openRaw(t, addrs, ns).db.HSet(t.Context(), ns+":"+redisdb.Tag(5)+":flights", "#", "open 1")
		if _, err := p.Status(t.Context(), []int{5}); err == nil {
			t.Error("a fence that nobody wrote was read")
		}
	})
}

// TestDurableIsAskedEachTime changes the settings of a server under a running store.
func TestDurableIsAskedEachTime(t *testing.T) {
	addr := dbtest.StartRedis(t).Addr
	p := open(t, addr, redisstore.Options{AcceptDataLoss: true}).Participant()
	for _, c := range []struct {
		fsync string
		want  bool
	}{{"always", true}, {"everysec", false}, {"always", true}} {
		client(t, addr, func(ctx context.Context, db *redisdb.DB) error {
			return db.ConfigSet(ctx, "appendfsync", c.fsync).Err()
		})
		if st, err := p.Status(t.Context(), []int{1}); err != nil || st.Durable != c.want {
			t.Errorf("appendfsync %s: durable %v, %v", c.fsync, st.Durable, err)
		}
	}
}

func TestBadOrders(t *testing.T) {
	p := open(t, dbtest.RedisAddr(t), redisstore.Options{}).Participant()
	many := make([]int, handover.MaxBuckets+1)
	for i := range many {
		many[i] = i
	}
	for name, o := range map[string]handover.Order{
		"twice":        {Op: handover.Seal, Epoch: 1, Buckets: []int{1, 2, 1}},
		"too many":     {Op: handover.Seal, Epoch: 1, Buckets: many},
		"no bucket":    {Op: handover.Seal, Epoch: 1, Buckets: []int{10000}},
		"negative":     {Op: handover.Seal, Epoch: 1, Buckets: []int{-1}},
		"too few seqs": {Op: handover.Activate, Epoch: 1, Buckets: []int{1, 2}, Seqs: []int64{1}},
		"no epoch":     {Op: handover.Seal, Buckets: []int{1}},
		"other order":  {Op: "open", Epoch: 1, Buckets: []int{1}},
		"huge epoch":   {Op: handover.Seal, Epoch: 1<<53 + 1, Buckets: []int{1}},
	} {
		if _, err := p.Order(t.Context(), o); errs.CodeOf(err) != errs.Invalid {
			t.Errorf("%s: %v", name, err)
		}
	}
	if got := fencesOf(t, p, nil); len(got) != 0 {
		t.Errorf("left behind: %v", got)
	}
}

// TestScriptsAreForgotten empties the servers' script caches before each call.
func TestScriptsAreForgotten(t *testing.T) {
	addr := dbtest.StartRedis(t).Addr
	p := open(t, addr, redisstore.Options{}).Participant()
	forget := func() {
		client(t, addr, func(ctx context.Context, db *redisdb.DB) error { return db.ScriptFlush(ctx).Err() })
	}
	buckets := []int{1, 2, 3}
	forget()
	if refused, err := p.Order(t.Context(), handover.Order{Op: handover.Seal, Epoch: 1, Buckets: buckets}); refused != nil || err != nil {
		t.Fatal(refused, err)
	}
	forget()
	if refused, err := p.Copy(t.Context(), 1, []handover.Part{{Bucket: 2, Seq: 1}, {Bucket: 2, Seq: 2}, {Bucket: 1, Seq: 1}}); refused != nil || err != nil {
		t.Fatal(refused, err)
	}
	forget()
	digests, err := p.Digest(t.Context(), 1, buckets)
	const empty = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
	if err != nil || !slices.EqualFunc(digests, buckets, func(d handover.Digest, b int) bool { return d == handover.Digest{Bucket: b, SHA256: empty} }) {
		t.Errorf("digests %v, %v", digests, err)
	}
	if strings.Join(strings.Fields(fmt.Sprint(fencesOf(t, p, buckets))), " ") != "[{1 1 sealed 1} {2 1 sealed 2} {3 1 sealed 0}]" {
		t.Errorf("fences %v", fencesOf(t, p, buckets))
	}
}
