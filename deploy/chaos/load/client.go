package load

import (
	"context"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"net/http"
	"slices"
	"time"

	"banyan/deploy/chaos/history"
	"banyan/modules/reservations"
)

// TTL is a hold's time to live: a run must be shorter, for the model knows no expiry.
const TTL = reservations.MaxTTL

const keep = 3 // reservations that a client has before it cancels one

// client is one customer agent; each of its holds is another customer's.
type client struct {
	*Load
	number int
	next   int
	rand   *rand.Rand
	sales  []sale
}

// sale is a reservation of this client.
type sale struct {
	flight             Flight
	claim, reservation string
	seats              []string
}

func (c *client) chance(percent int) bool { return c.rand.IntN(100) < percent }

// do is settled with this client's dice, after a moment of thought.
func (c *client) do(ctx context.Context, o *operation) (history.Attempt, bool) {
	o.Client = c.number
	wait(ctx, time.Duration(c.rand.Int64N(int64(c.o.Think)+1)))
	a, known := c.settled(ctx, o, func(int) int { return c.router(o.Kind.Reads()) }, c.o.Patience)
	return a, known && a.Outcome == history.OK
}

// turn is how long one of the routers gets most of the writes, and the others most of the
// reads. A router that nobody sends writes to hears late that something was moved: that
// is when reads could be stale.
const turn = 2 * time.Second

func (c *client) router(reads bool) int {
	n := len(c.o.Routers)
	favoured := int(time.Duration(c.o.Recorder.Now())/turn) % n
	switch {
	case c.chance(10):
		return c.rand.IntN(n)
	case reads:
		return (favoured + 1) % n
	}
	return favoured
}

// watch looks at one flight after the other.
func (c *client) watch(ctx context.Context) {
	c.do(ctx, readSeats(c.o.Flights[c.rand.IntN(len(c.o.Flights))], c.op("watch")))
}

// visit is what a customer does between two thoughts of leaving.
func (c *client) visit(ctx context.Context) {
	f := c.o.Flights[c.rand.IntN(len(c.o.Flights))]
	if c.chance(30) {
		c.do(ctx, readSeats(f, c.op("seats")))
	}
	wanted := c.someSeats(f)
	claim := fmt.Sprintf("c%d-%d", c.number, c.next)
	hold := holdSeats(f, claim, wanted)
	a, ok := c.do(ctx, hold)
	if !ok {
		return
	}
	if c.chance(10) {
		c.do(ctx, getHold(f, claim, c.op("get"), a.Answer))
	}
	if c.chance(20) {
		c.do(ctx, releaseHold(f, claim, a.Answer))
	} else {
		c.buy(ctx, f, claim, a.Answer)
	}
	if c.chance(15) {
		c.do(ctx, hold) // a late repetition: the answer must be the first one
	}
	if len(c.sales) > keep || c.chance(10) {
		c.cancelOne(ctx)
	}
}

// op names an operation that no other one is called; its number names the next claim too.
func (c *client) op(what string) string {
	c.next++
	return fmt.Sprintf("%s-c%d-%d", what, c.number, c.next)
}

func (c *client) someSeats(f Flight) []string {
	c.next++
	seats := slices.Clone(f.Seats)
	c.rand.Shuffle(len(seats), func(i, j int) { seats[i], seats[j] = seats[j], seats[i] })
	return seats[:1+c.rand.IntN(2)]
}

// buy confirms a hold, and perhaps changes its mind about a seat.
func (c *client) buy(ctx context.Context, f Flight, claim string, hold history.Answer) {
	confirm := confirmHold(f, claim, hold)
	a, ok := c.do(ctx, confirm)
	if !ok {
		return
	}
	s := sale{f, claim, a.Answer.Reservation, a.Answer.Seats}
	if c.chance(30) {
		from, to := s.seats[c.rand.IntN(len(s.seats))], f.Seats[c.rand.IntN(len(f.Seats))]
		if !slices.Contains(s.seats, to) {
			if changed, ok := c.do(ctx, changeSeat(s, c.op("change"), from, to)); ok {
				s.seats = changed.Answer.Seats
			}
		}
	}
	if c.chance(20) {
		c.do(ctx, confirm)
	}
	if c.chance(30) {
		c.do(ctx, getSale(s, c.op("read")))
	}
	c.sales = append(c.sales, s)
}

func (c *client) cancelOne(ctx context.Context) {
	if len(c.sales) == 0 {
		return
	}
	i := c.rand.IntN(len(c.sales))
	s := c.sales[i]
	c.sales = slices.Delete(c.sales, i, i+1)
	c.do(ctx, cancelSale(s))
	if c.chance(30) {
		c.do(ctx, getSale(s, c.op("read")))
	}
}

// The operations.

func attempt(kind history.Kind, op string, f Flight, claim string) history.Attempt {
	return history.Attempt{Op: op, Kind: kind, Flight: f.ID, Claim: claim}
}

func holdSeats(f Flight, claim string, seats []string) *operation {
	body, _ := json.Marshal(map[string]any{"seats": seats, "customer_id": claim, "ttl_seconds": int(TTL.Seconds())})
	o := &operation{
		Attempt: attempt(history.Hold, "hold "+claim, f, claim), method: http.MethodPost,
		path: "/v1/flights/" + f.ID + "/holds", body: string(body), header: []string{"Idempotency-Key", "hold-" + claim},
	}
	o.Wanted = seats
	return o
}

func confirmHold(f Flight, claim string, h history.Answer) *operation {
	return &operation{
		Attempt: attempt(history.Confirm, "confirm "+claim, f, claim), method: http.MethodPost,
		path: "/v1/holds/" + h.HoldID + "/confirm", header: []string{"Idempotency-Key", "confirm-" + claim, "X-Hold-Token", h.Token},
	}
}

func releaseHold(f Flight, claim string, h history.Answer) *operation {
	return &operation{
		Attempt: attempt(history.Release, "release "+claim, f, claim), method: http.MethodDelete,
		path: "/v1/holds/" + h.HoldID, header: []string{"X-Hold-Token", h.Token},
	}
}

func getHold(f Flight, claim, op string, h history.Answer) *operation {
	return &operation{
		Attempt: attempt(history.GetHold, op, f, claim), method: http.MethodGet,
		path: "/v1/holds/" + h.HoldID, header: []string{"X-Hold-Token", h.Token},
	}
}

func changeSeat(s sale, op, from, to string) *operation {
	body, _ := json.Marshal(map[string]string{"from": from, "to": to})
	o := &operation{
		Attempt: attempt(history.Change, op, s.flight, s.claim), method: http.MethodPost,
		path: "/v1/reservations/" + s.reservation + "/change-seat", body: string(body), header: []string{"Idempotency-Key", op},
	}
	o.From, o.To = from, to
	return o
}

func cancelSale(s sale) *operation {
	return &operation{
		Attempt: attempt(history.Cancel, "cancel "+s.claim, s.flight, s.claim), method: http.MethodDelete,
		path: "/v1/reservations/" + s.reservation,
	}
}

func getSale(s sale, op string) *operation {
	return &operation{
		Attempt: attempt(history.GetSale, op, s.flight, s.claim), method: http.MethodGet,
		path: "/v1/reservations/" + s.reservation,
	}
}

func readSeats(f Flight, op string) *operation {
	return &operation{
		Attempt: attempt(history.Seats, op, f, ""), method: http.MethodGet,
		path: "/v1/flights/" + f.ID + "/seats",
	}
}
