package main

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"slices"
	"strconv"
	"time"

	"github.com/spf13/cobra"

	"banyan/modules/flights"
	"banyan/modules/flights/flightslocal"
	"banyan/modules/flights/optd"
	"banyan/modules/kernel/config"
	"banyan/modules/kernel/errs"
	"banyan/modules/reservations/reservationslocal"
)

// shownProblems is how many lines that were left out are printed; --report keeps all.
const shownProblems = 20

// imported is what banyan import prints.
type imported struct {
	flightslocal.ImportReport
	Sellable int     `json:"made_sellable"` // flights that reservations was told of
	Seconds  float64 `json:"seconds"`
}

// importSettings are those of banyan import optd.
type importSettings struct {
	data   *dataSettings
	days   int
	date   string
	report string
	from   time.Time // date, once checked
}

func (s *importSettings) check(p *config.Problems) {
	s.data.check(p)
	if s.days < 1 || s.days > optd.MaxDays {
		p.Add("--days %d is not 1 to %d", s.days, optd.MaxDays)
	}
	if s.from = time.Now().UTC(); s.date == "" {
		return
	}
	var err error
	if s.from, err = time.Parse(time.DateOnly, s.date); err != nil {
		p.Add("--from %q is not a date such as 2026-11-21", s.date)
	}
}

func (c *cli) newImportCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use: "import", Short: "Bring in flights and reservations from elsewhere", Args: argument(),
		RunE: func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	cmd.AddCommand(c.newImportOptdCommand(), c.newImportBookCommand())
	return cmd
}

func (c *cli) newImportOptdCommand() *cobra.Command {
	sub := &cobra.Command{
		Use: "optd DIR", Args: argument("DIR"),
		Short: "Import airports, airlines, aircraft and flights from an OpenTravelData folder",
		Long: "Import airports, airlines, aircraft and dated flights from an OpenTravelData folder. Frequencies and\n" +
			"seats are the files'; times, designators, aircraft and fares are derived from them, always the same\n" +
			"way, and labelled as synthetic. An import that was stopped goes on where it was; one that was done\n" +
			"changes nothing. Lines that cannot be used are left out and reported.",
	}
	s := &importSettings{data: addDataFlags(sub.Flags())}
	sub.Flags().IntVar(&s.days, "days", 7, "for how many days")
	sub.Flags().StringVar(&s.date, "from", "", "first local date of departure, YYYY-MM-DD; today when it is not given")
	sub.Flags().StringVar(&s.report, "report", "", "file for all lines that were left out")
	c.checks[sub] = s.check
	sub.RunE = func(cmd *cobra.Command, args []string) error { return importOptd(cmd, s, args[0]) }
	return sub
}

func importOptd(cmd *cobra.Command, s *importSettings, dir string) (err error) {
	start := time.Now()
	keep, err := openReport(s.report)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, keep.close()) }()
	d, err := openData(cmd.Context(), s.data, cmd.CommandPath())
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, d.Close()) }()
	if err := d.migrate(cmd.Context()); err != nil {
		return err
	}
	service := flightslocal.New(d.flights)
	bar := newMeter(cmd.ErrOrStderr(), "flights")
	result := imported{}
	result.ImportReport, err = service.Import(cmd.Context(), flightslocal.Import{
		Dir: dir, Days: s.days, From: s.from, Progress: bar.at,
		Problem: func(p optd.Problem) { keep.line(p, cmd.ErrOrStderr()) },
	})
	bar.end()
	keep.more(cmd.ErrOrStderr())
	if err != nil {
		return err
	}
	if result.Sellable, err = makeSellable(cmd, d, service); err != nil {
		return err
	}
	result.Seconds = float64(time.Since(start).Milliseconds()) / 1000
	return emit(cmd, result, result.table())
}

// makeSellable lets reservations' copy of the flights catch up with them.
func makeSellable(cmd *cobra.Command, d *data, service *flightslocal.Service) (int, error) {
	seats, err := reservationslocal.NewSQL(cmd.Context(), d.reservations, d.seats)
	if err != nil {
		return 0, err
	}
	bar := newMeter(cmd.ErrOrStderr(), "sellable")
	defer bar.end()
	events := &countedEvents{service: service}
	err = seats.Feed(flightsData, events).CatchUp(cmd.Context(), func(int64) { bar.at(events.flights, 0) })
	if err != nil && cmd.Context().Err() != nil {
		err = errs.E(errs.Unavailable, "stopped before every flight could be sold; the same command, or banyan serve, goes on").Because(err)
	}
	return events.flights, err
}

// countedEvents hands flights' events to reservations and counts the flights in them.
type countedEvents struct {
	service flights.Feed
	flights int
}

func (e *countedEvents) Events(ctx context.Context, since int64, limit int) ([]reservationslocal.FlightEvent, error) {
	list, err := e.service.Events(ctx, since, limit)
	out := make([]reservationslocal.FlightEvent, len(list))
	for i, event := range list {
		e.flights += bytes.Count(event.Data, []byte(`"flight_id"`))
		out[i] = reservationslocal.FlightEvent(event)
	}
	return out, err
}

func (r imported) table() [][]string {
	row := func(name string, n int) []string { return []string{name, strconv.Itoa(n)} }
	rows := [][]string{
		{"IMPORTED", fmt.Sprintf("%d days from %s", r.Days, r.From)},
		row("flights", r.Flights), row("  new", r.New), row("  existing", r.Existing), row("made sellable", r.Sellable),
		row("airports", r.Airports), row("carriers", r.Carriers), row("aircraft", r.Aircraft),
		row("routes", r.Routes), row("configurations", r.Configurations), row("lines left out", r.Skipped),
	}
	for _, why := range slices.Sorted(maps.Keys(r.Reasons)) {
		rows = append(rows, row("  "+string(why), r.Reasons[why]))
	}
	return append(rows, []string{"seconds", strconv.FormatFloat(r.Seconds, 'f', 1, 64)})
}

// problemReport shows the first lines that were left out and keeps all in a file.
type problemReport struct {
	file  *os.File // nil: none is kept
	out   *bufio.Writer
	count int
}

func openReport(name string) (*problemReport, error) {
	if name == "" {
		return &problemReport{}, nil
	}
	f, err := os.Create(name)
	if err != nil {
		return nil, errs.E(errs.Invalid, "--report: %s cannot be written", name).Because(err)
	}
	return &problemReport{file: f, out: bufio.NewWriter(f)}, nil
}

func (r *problemReport) line(p fmt.Stringer, shown io.Writer) {
	if r.count++; r.count <= shownProblems {
		_, _ = fmt.Fprintln(shown, p)
	}
	if r.out != nil {
		_, _ = fmt.Fprintln(r.out, p) // an error stays with the writer until Flush
	}
}

// more tells how many were not shown.
func (r *problemReport) more(shown io.Writer) {
	if more := r.count - shownProblems; more > 0 {
		_, _ = fmt.Fprintf(shown, "… and %d more lines; --report FILE keeps them all\n", more)
	}
}

func (r *problemReport) close() error {
	if r.file == nil {
		return nil
	}
	return errors.Join(r.out.Flush(), r.file.Close())
}
