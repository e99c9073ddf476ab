package store

import (
	"context"
	"crypto/sha256"
	"database/sql"
	"encoding/hex"
	"encoding/json"
	"strings"

	"banyan/modules/flights"
	"banyan/modules/kernel/errs"
	"banyan/modules/kernel/sqldb"
)

// Pages of reference data: seat maps are large.
const (
	mirrorRows = 500
	mirrorMaps = 50
)

// Reference gives a page of reference data; see flights.Mirror. A page has rows of one
// table, and its mark is the table and the last key.
func (s *Store) Reference(ctx context.Context, since int64, after string) (flights.ReferencePage, error) {
	var page flights.ReferencePage
	if _, err := s.serving(ctx); err != nil {
		return page, err
	}
	page.Side = *s.side.Load()
	var err error
	if page.Changes, err = s.counter(ctx, referenceOf(page.Side)); err != nil || after == "" && since == page.Changes {
		return page, err
	}
	kind, key, _ := strings.Cut(after, ":")
	last := ""
	switch kind {
	case "":
		page.Next = "airports:"
		return page, nil
	case "airports":
		if page.Airports, err = s.AirportsAfter(ctx, "", key, mirrorRows); len(page.Airports) == mirrorRows {
			last = page.Airports[mirrorRows-1].Code
		}
		page.Next = nextMark(kind, last, "carriers")
	case "carriers":
		page.Carriers, last, err = carriersAfter(ctx, s.db, key)
		page.Next = nextMark(kind, last, "aircraft")
	case "aircraft":
		page.Aircraft, last, err = aircraftAfter(ctx, s.db, key)
		page.Next = nextMark(kind, last, "configurations")
	case "configurations":
		page.Configurations, last, err = mapsAfter(ctx, s.db, key)
		page.Next = nextMark(kind, last, "")
	default:
		err = errs.E(errs.Invalid, "after is not one that a page before gave as next").With("field", "after")
	}
	return page, err
}

// nextMark goes on behind the last key, or with the next table.
func nextMark(kind, last, then string) string {
	if last != "" {
		return kind + ":" + last
	}
	if then == "" {
		return ""
	}
	return then + ":"
}

func carriersAfter(ctx context.Context, db *sqldb.DB, key string) (list []flights.ReferenceCarrier, last string, err error) {
	err = sqldb.Each(ctx, db.Reader(), sqldb.Q(func(r *sql.Rows) error {
		var c flights.ReferenceCarrier
		err := r.Scan(&c.Code, &c.Name)
		list = append(list, c)
		return err
	}, "SELECT code, name FROM carriers WHERE code>? ORDER BY code LIMIT ?", key, mirrorRows))
	if len(list) == mirrorRows {
		last = list[mirrorRows-1].Code
	}
	return list, last, err
}

func aircraftAfter(ctx context.Context, db *sqldb.DB, key string) (list []flights.ReferenceAircraft, last string, err error) {
	err = sqldb.Each(ctx, db.Reader(), sqldb.Q(func(r *sql.Rows) error {
		var a flights.ReferenceAircraft
		err := r.Scan(&a.Code, &a.Name, &a.Archetype)
		list = append(list, a)
		return err
	}, "SELECT code, name, archetype FROM aircraft WHERE code>? ORDER BY code LIMIT ?", key, mirrorRows))
	if len(list) == mirrorRows {
		last = list[mirrorRows-1].Code
	}
	return list, last, err
}

func mapsAfter(ctx context.Context, db *sqldb.DB, key string) (list []flights.ReferenceConfiguration, last string, err error) {
	err = sqldb.Each(ctx, db.Reader(), sqldb.Q(func(r *sql.Rows) error {
		var c flights.ReferenceConfiguration
		var body []byte
		if err := r.Scan(&c.ID, &c.Archetype, &c.Seats, &c.Version, &body); err != nil {
			return err
		}
		err := json.Unmarshal(body, &c.Map)
		list = append(list, c)
		return err
	}, "SELECT id, archetype, seats, version, seat_map FROM configurations WHERE id>? ORDER BY id LIMIT ?", key, mirrorMaps))
	if len(list) == mirrorMaps {
		last = list[mirrorMaps-1].ID
	}
	return list, last, err
}

// Other names the other side, and tells which of its changes of reference data was copied
// last.
func (s *Store) Other(ctx context.Context) (side string, changes int64, err error) {
	if _, err := s.serving(ctx); err != nil {
		return "", 0, err
	}
	if side = Away; *s.side.Load() == Away {
		side = Home
	}
	changes, err = s.counter(ctx, referenceOf(side))
	return side, changes, err
}

// PutMirrored stores reference data of the other side, over what has the same codes. It
// is not a change made here.
func (s *Store) PutMirrored(ctx context.Context, p *flights.ReferencePage) error {
	return s.do(ctx, func(ctx context.Context, tx *sqldb.Tx) error {
		err := putRowsOf(ctx, tx, s.db.Dialect(), "airports", airportFields(), p.Airports, airportValues)
		if err == nil {
			err = putRowsOf(ctx, tx, s.db.Dialect(), "carriers", []string{"code", "name"}, p.Carriers,
				func(c flights.ReferenceCarrier) []any { return []any{c.Code, c.Name} })
		}
		if err == nil {
			err = putRowsOf(ctx, tx, s.db.Dialect(), "aircraft", []string{"code", "name", "archetype"}, p.Aircraft,
				func(a flights.ReferenceAircraft) []any { return []any{a.Code, a.Name, a.Archetype} })
		}
		for i := range p.Configurations {
			if err == nil {
				err = s.putMap(ctx, tx, &p.Configurations[i])
			}
		}
		return err
	})
}

// putMap stores a configuration that the other side made, unless it is here. The same
// geometry may have got a name on each side: the digest, by which a geometry is found
// when a flight wants one, stays with the first.
func (s *Store) putMap(ctx context.Context, tx *sqldb.Tx, c *flights.ReferenceConfiguration) error {
	body, err := json.Marshal(c.Map)
	if err != nil {
		return errs.E(errs.Internal, "the seat map cannot be written").Because(err)
	}
	sum := sha256.Sum256(body)
	digest, here := hex.EncodeToString(sum[:]), false
	err = tx.Run(ctx, sqldb.Q(func(r *sql.Rows) error {
		var id string
		err := r.Scan(&id)
		here = here || id == c.ID
		digest = c.ID // another has it, or nothing is written
		return err
	}, "SELECT id FROM configurations WHERE id=? OR archetype=? AND seats=? AND digest=?", c.ID, c.Archetype, c.Seats, digest))
	if err != nil || here {
		return err
	}
	cabins := CabinSeats(c.Map)
	return tx.Run(ctx, sqldb.S("INSERT INTO configurations (id, archetype, seats, version, economy, premium_economy,"+
		" business, first_class, digest, seat_map) VALUES (?,?,?,?,?,?,?,?,?,?)",
		c.ID, c.Archetype, c.Seats, c.Version, cabins[0], cabins[1], cabins[2], cabins[3], digest, string(body)))
}

// SaveMirrored notes that all of the other side's reference data was copied as of a
// number of its changes.
func (s *Store) SaveMirrored(ctx context.Context, side string, changes int64) error {
	return s.do(ctx, func(ctx context.Context, tx *sqldb.Tx) error {
		return tx.Run(ctx, sqldb.S("UPDATE counters SET value=? WHERE name=? AND value<?", changes, referenceOf(side), changes))
	})
}
