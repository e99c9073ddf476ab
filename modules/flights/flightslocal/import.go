package flightslocal

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"runtime"
	"time"

	"golang.org/x/sync/errgroup"

	"banyan/modules/flights/geometry"
	"banyan/modules/flights/internal/store"
	"banyan/modules/flights/optd"
	"banyan/modules/kernel/errs"
)

// Import says what to import: dated flights that leave on Days local dates from From
// on, by the OpenTravelData files in Dir.
type Import struct {
	Dir  string
	Days int
	From time.Time // its date counts

	Progress func(done, total int) // flights; may be nil
	Problem  func(optd.Problem)    // each line that is left out; may be nil
}

// ImportReport is what an import found and did. Flights are New or Existing: those of
// an earlier import, of an earlier start of this one, or an agent's.
type ImportReport struct {
	Flights        int                 `json:"flights"`
	New            int                 `json:"new"`
	Existing       int                 `json:"existing"`
	Airports       int                 `json:"airports"`
	Carriers       int                 `json:"carriers"`
	Aircraft       int                 `json:"aircraft"`
	Configurations int                 `json:"configurations"`
	Routes         int                 `json:"routes"`
	From           string              `json:"from"` // local date, YYYY-MM-DD
	Days           int                 `json:"days"`
	Skipped        int                 `json:"skipped_lines"`
	Reasons        map[optd.Reason]int `json:"skipped_by_reason"`
}

// derivation names the rules by which flights are derived; raise it when they change,
// so that an import that was cut off is not taken up by other rules.
const derivation = "1"

// Import brings airports, airlines, aircraft and flights in. How far it has come is
// stored with each batch, so the same import goes on where it was cut off, and does
// nothing when it was done. Flights that exist are left as they are, also the cancelled.
// errs: Invalid for a folder or a period that cannot be imported, Unsafe when this store
// does not own every flight.
func (s *Service) Import(ctx context.Context, in Import) (ImportReport, error) {
	report := ImportReport{Days: in.Days, From: in.From.Format(time.DateOnly), Reasons: map[optd.Reason]int{}}
	data, err := optd.Read(in.Dir, func(p optd.Problem) {
		report.Skipped++
		report.Reasons[p.Reason]++
		if in.Problem != nil {
			in.Problem(p)
		}
	})
	if err != nil {
		return report, err
	}
	if err := s.store.OwnsAll(ctx); err != nil {
		return report, err
	}
	plan, err := data.Plan(in.From, in.Days)
	if err != nil {
		return report, err
	}
	report.Flights, report.Routes = plan.Len(), data.Routes
	report.Airports, report.Carriers, report.Aircraft = len(data.Airports), len(data.Airlines), len(data.Aircraft)
	run, err := s.store.LoadRun(ctx, runID(data.Digest, in))
	if err != nil {
		return report, err
	}
	run.Refused = int64(report.Skipped)
	before := run.Inserted
	for _, sizes := range plan.Configurations() {
		report.Configurations += len(sizes)
	}
	if !run.Done {
		err = s.runImport(ctx, data, plan, &run, in.Progress)
	}
	report.New = int(run.Inserted - before)
	report.Existing = report.Flights - report.New
	return report, err
}

// runID names an import by everything that decides its flights.
func runID(digest string, in Import) string {
	sum := sha256.Sum256(fmt.Appendf(nil, "%s|%s|%s|%d", derivation, digest, in.From.Format(time.DateOnly), in.Days))
	return hex.EncodeToString(sum[:16])
}

func (s *Service) runImport(ctx context.Context, data *optd.Data, plan *optd.Plan, run *store.Run, progress func(done, total int)) error {
	if err := s.putReference(ctx, data); err != nil {
		return err
	}
	aircraft, err := s.ensureAll(ctx, plan.Configurations())
	if err != nil {
		return err
	}
	if progress == nil {
		progress = func(int, int) {}
	}
	total := plan.Len()
	progress(int(run.NextLine), total)
	err = inOrder(ctx, int(run.NextLine), total, func(from, to int) []store.Row {
		return rowsOf(plan.Flights(from, to), aircraft)
	}, func(rows []store.Row) error {
		next := *run
		next.NextLine += int64(len(rows))
		next.Done = next.NextLine == int64(total)
		if _, err := s.store.InsertFlights(ctx, rows, &next); err != nil {
			return err
		}
		*run = next
		progress(int(run.NextLine), total)
		return nil
	})
	if err == nil && !run.Done { // there was nothing to insert
		run.Done = true
		err = s.store.SaveRun(ctx, *run)
	}
	if ctx.Err() != nil {
		return errs.E(errs.Unavailable, "the import was stopped at flight %d of %d; the same command goes on from there", run.NextLine, total).Because(ctx.Err())
	}
	return err
}

func (s *Service) putReference(ctx context.Context, data *optd.Data) error {
	if err := s.store.PutAirports(ctx, data.Airports); err != nil {
		return err
	}
	carriers := make([]store.Carrier, len(data.Airlines))
	for i, a := range data.Airlines {
		carriers[i] = store.Carrier(a)
	}
	if err := s.store.PutCarriers(ctx, carriers); err != nil {
		return err
	}
	aircraft := make([]store.Aircraft, len(data.Aircraft))
	for i, a := range data.Aircraft {
		aircraft[i] = store.Aircraft(a)
	}
	return s.store.PutAircraft(ctx, aircraft)
}

// aircraftKey is what an import knows of an aircraft.
type aircraftKey struct {
	archetype string
	seats     int
}

// ensureAll stores the configurations that the flights use, before the first of them.
func (s *Service) ensureAll(ctx context.Context, wanted map[string][]int) (map[aircraftKey]store.Configuration, error) {
	known := map[aircraftKey]store.Configuration{}
	for _, code := range geometry.Codes() {
		for _, seats := range wanted[code] {
			g, err := geometryOf(code, seats, nil)
			if err != nil {
				return nil, err
			}
			if known[aircraftKey{code, seats}], err = s.store.Ensure(ctx, g); err != nil {
				return nil, err
			}
		}
	}
	return known, nil
}

// madeUp is what an import labels as synthetic.
const madeUp = store.SyntheticDesignator | store.SyntheticDeparture | store.SyntheticArrival |
	store.SyntheticAircraft | store.SyntheticFares

func rowsOf(list []optd.Flight, aircraft map[aircraftKey]store.Configuration) []store.Row {
	rows := make([]store.Row, len(list))
	for i := range list {
		f := &list[i]
		c := aircraft[aircraftKey{f.Archetype, f.Seats}]
		rows[i] = store.Row{
			FlightID: flightID(f.Designator, f.Origin, f.Departure), Designator: f.Designator, Carrier: f.Carrier,
			Origin: f.Origin, Destination: f.Destination,
			Departure: f.Departure, DepartureUTC: f.DepartureUTC, Arrival: f.Arrival, ArrivalUTC: f.ArrivalUTC,
			Configuration: c.ID, Currency: optd.Currency, Synthetic: madeUp,
		}
		for ix, fare := range [...]int64{f.Fares.Economy, f.Fares.PremiumEconomy, f.Fares.Business} {
			if c.Cabins[ix] > 0 {
				rows[i].Fares[ix] = fare
			}
		}
	}
	return rows
}

// inOrder derives the places from to total in batches, several at once and a few ahead,
// and hands them to write one by one, in order.
func inOrder(ctx context.Context, from, total int, derive func(from, to int) []store.Row, write func([]store.Row) error) error {
	const ahead = 8
	group, ctx := errgroup.WithContext(ctx)
	slots := make(chan chan []store.Row, ahead)
	group.Go(func() error {
		defer close(slots)
		var workers errgroup.Group
		workers.SetLimit(runtime.GOMAXPROCS(0))
		for ; from < total; from += store.MaxBatch {
			slot, start := make(chan []store.Row, 1), from
			select {
			case slots <- slot:
			case <-ctx.Done():
				return ctx.Err()
			}
			workers.Go(func() error {
				slot <- derive(start, min(start+store.MaxBatch, total))
				return nil
			})
		}
		return workers.Wait()
	})
	group.Go(func() error {
		for slot := range slots {
			if err := ctx.Err(); err != nil {
				return err
			}
			if err := write(<-slot); err != nil {
				return err
			}
		}
		return nil
	})
	return group.Wait()
}
