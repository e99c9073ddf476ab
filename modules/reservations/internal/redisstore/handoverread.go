package redisstore

import (
	"context"
	"strings"

	"github.com/redis/go-redis/v9"

	"banyan/modules/kernel/handover/mutant"
	"banyan/modules/reservations/internal/records"
)

// base is what the keys of a bucket's data begin with.
func (s *Store) base(b int) string { return strings.TrimSuffix(s.buckets[b], "flights") }

// keptHash is one of a bucket's hashes, on its way from Redis.
type keptHash struct {
	bucket int // index of the bucket
	key    string
	size   int64
	encode func(lines [][]byte, field, record string) ([][]byte, error)
	answer *redis.MapStringStringCmd // nil if it is read page by page
}

// readBuckets gives the canonical lines of buckets, unsorted. Small hashes come in one
// round trip.
func (s *Store) readBuckets(ctx context.Context, some []looked) ([][][]byte, error) {
	var hashes []keptHash
	for i, l := range some {
		base := s.base(l.fence.Bucket)
		hashes = append(hashes,
			keptHash{bucket: i, key: base + "day", size: l.day, encode: encodeDay},
			keptHash{bucket: i, key: base + "res", size: l.res, encode: encodeReservation})
		for _, f := range l.flights {
			hashes = append(hashes, keptHash{bucket: i, key: base + "s:" + f.id, size: f.size, encode: encodeSeats(f.id)})
		}
	}
	pipe := s.db.Pipeline()
	for i := range hashes {
		if h := &hashes[i]; h.size > 0 && h.size <= fieldsAPage {
			h.answer = pipe.HGetAll(ctx, h.key)
		}
	}
	if pipe.Len() > 0 {
		if _, err := pipe.Exec(ctx); err != nil {
			return nil, err
		}
	}
	lines := make([][][]byte, len(some))
	for _, h := range hashes {
		var err error
		to := &lines[h.bucket]
		switch {
		case h.answer != nil:
			for field, record := range h.answer.Val() {
				if *to, err = h.encode(*to, field, record); err != nil {
					return nil, err
				}
			}
		case h.size > 0:
			if *to, err = s.readPages(ctx, h, *to); err != nil {
				return nil, err
			}
		}
	}
	return lines, nil
}

// readPages reads a large hash. A record may come twice.
func (s *Store) readPages(ctx context.Context, h keptHash, lines [][]byte) ([][]byte, error) {
	var cursor uint64
	for {
		page, next, err := s.db.HScan(ctx, h.key, cursor, "", fieldsAPage).Result()
		if err != nil {
			return nil, err
		}
		for i := 0; i+1 < len(page); i += 2 {
			if lines, err = h.encode(lines, page[i], page[i+1]); err != nil {
				return nil, err
			}
		}
		if cursor = next; cursor == 0 {
			return lines, nil
		}
	}
}

// encodeDay makes the line of a hold or an idempotency record. Events stay.
func encodeDay(lines [][]byte, field, record string) ([][]byte, error) {
	if id, ok := strings.CutPrefix(field, "h"); ok {
		h, err := unpackHold(id, record)
		if err != nil {
			return nil, err
		}
		return append(lines, records.Hold(*h).Encode(nil)), nil
	}
	if mutant.IdempotencyNotCopied || strings.HasPrefix(field, "e") {
		return lines, nil
	}
	key, ok := strings.CutPrefix(field, "i")
	if !ok {
		return nil, errDamaged("day", field)
	}
	r, err := unpackRecord(record)
	if err != nil {
		return nil, err
	}
	line := records.Answer{Key: key, Fingerprint: r.Fingerprint, CreatedAt: r.CreatedAt, Answer: string(r.Answer)}.Encode(nil)
	return append(lines, line), nil
}

func encodeReservation(lines [][]byte, id, record string) ([][]byte, error) {
	r, err := unpackReservation(id, record)
	if err != nil {
		return nil, err
	}
	return append(lines, records.Reservation(*r).Encode(nil)), nil
}

// encodeSeats makes the lines of a flight's seats and of its version. What customers hold
// follows from the seats.
func encodeSeats(flight string) func(lines [][]byte, field, record string) ([][]byte, error) {
	return func(lines [][]byte, field, record string) ([][]byte, error) {
		if field == "#" {
			ok := true
			f := records.Flight{FlightID: flight, Version: number(record, &ok)}
			if !ok {
				return nil, errDamaged("version", record)
			}
			return append(lines, f.Encode(nil)), nil
		}
		if strings.HasPrefix(field, counts("")) {
			return lines, nil
		}
		s, err := unpackSeat(record)
		if err != nil {
			return nil, err
		}
		return append(lines, seatLine(flight, field, s)), nil
	}
}
