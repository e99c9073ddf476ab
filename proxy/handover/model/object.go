package model

// data is what a store has of the bucket, and what the ideal bucket has: one seat and
// one idempotency record. They are two records on their way, the seat's before the
// other's.
type data struct {
	seat   seat
	record bool // Alice's hold has its answer recorded
}

// seat says who has it.
type seat uint8

const (
	free seat = iota
	alice
	bob
)

// write is what a client asks for. Alice sends an idempotency key and may repeat her
// request for ever; each of Bob's is a new one.
type write uint8

const (
	aliceHolds write = iota
	bobHolds
	aliceReleases
	none // is no write
)

// answer to a write.
type answer uint8

const (
	done answer = iota
	taken
	notHeld
)

// apply is the sequential object: what a write makes of the data, and its answer. Errors
// are not recorded, for they changed nothing. Without records, every request is new.
func (d data) apply(w write, records bool) (data, answer) {
	switch w {
	case aliceHolds:
		if d.record && records {
			return d, done
		}
		if d.seat != free {
			return d, taken
		}
		return data{seat: alice, record: records}, done
	case bobHolds:
		if d.seat != free {
			return d, taken
		}
		d.seat = bob
		return d, done
	case aliceReleases, none:
	}
	if d.seat != alice {
		return d, notHeld
	}
	d.seat = free
	return d, done
}

// parts is the number of records, each of which travels as a part of its own.
func (d data) parts() uint8 {
	n := uint8(0)
	if d.seat != free {
		n++
	}
	if d.record {
		n++
	}
	return n
}
