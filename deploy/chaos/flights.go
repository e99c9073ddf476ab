package main

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"slices"
	"time"

	"banyan/deploy/chaos/load"
	"banyan/deploy/chaos/rig"
	"banyan/modules/flights"
	"banyan/modules/kernel/bucket"
	"banyan/proxy/canary"
)

// seatsSold is how many seats of a flight are sold: few, so that customers meet.
const seatsSold = 8

// chooseFlights takes flights whose buckets are near each other in the order in which
// buckets leave home, so that small changes of the weight move them.
func chooseFlights(ctx context.Context, router string, n int, seed uint64) ([]load.Flight, error) {
	var page flights.Page
	if err := getJSON(ctx, router+"/v1/flights?limit=200", &page); err != nil {
		return nil, err
	}
	ranks, byRank := canary.NewRanks(rig.Route), map[int]string{}
	var order []int
	for _, f := range page.Flights {
		rank := ranks.Of(bucket.Of(f.FlightID))
		if byRank[rank] == "" {
			order = append(order, rank)
		}
		byRank[rank] = f.FlightID
	}
	slices.Sort(order)
	if len(order) < n {
		return nil, fmt.Errorf("there are only %d flights in buckets of their own", len(order))
	}
	r := rand.New(rand.NewPCG(seed, 1003))
	from := closest(order, n, r)
	list := make([]load.Flight, n)
	for i := range list {
		id := byRank[order[from+i]]
		seats, err := seatsOf(ctx, router, id, r)
		if err != nil {
			return nil, err
		}
		list[i] = load.Flight{ID: id, Seats: seats}
	}
	return list, nil
}

// closest gives the start of one of the ten narrowest windows of n.
func closest(order []int, n int, r *rand.Rand) int {
	starts := make([]int, len(order)-n+1)
	for i := range starts {
		starts[i] = i
	}
	width := func(i int) int { return order[i+n-1] - order[i] }
	slices.SortStableFunc(starts, func(a, b int) int { return cmp.Compare(width(a), width(b)) })
	return starts[r.IntN(min(10, len(starts)))]
}

func seatsOf(ctx context.Context, router, flight string, r *rand.Rand) ([]string, error) {
	var m flights.SeatMap
	if err := getJSON(ctx, router+"/v1/flights/"+flight+"/seat-map", &m); err != nil {
		return nil, err
	}
	var all []string
	for _, c := range m.Cabin {
		for _, row := range c.Row {
			for _, s := range row.Seat {
				all = append(all, fmt.Sprint(row.RowNumber, s.Number))
			}
		}
	}
	if len(all) < seatsSold {
		return nil, fmt.Errorf("flight %s has %d seats", flight, len(all))
	}
	r.Shuffle(len(all), func(i, j int) { all[i], all[j] = all[j], all[i] })
	return all[:seatsSold], nil
}

const getTimeout = 10 * time.Second

func getJSON(ctx context.Context, url string, out any) error {
	ctx, cancel := context.WithTimeout(ctx, getTimeout)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return err
	}
	resp, err := (&http.Client{}).Do(req)
	if err != nil {
		return err
	}
	defer func() { _ = resp.Body.Close() }()
	body, err := io.ReadAll(io.LimitReader(resp.Body, 8<<20))
	if err != nil {
		return err
	}
	if resp.StatusCode != http.StatusOK {
		return fmt.Errorf("%s answers %d %.300s", url, resp.StatusCode, body)
	}
	return json.Unmarshal(body, out)
}
