package redisstore

import (
	"context"
	"errors"
	"strings"

	"github.com/redis/go-redis/v9"

	"banyan/modules/kernel/bucket"
	"banyan/modules/kernel/errs"
	"banyan/modules/kernel/redisdb"
	"banyan/modules/reservations/internal/store"
)

// flightsAtOnce bounds the flights of one pipeline.
const flightsAtOnce = 1000

// Apply implements store.Catalogue. Geometry goes first and the cursor last, so that a
// crash in between applies the events again, which changes nothing.
func (s *Store) Apply(ctx context.Context, source string, cursor int64, configurations []store.Configuration, flights []store.Flight) error {
	if len(configurations) > 0 {
		pipe := s.db.Pipeline()
		for _, c := range configurations {
			pipe.HSetNX(ctx, s.prefix+"cfg", c.ID, strings.Join(c.Seats, ","))
		}
		if _, err := pipe.Exec(ctx); err != nil {
			return redisdb.Fail(err)
		}
	}
	for len(flights) > 0 {
		n := min(flightsAtOnce, len(flights))
		if err := s.putFlights(ctx, flights[:n]); err != nil {
			return redisdb.Fail(err)
		}
		flights = flights[n:]
	}
	return redisdb.Fail(s.db.HSet(ctx, s.prefix+"feeds", source, cursor).Err())
}

// putFlights writes flights by bucket, and the index by number by shard.
func (s *Store) putFlights(ctx context.Context, flights []store.Flight) error {
	byBucket, byNumber := map[string][]any{}, map[string][]any{}
	for _, f := range flights {
		key := s.buckets[bucket.Of(f.FlightID)]
		record := packFlight(f)
		s.flights.Put(f.FlightID, &knownFlight{record: record, flight: f})
		byBucket[key] = append(byBucket[key], f.FlightID, f.Seq, record)
		shard, field := s.number(f.Designator, f.Date)
		byNumber[shard] = append(byNumber[shard], field, shorten(f))
	}
	if err := s.runAll(ctx, s.scripts.apply, byBucket); err != nil {
		return err
	}
	return s.runAll(ctx, s.scripts.number, byNumber)
}

// runAll evaluates a repeatable script for many keys in one pipeline. Servers that do
// not know it are taught, and the pipeline sent again.
func (s *Store) runAll(ctx context.Context, sc script, argsOf map[string][]any) error {
	err := s.pipeline(ctx, sc, argsOf)
	if !redis.HasErrorPrefix(err, "NOSCRIPT") {
		return err
	}
	if err := s.teach(ctx, sc); err != nil {
		return err
	}
	return s.pipeline(ctx, sc, argsOf)
}

// teach loads a script into every server.
func (s *Store) teach(ctx context.Context, sc script) error {
	return s.db.EachMaster(ctx, func(ctx context.Context, c *redis.Client) error {
		return c.ScriptLoad(ctx, sc.text).Err()
	})
}

func (s *Store) pipeline(ctx context.Context, sc script, argsOf map[string][]any) error {
	pipe := s.db.Pipeline()
	for key, args := range argsOf {
		pipe.EvalSha(ctx, sc.digest, []string{key}, args...)
	}
	if _, err := pipe.Exec(ctx); err != nil && !errors.Is(err, redis.Nil) {
		return err
	}
	return nil
}

// number gives the index's shard and field of a designator and date.
func (s *Store) number(designator, date string) (shard, field string) {
	field = designator + "|" + strings.ReplaceAll(date, "-", "")
	tag := redisdb.Tag(bucket.Of(field))
	return s.prefix + "num:{n" + tag[2:], field
}

// shorten gives the part of a flight's id that its number does not say: JFK of
// AA34-JFK-20261121. Another form of id is kept whole, after a slash.
func shorten(f store.Flight) string {
	if designator, date := fromID(f.FlightID); designator == f.Designator && date == f.Date {
		return f.FlightID[len(designator)+1 : len(f.FlightID)-9]
	}
	return "/" + f.FlightID
}

// FlightByNumber implements store.Store.
func (s *Store) FlightByNumber(ctx context.Context, designator, date string) (string, error) {
	shard, field := s.number(designator, date)
	found, err := s.db.HGet(ctx, shard, field).Result()
	if errors.Is(err, redis.Nil) {
		return "", nil
	}
	if err != nil {
		return "", redisdb.Fail(err)
	}
	ids := strings.Split(found, "\n")
	for i, id := range ids {
		if whole, ok := strings.CutPrefix(id, "/"); ok {
			ids[i] = whole
		} else {
			ids[i] = designator + "-" + id + "-" + strings.ReplaceAll(date, "-", "")
		}
	}
	if len(ids) > 1 {
		return "", errs.E(errs.Conflict, "several flights are called %s on %s, such as %s; one must be named by its flight_id",
			designator, date, strings.Join(ids[:2], " and "))
	}
	return ids[0], nil
}

// Geometry implements store.Catalogue.
func (s *Store) Geometry(ctx context.Context, configuration string) ([]string, error) {
	seats, err := s.db.HGet(ctx, s.prefix+"cfg", configuration).Result()
	if errors.Is(err, redis.Nil) {
		return nil, nil
	}
	return list(seats), redisdb.Fail(err)
}

// Cursor implements store.Catalogue.
func (s *Store) Cursor(ctx context.Context, source string) (int64, error) {
	seq, err := s.db.HGet(ctx, s.prefix+"feeds", source).Int64()
	if errors.Is(err, redis.Nil) {
		return 0, nil
	}
	return seq, redisdb.Fail(err)
}
