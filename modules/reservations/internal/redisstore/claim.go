package redisstore

import (
	"strconv"

	"banyan/modules/reservations/internal/store"
)

// isClaim tells whether a change is what claim.lua is made for, as most are: a new hold of
// all the seats that it was asked for, decided on a guess.
func (l *snapshot) isClaim(c store.Change) bool {
	if l.fence != "" || c.Hold == nil || c.Record == nil || c.Reservation != nil {
		return false
	}
	for _, f := range l.fields {
		if f.becomes == "" || f.becomes == unchanged {
			return false
		}
	}
	return true
}

// claim gives the arguments of claim.lua for one hold.
func (l *snapshot) claim(sub store.Subject, c store.Change) []string {
	const before = 8 // the fields of seats
	var room [usual]byte
	var ends [before + 2*ordinaryFields]int
	t := texts{bytes: room[:0], ends: ends[:0]}
	t = t.with(strconv.AppendInt(t.bytes, int64(before-1+2*len(l.fields)), 10))
	t = t.with(append(t.bytes, l.flightID...))
	t = t.with(append(t.bytes, l.flight...))
	t = t.with(strconv.AppendInt(t.bytes, l.Now, 10))
	t = t.with(append(append(t.bytes, 'i'), sub.Key...))
	t = t.with(appendAnswered(t.bytes, c.Record, c, l.flightID))
	t = t.with(append(append(t.bytes, 'h'), c.Hold.HoldID...))
	t = t.with(appendHold(t.bytes, c.Hold))
	for _, f := range l.fields {
		t = t.with(append(t.bytes, f.name...))
		t = t.with(append(t.bytes, f.becomes...))
	}
	return t.list()
}

// ordinaryFields is enough for most claims.
const ordinaryFields = 4

// texts are made one behind the other, and take the memory of one. They are passed on by
// value, so that their room may be on the stack.
type texts struct {
	bytes []byte
	ends  []int
}

// with adds a text, which is at the end of the bytes.
func (t texts) with(bytes []byte) texts {
	return texts{bytes: bytes, ends: append(t.ends, len(bytes))}
}

func (t texts) list() []string {
	all, from := string(t.bytes), 0
	list := make([]string, len(t.ends))
	for i, end := range t.ends {
		list[i], from = all[from:end], end
	}
	return list
}
