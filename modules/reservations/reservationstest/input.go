package reservationstest

import (
	"strings"
	"testing"

	"banyan/modules/kernel/errs"
	"banyan/modules/reservations"
)

func inputTests() []test {
	return []test{{"seats", badSeats}, {"customers", badCustomers}, {"times", badTimes}, {"keys", badKeys}, {"ids", badIDs}}
}

func badSeats(t *testing.T, w *world) {
	f, s := w.flight(t), w.twice(t)
	for _, c := range []struct {
		name  string
		seats []string
		code  errs.Code
	}{
		{"none", nil, errs.Invalid},
		{"row 13", []string{"12A", "13A"}, errs.SeatUnknown},
		{"row 21", []string{"21A"}, errs.SeatUnknown},
		{"column of another aircraft", []string{"1K"}, errs.SeatUnknown},
		{"lower case", []string{"12c"}, errs.Invalid},
		{"padding", []string{"012C"}, errs.Invalid},
		{"space before", []string{" 12C"}, errs.Invalid},
		{"space after", []string{"12C "}, errs.Invalid},
		{"line break after", []string{"12C\n"}, errs.Invalid},
		{"NUL", []string{"12C\x00"}, errs.Invalid},
		{"Cyrillic С", []string{"12С"}, errs.Invalid},
		{"full-width digits", []string{"１２C"}, errs.Invalid},
		{"Arabic digits", []string{"١٢C"}, errs.Invalid},
		{"combining accent", []string{"12C\u0301"}, errs.Invalid},
		{"column I", []string{"12I"}, errs.Invalid},
		{"column O", []string{"12O"}, errs.Invalid},
		{"row 0", []string{"0A"}, errs.Invalid},
		{"negative row", []string{"-1A"}, errs.Invalid},
		{"huge row", []string{"99999999999999999999A"}, errs.Invalid},
		{"row alone", []string{"12"}, errs.Invalid},
		{"column alone", []string{"C"}, errs.Invalid},
		{"empty", []string{""}, errs.Invalid},
		{"long", []string{strings.Repeat("1", 10000) + "A"}, errs.Invalid},
		{"SQL", []string{"1A' OR '1'='1"}, errs.Invalid},
		{"twice", []string{"12C", "12D", "12C"}, errs.Invalid},
		{"ten", []string{"1A", "1B", "1C", "1D", "1E", "1F", "2A", "2B", "2C", "2D"}, errs.Invalid},
	} {
		_, err := s.Hold(t.Context(), hold(f, "ann", c.seats...))
		want(t, "hold "+c.name, err, c.code)
		_, err = s.Reserve(t.Context(), reservations.ReserveRequest{FlightID: f.FlightID, CustomerID: "ann", Seats: c.seats})
		want(t, "reserve "+c.name, err, c.code)
	}
	_, err := s.Hold(t.Context(), hold(f, "ann", "12A", "13A", "13B"))
	wantField(t, err, "seats", "13A", "13B")
	if got := w.states(t, f, nil); got.Version != 0 {
		t.Errorf("refusals raised the version to %d", got.Version)
	}
}

func badCustomers(t *testing.T, w *world) {
	f, s := w.flight(t), w.twice(t)
	for name, id := range map[string]string{
		"none": "", "space": "a b", "NUL": "a\x00", "line break": "a\n", "long": strings.Repeat("a", 65),
		"not ASCII": "jürgen", "not UTF-8": "a\xff", "look-alike": "аnn",
	} {
		_, err := s.Hold(t.Context(), hold(f, id, "1A"))
		want(t, "hold for "+name, err, errs.Invalid)
		_, err = s.Reserve(t.Context(), reservations.ReserveRequest{FlightID: f.FlightID, CustomerID: id, Seats: []string{"1A"}})
		want(t, "reserve for "+name, err, errs.Invalid)
	}
	w.states(t, f, nil)
	// Names that a database might take for numbers, or for equal, are kept apart.
	for i, id := range []string{"7", "007", "7.0", "9E2", "900", "a", "A"} {
		seat := roomySeats()[i]
		_, err := s.Reserve(t.Context(), reservations.ReserveRequest{FlightID: f.FlightID, CustomerID: id, Seats: []string{seat}})
		want(t, "reserve for "+id, err, "")
		people, err := s.Occupants(t.Context(), f.FlightID)
		want(t, "occupants", err, "")
		if people[seat] != id {
			t.Errorf("%s is %q's, not %q's", seat, people[seat], id)
		}
	}
}

func badTimes(t *testing.T, w *world) {
	f, s := w.flight(t), w.twice(t)
	for _, seconds := range []int{-1, -600, 1201, 1 << 40} {
		r := hold(f, "ann", "1A")
		r.TTLSeconds = seconds
		_, err := s.Hold(t.Context(), r)
		want(t, "hold", err, errs.Invalid)
	}
	r := hold(f, "ann", "1A")
	r.TTLSeconds = 1200
	h, err := s.Hold(t.Context(), r)
	want(t, "hold for 20 minutes", err, "")
	a := on(h)
	a.TTLSeconds = 1201
	_, err = s.Extend(t.Context(), a)
	want(t, "extend", err, errs.Invalid)
}

func badKeys(t *testing.T, w *world) {
	f, s := w.flight(t), w.twice(t)
	r := hold(f, "ann", "1A")
	for _, k := range []string{"", strings.Repeat("k", 129), "a b", "a\x00", "ключ"} {
		r.Key = k
		_, err := s.Hold(t.Context(), r)
		if c := errs.CodeOf(err); c != errs.Invalid && c != errs.KeyRequired {
			t.Errorf("key %q: %v", k, err)
		}
	}
	r.Key = ""
	_, err := s.Hold(t.Context(), r)
	want(t, "hold without a key", err, errs.KeyRequired)
	w.states(t, f, nil)
	// Keys that a database might take for equal are different keys.
	for i, k := range []string{"1" + key()[20:], "01" + key()[20:]} {
		r := hold(f, "ann", roomySeats()[i])
		r.Key = k
		_, err := s.Hold(t.Context(), r)
		want(t, "hold with key "+k, err, "")
	}
	for i, k := range []string{"12345", "012345", "12345.0", "A", "a"} {
		r := hold(f, "bob", roomySeats()[10+i])
		r.Key = k
		_, err := s.Hold(t.Context(), r)
		want(t, "hold with key "+k, err, "")
	}
}

func badIDs(t *testing.T, w *world) {
	s := w.twice(t)
	for _, id := range []string{"nonsense", "12C", "ZZ1-JFK-20261121\x00", strings.Repeat("a", 5000), "ZZ1-JFK-20261121 ", "%", "аа1-JFK-20261121", "#", "# seq", "#ZZ1"} {
		_, err := s.Hold(t.Context(), hold(fact{FlightID: id}, "ann", "1A"))
		want(t, "hold on a strange flight", err, errs.FlightUnknown)
		_, err = s.Reserve(t.Context(), reservations.ReserveRequest{FlightID: id, CustomerID: "ann", Seats: []string{"1A"}})
		want(t, "reserve on a strange flight", err, errs.FlightUnknown)
		_, err = s.Seats(t.Context(), id)
		want(t, "seats of a strange flight", err, errs.FlightUnknown)
		_, err = s.Occupants(t.Context(), id)
		want(t, "occupants of a strange flight", err, errs.FlightUnknown)
		_, err = s.Block(t.Context(), reservations.BlockRequest{FlightID: id, Seat: "1A", Reason: "broken"})
		want(t, "block on a strange flight", err, errs.FlightUnknown)
	}
	for _, id := range []string{"nonsense", "h0000-", "h99x9-0000000000000000", "H0000-0000000000000000", "r0000-0000000000000000", "h0000-000000000000000\x00", strings.Repeat("h", 3000)} {
		_, err := s.Confirm(t.Context(), reservations.HoldAction{HoldID: id, Token: "t", Key: key()})
		want(t, "confirm a strange hold", err, errs.HoldUnknown)
		_, err = s.GetHold(t.Context(), id, "t")
		want(t, "get a strange hold", err, errs.HoldUnknown)
	}
}
