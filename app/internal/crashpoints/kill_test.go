package crashpoints_test

import (
	"context"
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/go-sql-driver/mysql"

	"banyan/modules/kernel/dbtest"
	"banyan/modules/kernel/errs"
	"banyan/modules/kernel/sqldb"
	"banyan/proxy/handover"
	"banyan/proxy/handover/handovertestkit"
)

// when a server is killed in a step.
type when string

const (
	atFirst   when = "before"
	meanwhile when = "within"
	atLast    when = "after"
)

// killer kills a server at one point of one step; the coordinator goes on.
type killer struct {
	step   handover.Step
	when   when
	server *dbtest.Server

	once sync.Once
	gone chan struct{} // closed when the server is dead
}

// At implements handover.Faults.
func (k *killer) At(step handover.Step, point handover.Point, _ func()) error {
	wanted := handover.Before
	if k.when == atLast {
		wanted = handover.After
	}
	if step != k.step || point != wanted {
		return nil
	}
	k.once.Do(func() {
		kill := func() { k.server.Kill9(); close(k.gone) }
		if k.when == meanwhile {
			go kill() // the step and the kill race
			return
		}
		kill()
	})
	return nil
}

// steps of a move that nothing is wrong with.
func steps() []handover.Step {
	return []handover.Step{
		handover.StepBegin, handover.StepSeal, handover.StepCopy, handover.StepDigest, handover.StepFreeze, handover.StepFollow, handover.StepVerify,
		handover.StepCommit, handover.StepSealSource, handover.StepActivate, handover.StepFinish,
	}
}

// TestRedisIsKilled kills the Redis of the extracted side at every step, in both directions.
func TestRedisIsKilled(t *testing.T) {
	t.Parallel()
	server := dbtest.StartRedis(t)
	p := newPair(t, journal(t, dbtest.MySQL(t)), sqlAt(t, dbtest.MySQL(t)), redisAt(server.Addr))
	k := &kills{pair: p, server: server}
	for _, back := range []bool{false, true} {
		for _, step := range steps() {
			for _, w := range []when{atFirst, meanwhile, atLast} {
				t.Run(fmt.Sprintf("back=%t/%s-%s", back, step, w), func(t *testing.T) { k.move(t, back, step, w) })
			}
		}
	}
	p.audited(t)
}

// TestMariaDBIsKilled kills the server of the journal and the home's store at every step,
// in both directions. It takes longer to start: one instant of each step must do.
func TestMariaDBIsKilled(t *testing.T) {
	t.Parallel()
	server := dbtest.StartMariaDB(t)
	p := newPair(t, journal(t, schema(t, server.DSN, "banyan_proxy")), sqlAt(t, schema(t, server.DSN, "banyan")), redisAt(dbtest.RedisAddr(t)))
	k := &kills{pair: p, server: server}
	for i, back := range []bool{false, true} {
		for j, step := range steps() {
			w := []when{atFirst, meanwhile, atLast}[(2*i+j)%3]
			t.Run(fmt.Sprintf("back=%t/%s-%s", back, step, w), func(t *testing.T) { k.move(t, back, step, w) })
		}
	}
	p.audited(t)
}

// schema opens one of a server's schemas, which it makes if it is not there.
func schema(t testing.TB, dsn, name string) *sqldb.DB {
	t.Helper()
	cfg, err := mysql.ParseDSN(dsn)
	if err != nil {
		t.Fatal(err)
	}
	if cfg.DBName != name {
		main := schema(t, dsn, cfg.DBName)
		if _, err := main.Writer().ExecContext(t.Context(), "CREATE DATABASE "+name); err != nil {
			t.Fatal(err)
		}
		cfg.DBName = name
	}
	db, err := sqldb.OpenMySQL(t.Context(), cfg.FormatDSN())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = db.Close() })
	return db
}

// kills are the moves of a pair one of whose servers is killed again and again.
type kills struct {
	pair
	server *dbtest.Server
	bucket int // the first that no move has used
	writes int
}

// move moves two buckets while a client books in them, and kills the server on the way.
func (k *kills) move(t *testing.T, back bool, step handover.Step, w when) {
	buckets := []int{k.bucket, k.bucket + 1}
	k.bucket += 2
	source, target := handovertestkit.Home, handovertestkit.Away
	if back {
		k.carry(t, k.coordinator(t, options(nil)), source, target, buckets)
		source, target = target, source
	}
	client := &client{pair: k.pair}
	for _, b := range append(buckets, buckets...) {
		k.writes++
		client.book(t.Context(), t, b, k.writes)
	}
	fault := &killer{step: step, when: w, server: k.server, gone: make(chan struct{})}
	c := k.coordinator(t, options(fault))
	moved := make(chan error, 1)
	go func() {
		_, err := c.Move(t.Context(), handover.Batch{Source: source, Target: target, Buckets: buckets})
		moved <- err
	}()
	booked, first := make(chan struct{}), k.writes+1
	k.writes += len(buckets)
	go func() {
		defer close(booked)
		<-fault.gone
		for i, b := range buckets {
			client.book(t.Context(), t, b, first+i) // until it is answered
		}
	}()
	select {
	case <-fault.gone:
	case <-time.After(30 * time.Second):
		t.Fatal("the server was never killed")
	}
	k.server.Restart()
	outcome := <-moved
	k.settle(t)
	<-booked
	t.Logf("the move: %v", outcome)
	for _, b := range buckets {
		k.check(t, c, b)
	}
}

func options(f handover.Faults) func(*handover.Options) {
	return func(o *handover.Options) {
		o.PauseBudget, o.StepTimeout, o.StaleAfter, o.Faults = time.Minute, 5*time.Second, time.Microsecond, f
	}
}

func (k *kills) carry(t *testing.T, c *handover.Coordinator, source, target string, buckets []int) {
	t.Helper()
	if _, err := c.Move(t.Context(), handover.Batch{Source: source, Target: target, Buckets: buckets}); err != nil {
		t.Fatal(err)
	}
}

// settle lets a coordinator without faults settle what is left, with a bound.
func (k *kills) settle(t *testing.T) {
	t.Helper()
	c := k.coordinator(t, options(nil))
	var err error
	for range 500 {
		err = c.Recover(t.Context())
		open, failed := k.journal.Open(t.Context())
		if failed == nil && len(open) == 0 {
			return
		}
		time.Sleep(10 * time.Millisecond)
	}
	t.Fatalf("the moves were not settled: %v", err)
}

// check wants a bucket to be as its clients were told, on the side that the journal names
// and nowhere else.
func (k *kills) check(t *testing.T, c *handover.Coordinator, b int) {
	t.Helper()
	owner, other := k.owner(t, c, b)
	list := k.ledger.of(b)
	if len(list) == 0 {
		t.Fatalf("nothing was booked in bucket %d", b)
	}
	for _, made := range list {
		for _, err := range []error{
			answered(func() error { _, err := owner.has(t.Context(), b, made.n); return err }),
			answered(func() error { return owner.again(t.Context(), made) }),
		} {
			if err != nil {
				t.Errorf("bucket %d: %v", b, err)
			}
		}
		if err := answered(func() error { return other.still(t.Context(), made) }); errs.CodeOf(err) != errs.Misdirected {
			t.Errorf("the other side of bucket %d answered %v", b, err)
		}
	}
	k.writes++
	if err := other.write(t.Context(), b, k.writes); err == nil {
		t.Errorf("both sides take writes to bucket %d", b)
	}
	if err := owner.write(t.Context(), b, k.writes); err != nil {
		t.Errorf("bucket %d: %v", b, err)
	}
}

// answered asks again while the answer is that there is none: the first who meets a
// server that was restarted is told so.
func answered(ask func() error) error {
	var err error
	for range 100 {
		if err = ask(); errs.CodeOf(err) != errs.Unavailable {
			return err
		}
		time.Sleep(10 * time.Millisecond)
	}
	return err
}

// client asks both sides in turn, with the same keys, until one has answered.
type client struct{ pair }

// book makes the nth booking. It must not be refused, whatever happens meanwhile.
func (c *client) book(ctx context.Context, t *testing.T, b, n int) {
	made := booking{n: n, ask: c.ledger.request(b, n)}
	var err error
	for range 3000 {
		for _, s := range []side{c.home, c.away} {
			if err = s.book(ctx, b, made); err == nil {
				return
			}
			switch errs.CodeOf(err) {
			case errs.Misdirected, errs.Unavailable, errs.BadGateway, errs.GatewayTimeout:
			default:
				t.Errorf("booking %d in bucket %d: %v", n, b, err)
				return
			}
		}
		time.Sleep(10 * time.Millisecond)
	}
	t.Errorf("booking %d in bucket %d was not answered: %v", n, b, err)
}
