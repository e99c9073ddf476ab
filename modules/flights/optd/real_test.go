package optd_test

import (
	"os"
	"testing"
	"time"

	"banyan/modules/flights/optd"
)

// realFolder is beside the repository; it is no part of it.
const realFolder = "../../../../shared/data/optd"

// realData reads OpenTravelData's own files. On CI they must be there.
func realData(t *testing.T) (*optd.Data, map[optd.Reason]int) {
	t.Helper()
	if _, err := os.Stat(realFolder); err != nil {
		if os.Getenv("CI") != "" {
			t.Fatalf("OpenTravelData's files are not in ../shared/data/optd: %v", err)
		}
		t.Skipf("SKIPPED: put OpenTravelData's files into ../shared/data/optd to run this: %v", err)
	}
	reasons := map[optd.Reason]int{}
	d, err := optd.Read(realFolder, func(p optd.Problem) { reasons[p.Reason]++ })
	if err != nil {
		t.Fatal(err)
	}
	return d, reasons
}

// Seven days of the real files: every flight unique, plausible, and in number what the
// frequencies say.
func TestRealFilesForAWeek(t *testing.T) {
	d, reasons := realData(t)
	t.Logf("%d airports, %d airlines, %d aircraft, %d routes; left out: %v",
		len(d.Airports), len(d.Airlines), len(d.Aircraft), d.Routes, reasons)
	from := time.Date(2026, 11, 21, 0, 0, 0, 0, time.UTC)
	p, err := d.Plan(from, 7)
	if err != nil {
		t.Fatal(err)
	}
	t.Logf("%d flights", p.Len())
	if p.Len() < 650_000 || p.Len() > 750_000 {
		t.Errorf("%d flights in a week, want some 0.7 million", p.Len())
	}
	type name struct {
		designator string
		day        int
	}
	seen := make(map[name]bool, p.Len())
	n := 0
	for i := 0; i < p.Len(); i += 1000 {
		for _, f := range p.Flights(i, min(i+1000, p.Len())) {
			n++
			k := name{f.Designator, f.Departure.Day()}
			if seen[k] {
				t.Fatalf("%s flies twice on %d", f.Designator, k.day)
			}
			seen[k] = true
			if minutes := (f.ArrivalUTC - f.DepartureUTC) / 60; minutes < 30 || minutes > 26*60 {
				t.Fatalf("%s %s-%s takes %d minutes", f.Designator, f.Origin, f.Destination, minutes)
			}
			if c := f.Departure.Clock(); c < 530 || c >= 2230 || f.Fares.Economy < 2000 {
				t.Fatalf("%+v", f)
			}
		}
	}
	if n != p.Len() {
		t.Errorf("%d flights derived, %d announced", n, p.Len())
	}
}
