package redisstore

import (
	"bytes"
	"context"
	"maps"
	"slices"
	"strings"

	"banyan/modules/kernel/bucket"
	"banyan/modules/kernel/errs"
	"banyan/modules/kernel/handover"
	"banyan/modules/kernel/idempotency"
	"banyan/modules/reservations/internal/records"
	"banyan/modules/reservations/internal/store"
)

// Copy implements handover.Participant. A record that this store would not give back as
// the same line is refused with errs.Invalid, before anything is stored; one of a flight
// that is not in the catalogue with errs.Conflict, and its part is not stored.
func (p *participant) Copy(ctx context.Context, epoch int64, parts []handover.Part) ([]handover.Fence, error) {
	if err := handover.CheckParts(epoch, parts); err != nil {
		return nil, err
	}
	calls := make([]call, len(parts))
	for i, part := range parts {
		c, err := copyCall(epoch, part)
		if err != nil {
			return nil, err
		}
		calls[i] = c
	}
	return p.refused(ctx, p.copy, calls)
}

// filling collects what a part writes.
type filling struct {
	bucket  int
	flights map[string]bool
	writes  map[string][]any // fields and records, by key
	held    map[string]map[string]counted
}

// copyCall makes the arguments of handover_copy.lua.
func copyCall(epoch int64, part handover.Part) (call, error) {
	c := call{bucket: part.Bucket}
	f := &filling{bucket: part.Bucket, flights: map[string]bool{}, writes: map[string][]any{}, held: map[string]map[string]counted{}}
	for _, line := range part.Records {
		if err := f.add(line); err != nil {
			return c, err
		}
		c.bytes += len(line)
	}
	c.args = append(c.args, epoch, part.Seq, len(f.flights))
	for _, id := range slices.Sorted(maps.Keys(f.flights)) {
		c.args = append(c.args, id)
	}
	c.args = append(c.args, 0)
	n := len(c.args) - 1
	held := 0
	for _, flight := range slices.Sorted(maps.Keys(f.held)) {
		for _, customer := range slices.Sorted(maps.Keys(f.held[flight])) {
			if seats := f.held[flight][customer].pack(0); seats != "" {
				c.args = append(c.args, flight, counts(customer), seats)
				held++
			}
		}
	}
	c.args[n] = held
	for _, key := range slices.Sorted(maps.Keys(f.writes)) {
		c.args = append(append(c.args, key, len(f.writes[key])), f.writes[key]...)
	}
	return c, nil
}

// add takes a line apart. What was packed is unpacked again: if that is not the same
// line, this store cannot keep it.
func (f *filling) add(line []byte) error {
	record, err := records.Decode(line)
	if err != nil {
		return err
	}
	var key, field, packed, flight string
	var encode func(lines [][]byte, field, record string) ([][]byte, error)
	switch r := record.(type) {
	case records.Answer:
		key, field, encode = "day", "i"+r.Key, encodeDay
		packed = packRecord(&idempotency.Record{Fingerprint: r.Fingerprint, Answer: []byte(r.Answer), CreatedAt: r.CreatedAt})
	case records.Flight:
		key, field, flight, encode = "s:"+r.FlightID, "#", r.FlightID, encodeSeats(r.FlightID)
		if r.Version > 0 && r.Version < maxEpoch {
			packed = itoa(r.Version)
		}
	case records.Hold:
		h := store.Hold(r)
		key, field, packed, flight, encode = "day", "h"+r.HoldID, packHold(&h), r.FlightID, encodeDay
	case records.Reservation:
		v := store.Reservation(r)
		key, field, packed, flight, encode = "res", r.ReservationID, packReservation(&v), r.FlightID, encodeReservation
	case records.Seat:
		key, field, flight, encode = "s:"+r.FlightID, r.Seat, r.FlightID, encodeSeats(r.FlightID)
		if s := seatOf(r); keepable(r.Seat, s) {
			packed = packSeat(s)
			f.count(r.FlightID, r.Seat, s)
		}
	}
	again, err := encode(nil, field, packed)
	if err != nil || len(again) != 1 || !bytes.Equal(again[0], line) {
		return errs.E(errs.Invalid, "the record %s cannot be kept here", line)
	}
	if _, answer := record.(records.Answer); !answer {
		if bucket.Of(flight) != f.bucket || strings.HasPrefix(flight, "#") {
			return errs.E(errs.Invalid, "the record %s does not belong to bucket %d", line, f.bucket)
		}
		f.flights[flight] = true
	}
	f.writes[key] = append(f.writes[key], field, packed)
	return nil
}

// keepable tells whether the fields of a flight's hash and the scripts can express a seat.
func keepable(seat string, s store.Seat) bool {
	kind := s.Kind == store.Held || s.Kind == store.Reserved || s.Kind == store.Blocked
	return kind && s.ExpiresAt >= 0 && seat != "" && !strings.ContainsAny(seat, "#,=") && !strings.HasPrefix(seat, counts(""))
}

// count keeps what a write keeps with every seat that is held.
func (f *filling) count(flight, seat string, s store.Seat) {
	if s.Kind != store.Held || s.CustomerID == "" {
		return
	}
	of := f.held[flight]
	if of == nil {
		of = map[string]counted{}
		f.held[flight] = of
	}
	of[s.CustomerID] = append(of[s.CustomerID], countedSeat{seat, s.ExpiresAt})
}

func seatOf(r records.Seat) store.Seat {
	return store.Seat{Kind: store.Kind(r.Kind), Ref: r.Ref, CustomerID: r.CustomerID, ExpiresAt: r.ExpiresAt}
}

func seatLine(flight, seat string, s store.Seat) []byte {
	return records.Seat{
		FlightID: flight, Seat: seat, Kind: string(s.Kind), Ref: s.Ref, CustomerID: s.CustomerID, ExpiresAt: s.ExpiresAt,
	}.Encode(nil)
}
