package store

import (
	"context"
	"crypto/sha256"
	"database/sql"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"math"

	"banyan/modules/flights"
	"banyan/modules/kernel/errs"
	"banyan/modules/kernel/outbox"
	"banyan/modules/kernel/sqldb"
)

// Configuration is what a search must know of an aircraft's geometry.
type Configuration struct {
	ID        string
	Archetype string
	Seats     int
	Cabins    [4]int // seats by cabin
}

// Geometry is a configuration that may not be stored yet: a seat map that was checked,
// for an archetype, and its seats' names.
type Geometry struct {
	Archetype string
	Map       flights.SeatMap
	Seats     []string
}

// Ensure stores a geometry unless it is there, with its event, and gives its id, such
// as A320-150.1. Another map of as many seats gets the next version.
func (s *Store) Ensure(ctx context.Context, g Geometry) (Configuration, error) {
	var c Configuration
	err := s.do(ctx, func(ctx context.Context, tx *sqldb.Tx) (err error) {
		if err = tx.Run(ctx, outbox.Lock()); err != nil {
			return err
		}
		c, err = s.ensure(ctx, tx, g)
		return err
	})
	return c, err
}

// ensure is Ensure in a transaction that has the outbox's lock.
func (s *Store) ensure(ctx context.Context, tx *sqldb.Tx, g Geometry) (Configuration, error) {
	body, err := json.Marshal(g.Map)
	if err != nil {
		return Configuration{}, errs.E(errs.Internal, "the seat map cannot be written").Because(err)
	}
	sum := sha256.Sum256(body)
	digest := hex.EncodeToString(sum[:])
	c := Configuration{Archetype: g.Archetype, Seats: len(g.Seats), Cabins: CabinSeats(g.Map)}
	newest, err := s.version(ctx, tx, &c, digest)
	if err != nil || c.ID != "" {
		return c, err
	}
	c.ID = fmt.Sprintf("%s-%d.%d", c.Archetype, c.Seats, newest+1)
	event, err := json.Marshal(flights.PublishedConfiguration{Configuration: c.ID, Seats: g.Seats})
	if err != nil {
		return c, errs.E(errs.Internal, "the event cannot be written").Because(err)
	}
	err = tx.Run(ctx, sqldb.S("INSERT INTO configurations (id, archetype, seats, version, economy, premium_economy,"+
		" business, first_class, digest, seat_map) VALUES (?,?,?,?,?,?,?,?,?,?)",
		c.ID, c.Archetype, c.Seats, newest+1, c.Cabins[0], c.Cabins[1], c.Cabins[2], c.Cabins[3], digest, string(body)))
	if err != nil {
		return c, err
	}
	tx.Finally(s.changedReference())
	return c, s.publish(ctx, tx, flights.ConfigurationPublished, event)
}

// awayVersions is the version after which a store that started empty counts: two stores
// that make different configurations must not give them the same name.
const awayVersions = 1000

// version finds the configuration with the same digest, whose id it sets, or tells the
// newest version that was made on this side.
func (s *Store) version(ctx context.Context, tx *sqldb.Tx, c *Configuration, digest string) (int, error) {
	newest, from, to := 0, 0, awayVersions
	if *s.side.Load() == Away {
		newest, from, to = awayVersions, awayVersions, math.MaxInt16
	}
	err := tx.Run(ctx, sqldb.Q(func(r *sql.Rows) error {
		var id, d string
		var v int
		if err := r.Scan(&id, &v, &d); err != nil {
			return err
		}
		if v > from && v <= to {
			newest = max(newest, v)
		}
		if d == digest {
			c.ID = id
		}
		return nil
	}, "SELECT id, version, digest FROM configurations WHERE archetype=? AND seats=?", c.Archetype, c.Seats))
	return newest, err
}

func (s *Store) publish(ctx context.Context, tx *sqldb.Tx, kind string, data []byte) error {
	return outbox.Append(ctx, tx, flights.Stream, flights.EventID, outbox.Event{Type: kind, Data: data})
}

// CabinSeats counts the seats of a map by cabin.
func CabinSeats(m flights.SeatMap) [4]int {
	var seats [4]int
	for _, cabin := range m.Cabin {
		ix := map[string]int{
			"PremiumEconomy": PremiumEconomyIx, "Business": BusinessIx, "First": FirstIx,
		}[cabin.CabinClass.CabinType] // Economy is 0
		for _, row := range cabin.Row {
			seats[ix] += len(row.Seat)
		}
	}
	return seats
}

// Configurations gives the configurations of the ids, in their order; one that does not
// exist has no id.
func (s *Store) Configurations(ctx context.Context, ids []string) ([]Configuration, error) {
	return s.configs.load(ids, func(missing []string) (map[string]Configuration, error) {
		fresh := map[string]Configuration{}
		err := sqldb.Each(ctx, s.db.Reader(), sqldb.Q(func(rows *sql.Rows) error {
			var c Configuration
			err := rows.Scan(&c.ID, &c.Archetype, &c.Seats, &c.Cabins[0], &c.Cabins[1], &c.Cabins[2], &c.Cabins[3])
			fresh[c.ID] = c
			return err
		}, "SELECT id, archetype, seats, economy, premium_economy, business, first_class"+
			" FROM configurations WHERE id IN "+sqldb.Marks(1, len(missing)), anys(missing)...))
		return fresh, err
	})
}

// SeatMap gives the geometry of a configuration. errs: NotFound.
func (s *Store) SeatMap(ctx context.Context, id string) (flights.PublishedSeatMap, error) {
	m := flights.PublishedSeatMap{Configuration: id}
	list, err := s.maps.load([]string{id}, func([]string) (map[string]json.RawMessage, error) {
		fresh := map[string]json.RawMessage{}
		err := sqldb.Each(ctx, s.db, sqldb.Q(func(rows *sql.Rows) error {
			var text []byte
			err := rows.Scan(&text)
			fresh[id] = text
			return err
		}, "SELECT seat_map FROM configurations WHERE id=?", id))
		return fresh, err
	})
	if err != nil {
		return m, err
	}
	if m.JSON = list[0]; m.JSON == nil {
		return m, errs.E(errs.NotFound, "there is no configuration %s", id)
	}
	return m, nil
}

func anys(list []string) []any {
	out := make([]any, len(list))
	for i, v := range list {
		out[i] = v
	}
	return out
}
