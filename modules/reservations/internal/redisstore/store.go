// Package redisstore keeps seat state in Redis, standalone or Cluster. All keys of a
// bucket share a hash tag, so that one script checks the fence, the idempotency record
// and the seats and writes them, in one atomic step:
//
//	r:{b0042}:flights     hash  flight -> what is sold, and "#" -> the bucket's fence,
//	                            "<mode> <epoch>", "# seq" -> parts copied in the epoch;
//	                            stays when a bucket's seats move
//	r:{b0042}:s:<flight>  hash  seat -> record, "#" -> the flight's version,
//	                            "c<customer>" -> seats held, derived from the records
//	r:{b0042}:day         hash  what is kept for a day: "h<hold>", "i<idempotency key>", and
//	                            "e<flight> <version>" -> what made that version, unless
//	                            it is told with the answer to an idempotency key
//	r:{b0042}:res         hash  reservation -> record
//	r:num:{n0042}         hash  designator|date -> flights, a shard of the index by number
//	r:cfg, r:feeds, r:meta hashes: geometry, cursors, what this namespace is
//
// What is read and written together shares a hash, for every command of a script costs;
// so does every call of a script, and writers who come at once share one.
// A bucket is enumerated by its fixed keys and the flights in its flights hash. Time is
// Redis TIME, judged again in the script that writes.
package redisstore

import (
	"context"
	"embed"
	"strings"
	"sync"

	"github.com/redis/go-redis/v9"

	"banyan/modules/kernel/bucket"
	"banyan/modules/kernel/errs"
	"banyan/modules/kernel/redisdb"
	"banyan/modules/reservations/internal/guess"
	"banyan/modules/reservations/internal/store"
)

//go:embed scripts/*.lua
var sources embed.FS

// Options say how the store uses a Redis.
type Options struct {
	Namespace string // prefix of every key; "" is "r"
	// Own makes this store the owner of every bucket, if it has never been used.
	Own bool
	// AcceptDataLoss skips the check that Redis keeps what it acknowledges.
	AcceptDataLoss bool
}

// Store implements store.Store.
type Store struct {
	db      *redisdb.DB
	prefix  string
	buckets [bucket.Count]string // key of each bucket's flights and fence
	scripts struct{ load, claim, commit, seats, apply, number, sweep script }
	flights guess.Cache[*knownFlight]
	clock   *guess.Clock
	trust   trust

	sweepMu sync.Mutex
	sweepAt position
}

var _ store.Store = (*Store)(nil)

// knownFlight is a flight as it was last seen, to guess with; it is never written to.
type knownFlight struct {
	record string // as stored
	flight store.Flight
}

// Open takes over db, which Close closes. errs: Unsafe for a Redis that would lose
// acknowledged writes or whose buckets are not ours, Unavailable.
func Open(ctx context.Context, db *redisdb.DB, o Options) (*Store, error) {
	if o.Namespace == "" {
		o.Namespace = "r"
	}
	if strings.ContainsAny(o.Namespace, "{}") {
		return nil, errs.E(errs.Invalid, "the namespace %q may have no braces: they mark the hash tag", o.Namespace)
	}
	if !o.AcceptDataLoss {
		if err := db.CheckDurable(ctx); err != nil {
			return nil, err
		}
	}
	s := &Store{db: db, prefix: o.Namespace + ":", clock: guess.NewClock()}
	s.trust.checking, s.trust.lost = make(chan struct{}, 1), map[int]bool{}
	s.trust.vouched.Store(db.Restarts())
	for b := range s.buckets {
		s.buckets[b] = s.prefix + redisdb.Tag(b) + ":flights"
	}
	for name, to := range map[string]*script{
		"load": &s.scripts.load, "claim": &s.scripts.claim, "commit": &s.scripts.commit, "seats": &s.scripts.seats,
		"apply": &s.scripts.apply, "number": &s.scripts.number, "sweep": &s.scripts.sweep,
	} {
		text, err := sources.ReadFile("scripts/" + name + ".lua")
		if err != nil {
			return nil, err
		}
		*to = newScript(string(text))
	}
	if err := s.claimNamespace(ctx, o.Own); err != nil {
		return nil, redisdb.Fail(err)
	}
	return s, nil
}

// Ping implements store.Keeper.
func (s *Store) Ping(ctx context.Context) error { return redisdb.Fail(s.db.Ping(ctx).Err()) }

// Close implements store.Keeper.
func (s *Store) Close() error { return s.db.Close() }

type script struct{ text, digest string }

func newScript(text string) script {
	text = mutated(text)
	return script{text: text, digest: redis.NewScript(text).Hash()}
}

// run evaluates a script on a bucket. It is sent at most once: a lost answer stays lost,
// and so does one of a run of Redis that was not compared yet.
func (s *Store) run(ctx context.Context, sc script, b int, args []any) (any, error) {
	return s.evaluate(ctx, sc, b, func(command, script string) (any, error) {
		all := make([]any, 0, 4+len(args))
		all = append(append(all, command, script, 1, s.buckets[b]), args...)
		cmd := redis.NewCmd(ctx, all...)
		cmd.SetFirstKeyPos(3)
		if err := s.db.Once(ctx, cmd); err != nil {
			return nil, err
		}
		return cmd.Val(), nil
	})
}

// join is run for a script that takes the calls of many as one.
func (s *Store) join(ctx context.Context, sc script, b int, keys, args []string) (any, error) {
	return s.evaluate(ctx, sc, b, func(command, script string) (any, error) {
		return s.db.Join(ctx, &redisdb.Call{Command: command, Script: script, Keys: keys, Args: args})
	})
}

// evaluate calls a script by its digest, or by its text on a server that does not know it
// yet.
func (s *Store) evaluate(ctx context.Context, sc script, b int, send func(command, script string) (any, error)) (any, error) {
	run, err := s.vouch(ctx)
	if err == nil {
		err = s.usable(b)
	}
	if err != nil {
		return nil, err
	}
	answer, err := send("evalsha", sc.digest)
	if err != nil && redis.HasErrorPrefix(err, "NOSCRIPT") {
		answer, err = send("eval", sc.text)
	}
	if err == nil {
		err = s.same(run)
	}
	return answer, redisdb.Fail(err)
}
