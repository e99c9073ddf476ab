package main

import (
	"encoding/csv"
	"errors"
	"maps"
	"os"
	"slices"
	"strconv"

	"github.com/spf13/cobra"

	"banyan/modules/kernel/config"
	"banyan/modules/kernel/errs"
	"banyan/modules/kernel/redisdb"
	"banyan/modules/kernel/service"
	"banyan/modules/kernel/web"
	"banyan/modules/reservations/bookimport"
	"banyan/modules/reservations/reservationshttp"
)

// importBookSettings are those of banyan import book.
type importBookSettings struct {
	redis   *redisdb.Flags
	to      string
	flights string
	report  string
	ids     map[string]string // of flights, once checked
}

func (s *importBookSettings) check(p *config.Problems) {
	s.redis.Check(p)
	if service.CheckURL(p, "to", s.to, "http://127.0.0.1:8080"); s.to == "" {
		p.Add("--to is empty; give the address of a running banyan, such as http://127.0.0.1:8080")
	}
	var err error
	if s.ids, err = readFlightIDs(s.flights); err != nil {
		p.Add("--flights: %v", err)
	}
}

func (c *cli) newImportBookCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use: "book HOST:PORT", Args: argument("HOST:PORT"),
		Short: "Import reservations from the Redis of the book's reservations service",
		Long: "Import the reservations that the service of the book Microservices: Up and Running keeps in Redis: a\n" +
			"hash flights:<flight> with a field for each seat, whose value is the customer. A running banyan reserves\n" +
			"each seat, at any weight and while it sells; that Redis is only read. Doing it again changes nothing.\n" +
			"Seats that cannot be had are left out and reported.",
	}
	s := &importBookSettings{redis: redisdb.AddFlags(cmd.Flags())}
	cmd.Flags().StringVar(&s.to, "to", "http://127.0.0.1:8080", "address of the running banyan")
	cmd.Flags().StringVar(&s.flights, "flights", "", "CSV file of two columns, the flight in the Redis and its flight_id here; others keep theirs")
	cmd.Flags().StringVar(&s.report, "report", "", "file for all seats that were left out")
	c.checks[cmd] = s.check
	cmd.RunE = func(cmd *cobra.Command, args []string) error { return importBook(cmd, s, args[0]) }
	return cmd
}

func importBook(cmd *cobra.Command, s *importBookSettings, addr string) (err error) {
	reached, err := s.redis.Options(addr)
	if err != nil {
		return err
	}
	from, err := redisdb.Open(cmd.Context(), reached)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, from.Close()) }()
	keep, err := openReport(s.report)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, keep.close()) }()
	bar := newMeter(cmd.ErrOrStderr(), "seats")
	report, err := bookimport.Run(cmd.Context(), bookimport.Import{
		From: from, To: reservationshttp.NewClient(s.to, web.NewTransport(web.TransportOptions{})), Flights: s.ids,
		Progress: func(seats int) { bar.at(seats, 0) },
		Problem:  func(p bookimport.Problem) { keep.line(p, cmd.ErrOrStderr()) },
	})
	bar.end()
	keep.more(cmd.ErrOrStderr())
	if err != nil {
		return err
	}
	return emit(cmd, report, bookRows(report))
}

func bookRows(r bookimport.Report) [][]string {
	row := func(name string, n int) []string { return []string{name, strconv.Itoa(n)} }
	rows := [][]string{row("FLIGHTS", r.Flights), row("seats", r.Seats), row("  new", r.New), row("  existing", r.Existing), row("left out", r.Skipped)}
	for _, why := range slices.Sorted(maps.Keys(r.Reasons)) {
		rows = append(rows, row("  "+string(why), r.Reasons[why]))
	}
	return rows
}

// readFlightIDs reads the second column by the first; of no file, nothing.
func readFlightIDs(file string) (map[string]string, error) {
	if file == "" {
		return map[string]string{}, nil
	}
	f, err := os.Open(file)
	if err != nil {
		return nil, err
	}
	defer func() { _ = f.Close() }()
	lines := csv.NewReader(f)
	lines.FieldsPerRecord = 2
	records, err := lines.ReadAll()
	if err != nil {
		return nil, err
	}
	ids := make(map[string]string, len(records))
	for n, r := range records {
		if was, twice := ids[r[0]]; twice && was != r[1] {
			return nil, errs.E(errs.Invalid, "record %d: %s is %s before and %s now; remove one", n+1, r[0], was, r[1])
		}
		ids[r[0]] = r[1]
	}
	return ids, nil
}
