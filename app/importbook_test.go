package main

import (
	"encoding/json"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"

	"github.com/redis/go-redis/v9"

	"banyan/modules/kernel/dbtest"
	"banyan/modules/kernel/errs"
	"banyan/modules/reservations/bookimport"
)

// TestImportBook brings in what the book's service left in its Redis, by the front door of
// a running banyan, twice.
func TestImportBook(t *testing.T) {
	s := serveIn(t, "--data-dir", t.TempDir(), "--sample-data", "--log-level", "error")
	flight := aFlight(t, s)
	addr := dbtest.StartRedis(t).Addr
	book := redis.NewClient(&redis.Options{Addr: addr})
	t.Cleanup(func() { _ = book.Close() })
	free := freeSeats(t, s, flight, 40)
	seats := map[string]any{"99A": "c-1", "12c": "c-2", free[0]: strings.Repeat("c", 300)}
	for _, seat := range free[2:] {
		seats[seat] = "c-" + seat
	}
	for _, err := range []error{
		book.HSet(t.Context(), "flights:"+flight, seats).Err(),
		book.HSet(t.Context(), "flights:werty", free[1], "c-3").Err(), // known here by another name
		book.HSet(t.Context(), "flights:ZZ1-JFK-20200517", "1A", "c-4").Err(),
		book.Set(t.Context(), "flights:count", 7, 0).Err(),
		book.HSet(t.Context(), "other", "1A", "c-5").Err(),
	} {
		if err != nil {
			t.Fatal(err)
		}
	}
	dir := t.TempDir()
	ids, report := filepath.Join(dir, "ids.csv"), filepath.Join(dir, "left-out.txt")
	if err := os.WriteFile(ids, []byte("werty,"+flight+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	args := []string{"import", "book", addr, "--to", s.url, "--flights", ids, "--report", report, "-o", "json"}
	expected := bookimport.Report{
		Flights: 4, Seats: 43, New: 39, Skipped: 5,
		Reasons: map[errs.Code]int{errs.Invalid: 3, errs.SeatUnknown: 1, errs.FlightUnknown: 1},
	}
	importsBook(t, args, expected)
	taken := want(t, 200, "GET", s.url+"/reservations?flight_id="+flight, "")
	if len(taken) != 39 || taken[free[1]] == nil || taken[free[0]] != nil {
		t.Errorf("%d seats are reserved: %v", len(taken), taken)
	}
	lines, err := os.ReadFile(report)
	if err != nil || strings.Count(string(lines), "\n") != 5 || !strings.Contains(string(lines), `"flights:ZZ1-JFK-20200517" 1A: flight_unknown`) ||
		!strings.Contains(string(lines), `"flights:count": invalid`) {
		t.Errorf("the report: %s %v", lines, err)
	}
	expected.New, expected.Existing = 0, 39
	importsBook(t, args, expected)
	if again := want(t, 200, "GET", s.url+"/reservations?flight_id="+flight, ""); !reflect.DeepEqual(again, taken) {
		t.Errorf("again: %v", again)
	}
	if err := book.HSet(t.Context(), "flights:"+flight, free[1], "c-6").Err(); err != nil { // c-3 has it
		t.Fatal(err)
	}
	expected.Seats, expected.Skipped, expected.Reasons[errs.SeatTaken] = 44, 6, 1
	importsBook(t, args, expected)
}

func importsBook(t *testing.T, args []string, want bookimport.Report) {
	t.Helper()
	code, stdout, stderr := command(t, nil, args...)
	var got bookimport.Report
	if err := json.Unmarshal([]byte(stdout), &got); err != nil || code != 0 || !reflect.DeepEqual(got, want) {
		t.Errorf("exit code %d, %v: %+v, not %+v\n%s", code, err, got, want, stderr)
	}
}

// freeSeats names n seats of a flight.
func freeSeats(t *testing.T, s served, flight string, n int) []string {
	t.Helper()
	var geometry struct {
		Cabin []struct {
			Row []struct {
				RowNumber json.Number
				Seat      []struct{ Number string }
			}
		}
	}
	body, err := json.Marshal(want(t, 200, "GET", s.url+"/flights/"+flight+"/seat_map", ""))
	if err == nil {
		err = json.Unmarshal(body, &geometry)
	}
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, cabin := range geometry.Cabin {
		for _, row := range cabin.Row {
			for _, seat := range row.Seat {
				names = append(names, row.RowNumber.String()+seat.Number)
			}
		}
	}
	return names[:n]
}

func TestImportBookRefuses(t *testing.T) {
	ids := writeFile(t, "ids.csv", "a,b\na,c\n")
	for _, c := range []struct {
		name string
		args []string
		code int
		says string
	}{
		{"no Redis", nil, 2, "takes HOST:PORT"},
		{"a Redis that is not there", []string{freeAddr(t)}, 1, "Redis"},
		{"an address that is none", []string{"here", "--to", "x"}, 2, "--to is not an address"},
		{"a flight with two ids", []string{"h:1", "--flights", ids}, 2, "record 2: a is b before and c now"},
		{"no such file", []string{"h:1", "--flights", "none.csv"}, 2, "none.csv"},
		{"nobody there", []string{dbtest.RedisAddr(t), "--to", "http://" + freeAddr(t)}, 0, ""}, // nothing to bring in
	} {
		t.Run(c.name, func(t *testing.T) {
			code, _, stderr := command(t, nil, append([]string{"import", "book"}, c.args...)...)
			if code != c.code || !strings.Contains(stderr, c.says) {
				t.Errorf("exit code %d: %s", code, stderr)
			}
		})
	}
}

// TestImportBookStops: while nobody answers, no seat is said to be left out.
func TestImportBookStops(t *testing.T) {
	addr := dbtest.StartRedis(t).Addr
	book := redis.NewClient(&redis.Options{Addr: addr})
	t.Cleanup(func() { _ = book.Close() })
	if err := book.HSet(t.Context(), "flights:AA1-JFK-20270101", "1A", "c").Err(); err != nil {
		t.Fatal(err)
	}
	code, stdout, stderr := command(t, nil, "import", "book", addr, "--to", "http://"+freeAddr(t))
	if code != 1 || stdout != "" || !strings.Contains(stderr, "did not answer") {
		t.Errorf("exit code %d: %s%s", code, stdout, stderr)
	}
}
