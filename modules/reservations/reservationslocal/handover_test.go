package reservationslocal_test

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	migrations "banyan/migrations/reservations"
	"banyan/modules/kernel/bucket"
	"banyan/modules/kernel/dbtest"
	"banyan/modules/kernel/errs"
	"banyan/modules/kernel/handover"
	"banyan/modules/kernel/redisdb"
	"banyan/modules/kernel/sqldb"
	"banyan/modules/reservations/internal/redisstore"
	"banyan/modules/reservations/internal/store"
	"banyan/modules/reservations/reservationslocal"
	"banyan/modules/reservations/reservationstest"
)

// side is one of two stores between which buckets move.
type side struct {
	store.Store
	handover.Participant
}

func redisSide(t *testing.T, addrs string, own bool) side {
	t.Helper()
	db, err := redisdb.Open(t.Context(), redisdb.Options{Addrs: addrs})
	if err != nil {
		t.Fatal(err)
	}
	s, err := redisstore.Open(t.Context(), db, redisstore.Options{Namespace: dbtest.Namespace(), Own: own})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.Close() })
	return side{s, s.Participant()}
}

func sqlSide(t *testing.T, db *sqldb.DB, own bool) side {
	t.Helper()
	m, err := sqldb.NewMigrator(db, migrations.FS)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := m.Up(t.Context()); err != nil {
		t.Fatal(err)
	}
	s, err := store.NewSQL(t.Context(), db, store.SQLOptions{Own: own})
	if err != nil {
		t.Fatal(err)
	}
	return side{s, s.Participant()}
}

// move hands buckets over as a coordinator does, and gives what they came to.
func move(ctx context.Context, epoch int64, from, to side, buckets []int) ([]handover.Digest, error) {
	order := func(p handover.Participant, op handover.Op, seqs []int64) error {
		refused, err := p.Order(ctx, handover.Order{Op: op, Epoch: epoch, Buckets: buckets, Seqs: seqs})
		if err == nil && refused != nil {
			err = fmt.Errorf("%s(%d) refused by %+v", op, epoch, refused)
		}
		return err
	}
	if err := order(to, handover.Seal, nil); err != nil {
		return nil, err
	}
	if err := order(from, handover.Freeze, nil); err != nil {
		return nil, err
	}
	seqs := make([]int64, len(buckets))
	err := from.Export(ctx, epoch, buckets, func(p handover.Part) error {
		seqs[slices.Index(buckets, p.Bucket)] = p.Seq
		refused, err := to.Copy(ctx, epoch, []handover.Part{p})
		if err == nil && refused != nil {
			err = fmt.Errorf("part %d refused by %+v", p.Seq, refused)
		}
		return err
	})
	if err != nil {
		return nil, err
	}
	had, err := from.Digest(ctx, epoch, buckets)
	if err != nil {
		return nil, err
	}
	has, err := to.Digest(ctx, epoch, buckets)
	if err != nil {
		return nil, err
	}
	if !slices.Equal(had, has) {
		return nil, fmt.Errorf("%v became %v", had, has)
	}
	if err := order(from, handover.SealSource, nil); err != nil {
		return nil, err
	}
	if err := order(to, handover.Activate, seqs); err != nil {
		return nil, err
	}
	return has, order(from, handover.Purge, nil)
}

// wanderer is a store whose buckets move from one side to the other before every few
// calls. Whoever knows only the store must not notice.
type wanderer struct {
	store.Catalogue // the first side's, until Apply
	sides           [2]side
	moves           sync.Mutex
	epoch           int64
	owner           [bucket.Count]atomic.Int32
	records         atomic.Int64 // moved
	failed          atomic.Pointer[error]
}

var _ store.Store = (*wanderer)(nil)

// wander moves the bucket at every call, or, when there are others, at some.
func (w *wanderer) wander(b int) {
	if !w.moves.TryLock() {
		return
	}
	defer w.moves.Unlock()
	if w.epoch == 0 {
		w.epoch = 1
	}
	w.epoch++
	from := w.owner[b].Load()
	digests, err := move(context.Background(), w.epoch, w.sides[from], w.sides[1-from], []int{b})
	if err != nil {
		w.failed.CompareAndSwap(nil, &err)
		return
	}
	w.records.Add(digests[0].Records)
	w.owner[b].Store(1 - from)
}

// at calls the owner of a bucket, again if it was just handed over.
func (w *wanderer) at(ctx context.Context, b int, call func(store.Store) error) error {
	w.wander(b)
	for {
		err := call(w.sides[w.owner[b].Load()].Store)
		if p := w.failed.Load(); p != nil {
			return *p
		}
		if errs.CodeOf(err) != errs.Misdirected || ctx.Err() != nil {
			return err
		}
		time.Sleep(time.Millisecond)
	}
}

func (w *wanderer) Update(ctx context.Context, s store.Subject, decide func(store.State) (store.Change, error)) error {
	return w.at(ctx, s.Bucket, func(st store.Store) error { return st.Update(ctx, s, decide) })
}

func (w *wanderer) Read(ctx context.Context, s store.Subject) (st store.State, err error) {
	err = w.at(ctx, s.Bucket, func(from store.Store) (err error) {
		st, err = from.Read(ctx, s)
		return err
	})
	return st, err
}

func (w *wanderer) Seats(ctx context.Context, flightID string) (st store.State, err error) {
	err = w.at(ctx, bucket.Of(flightID), func(from store.Store) (err error) {
		st, err = from.Seats(ctx, flightID)
		return err
	})
	return st, err
}

func (w *wanderer) FlightByNumber(ctx context.Context, designator, date string) (string, error) {
	return w.sides[1].FlightByNumber(ctx, designator, date)
}

func (w *wanderer) Apply(ctx context.Context, source string, cursor int64, configurations []store.Configuration, flights []store.Flight) error {
	if err := w.sides[1].Apply(ctx, source, cursor, configurations, flights); err != nil {
		return err
	}
	return w.sides[0].Apply(ctx, source, cursor, configurations, flights)
}

func (w *wanderer) Sweep(ctx context.Context) (int, error) {
	n, err := w.sides[0].Sweep(ctx)
	if err != nil {
		return n, err
	}
	m, err := w.sides[1].Sweep(ctx)
	return n + m, err
}

func (w *wanderer) Ping(context.Context) error { return nil }
func (w *wanderer) Close() error               { return nil }

// TestContractWhileBucketsMove runs the whole contract on a store that hands every
// bucket over before it is used: holds, tokens, answers to retries, versions, caps and
// conflicts are those of one store.
func TestContractWhileBucketsMove(t *testing.T) {
	for name, sides := range map[string]func(t *testing.T) [2]side{
		"redis to cluster": func(t *testing.T) [2]side {
			return [2]side{redisSide(t, dbtest.RedisAddr(t), true), redisSide(t, strings.Join(dbtest.RedisCluster(t), ","), false)}
		},
		"sqlite to redis": func(t *testing.T) [2]side {
			return [2]side{sqlSide(t, dbtest.SQLite(t), true), redisSide(t, dbtest.RedisAddr(t), false)}
		},
		"mysql to cluster": func(t *testing.T) [2]side {
			return [2]side{sqlSide(t, dbtest.MySQL(t), true), redisSide(t, strings.Join(dbtest.RedisCluster(t), ","), false)}
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var made []*wanderer
			reservationstest.Run(t, func(t *testing.T) reservationstest.Harness {
				both := sides(t)
				w := &wanderer{Catalogue: both[0].Store, sides: both}
				made = append(made, w)
				for _, side := range both {
					if reservationslocal.New(side.Store, reservationslocal.Options{}).Participant() == nil {
						t.Fatal("a service does not show that its store hands over")
					}
				}
				s := reservationslocal.New(w, reservationslocal.Options{MinTTL: time.Second})
				return reservationstest.Harness{
					Service: s,
					CatchUp: func(ctx context.Context, flights reservationslocal.FlightEvents) error {
						return s.Feed("flights", flights).CatchUp(ctx, nil)
					},
				}
			})
			for _, w := range made {
				t.Logf("%d moves of %d records", w.epoch-1, w.records.Load())
				if w.records.Load() == 0 {
					t.Error("nothing was moved")
				}
			}
		})
	}
}
