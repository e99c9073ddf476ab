package store

import (
	"cmp"
	"slices"
)

// turns keeps claims until they may be written. A flight is written by one batch at a
// time: the next one needs the version that it makes.
type turns struct {
	waiting []*job
	busy    map[string]bool // flights of the batches under way
}

// any tells whether some claim's turn has come.
func (t *turns) any() bool {
	return slices.ContainsFunc(t.waiting, func(j *job) bool { return !t.busy[j.sub.FlightID] })
}

// take gives the claims whose turn has come and that one batch can carry, in the order in
// which all batches lock.
func (t *turns) take() []*job {
	var batch, rest []*job
	for _, j := range t.waiting {
		if len(batch) < combineAtOnce && !t.busy[j.sub.FlightID] && !slices.ContainsFunc(batch, j.meets) {
			batch = append(batch, j)
		} else {
			rest = append(rest, j)
		}
	}
	t.waiting = rest
	for _, j := range batch {
		t.busy[j.sub.FlightID] = true
	}
	slices.SortStableFunc(batch, func(a, b *job) int {
		return cmp.Or(cmp.Compare(a.sub.Bucket, b.sub.Bucket), cmp.Compare(a.sub.FlightID, b.sub.FlightID))
	})
	return batch
}

// leave says that a batch is no longer under way.
func (t *turns) leave(batch []*job) {
	for _, j := range batch {
		delete(t.busy, j.sub.FlightID)
	}
}

// meets tells whether a claim must see what another one did, or rests on another state of
// their flight.
func (j *job) meets(other *job) bool {
	if j.sub.FlightID != other.sub.FlightID {
		return false
	}
	if j.st.guessed != other.st.guessed || j.st.guessed && (j.st.Flight.Seq != other.st.Flight.Seq || j.st.epoch != other.st.epoch) {
		return true
	}
	return j.sub.CustomerID == other.sub.CustomerID || j.sub.Key != "" && j.sub.Key == other.sub.Key ||
		slices.ContainsFunc(j.sub.Seats, func(seat string) bool { return slices.Contains(other.sub.Seats, seat) })
}

// queue gives claims of one flight versions behind each other's.
func queue(batch []*job) {
	newest := map[string]int64{}
	for _, j := range batch {
		f := *j.st.Flight
		f.Version = max(f.Version, newest[f.FlightID])
		newest[f.FlightID] = f.Version + 1
		j.st.Flight = &f
	}
}
