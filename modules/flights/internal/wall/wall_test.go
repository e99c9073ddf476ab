package wall_test

import (
	"math/rand/v2"
	"testing"
	"time"

	"banyan/modules/flights/internal/wall"
)

// TestInstantComesBack takes instants around every change of clocks: what the wall shows
// must lead back to the instant, or, in the hour that comes twice, to the first one.
func TestInstantComesBack(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 1))
	var zones wall.Zones
	for _, name := range []string{
		"America/New_York", "Europe/Berlin", "Australia/Lord_Howe", "Africa/Casablanca", "Pacific/Apia",
		"Asia/Kathmandu", "America/Havana", "Pacific/Chatham", "Asia/Gaza", "America/Nuuk", "UTC",
	} {
		loc, err := zones.Load(name)
		if err != nil {
			t.Fatal(err)
		}
		at := time.Date(2015, 1, 1, 0, 0, 0, 0, time.UTC)
		for at.Year() < 2037 {
			_, next := at.In(loc).ZoneBounds()
			if next.IsZero() {
				next = at.AddDate(1, 0, 0)
			}
			for range 40 {
				check(t, loc, next.Add(time.Duration(r.IntN(60*60)-30*60)*time.Minute))
			}
			at = next.Add(time.Minute)
		}
	}
}

func check(t *testing.T, loc *time.Location, at time.Time) {
	t.Helper()
	at = at.Truncate(time.Minute)
	local, err := wall.Parse(at.In(loc).Format("2006-01-02T15:04"))
	if err != nil {
		t.Fatal(err)
	}
	got := time.Unix(local.Instant(loc), 0)
	shown := got.In(loc).Format("2006-01-02T15:04")
	if shown != local.String() || got.After(at) {
		t.Fatalf("%s: %s became %s, which shows %s", loc, at.UTC(), got.UTC(), shown)
	}
	if got.Equal(at) {
		return
	}
	_, o := at.In(loc).Zone()
	if _, before := got.In(loc).Zone(); before <= o || at.Sub(got) != time.Duration(before-o)*time.Second {
		t.Fatalf("%s: %s became %s, though the hour does not come twice", loc, at.UTC(), got.UTC())
	}
}

func TestSkippedTimeMovesOn(t *testing.T) {
	var zones wall.Zones
	for _, c := range []struct{ zone, local, utc string }{
		{"America/New_York", "2026-03-08T02:00", "2026-03-08T07:00:00Z"},
		{"America/New_York", "2026-03-08T02:59", "2026-03-08T07:59:00Z"},
		{"Europe/Berlin", "2026-03-29T02:30", "2026-03-29T01:30:00Z"},
		{"Pacific/Apia", "2011-12-30T12:00", "2011-12-30T22:00:00Z"}, // a whole day was skipped
	} {
		loc, err := zones.Load(c.zone)
		if err != nil {
			t.Fatal(err)
		}
		local, err := wall.Parse(c.local)
		if got := time.Unix(local.Instant(loc), 0).UTC().Format(time.RFC3339); err != nil || got != c.utc {
			t.Errorf("%s in %s is %s, %v; want %s", c.local, c.zone, got, err, c.utc)
		}
	}
}

func TestParts(t *testing.T) {
	at, err := wall.Parse("2026-11-21T09:05")
	if err != nil || at.Day() != 20261121 || at.Clock() != 905 || wall.Of(20261121, 905) != at || at.Date() != "2026-11-21" {
		t.Errorf("%s: %d %d, %v", at, at.Day(), at.Clock(), err)
	}
	for _, s := range []string{"", "2026-11-21", "2026-11-21T9:05", "2026-11-21T24:00", "2026-02-29T00:00", "1969-01-01T00:00", "2100-01-01T00:00", "2026-11-21 09:05", "2026-11-21T09:05:00"} {
		if got, err := wall.Parse(s); err == nil {
			t.Errorf("Parse(%q) = %s", s, got)
		}
	}
	var zones wall.Zones
	for _, name := range []string{"", "Local", "Mars/Olympus", "../etc/passwd"} {
		if loc, err := zones.Load(name); err == nil {
			t.Errorf("Load(%q) = %s", name, loc)
		}
	}
}
