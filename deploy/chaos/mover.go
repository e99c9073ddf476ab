package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"regexp"
	"strings"
	"sync/atomic"
	"time"

	"banyan/deploy/chaos/rig"
	"banyan/modules/kernel/bucket"
	"banyan/modules/kernel/service"
	"banyan/modules/kernel/sqldb"
	"banyan/proxy/canary"
	"banyan/proxy/handover"
)

// mover sets weights by the admin API, and looks at the journal for what comes of it.
type mover struct {
	*chaos
	db      *sqldb.DB
	journal *handover.Journal
	first   int // the lowest rank of the flights that are sold
	last    int // the highest
	rand    *rand.Rand
	sets    atomic.Int64
}

func newMover(ctx context.Context, c *chaos) (*mover, error) {
	db, err := service.OpenContext(ctx, c.system.DSN, "proxy", nil, false)
	if err != nil {
		return nil, err
	}
	m := &mover{
		chaos: c, db: db, journal: handover.NewJournal(db, rig.Route), first: bucket.Count,
		rand: rand.New(rand.NewPCG(*c.seed, 1004)),
	}
	ranks := canary.NewRanks(rig.Route)
	for _, f := range c.flights {
		rank := ranks.Of(bucket.Of(f.ID))
		m.first, m.last = min(m.first, rank), max(m.last, rank)
	}
	return m, nil
}

// run changes the weight all the time: mostly around the flights that are sold, now and
// then anywhere, sometimes before the last change was carried out.
func (m *mover) run(ctx context.Context) {
	for ctx.Err() == nil {
		w := m.first + m.rand.IntN(m.last-m.first+2)
		if m.rand.IntN(20) == 0 {
			w = m.rand.IntN(bucket.Count + 1)
		}
		began := m.recorder.Now()
		if err := m.set(ctx, m.rand.IntN(rig.Routers), canary.Weight(w)); err == nil {
			m.sets.Add(1)
			m.recorder.Note(began, "weight %s", canary.Weight(w))
		} else if m.faultless() && ctx.Err() == nil && !errors.Is(err, errStale) {
			m.wrong("the weight could not be set though nothing was disturbed: %v", err)
		}
		sleep(ctx, between(m.rand, 100*time.Millisecond, 1200*time.Millisecond))
	}
}

// errStale: the other router has set a weight, and this one has not heard of it yet.
var errStale = errors.New("the route was changed meanwhile")

// set changes the weight through one of the routers.
func (m *mover) set(ctx context.Context, router int, w canary.Weight) error {
	ctx, cancel := context.WithTimeout(ctx, attemptTimeout)
	defer cancel()
	body, err := json.Marshal(map[string]any{"weights": map[string]string{"reservations": w.String()}, "reason": "chaos"})
	if err != nil {
		return err
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodPatch, m.system.Admin[router]+"/admin/v1/routes/"+rig.Route, strings.NewReader(string(body)))
	if err != nil {
		return err
	}
	req.Header.Set("Content-Type", "application/json")
	resp, err := (&http.Client{}).Do(req)
	if err != nil {
		return err
	}
	defer func() { _ = resp.Body.Close() }()
	text, err := io.ReadAll(io.LimitReader(resp.Body, 64<<10))
	if resp.StatusCode == http.StatusPreconditionFailed {
		return errStale
	}
	if err == nil && (resp.StatusCode < 200 || resp.StatusCode > 299) {
		err = fmt.Errorf("the admin API answers %d %s", resp.StatusCode, text)
	}
	return err
}

// home sets the weight to 0% and waits until everything is there and at rest.
func (m *mover) home(ctx context.Context) error {
	began := time.Now()
	deadline := began.Add(settleWithin)
	var last error
	for router := 0; ; router = (router + 1) % rig.Routers {
		if last = m.set(ctx, router, canary.None); last == nil {
			break
		}
		if time.Now().After(deadline) || ctx.Err() != nil {
			return fmt.Errorf("the weight cannot be set to 0%%: %w", last)
		}
		sleep(ctx, 200*time.Millisecond)
	}
	for {
		away, moving, err := m.state(ctx)
		if err == nil && away == 0 && moving == 0 {
			m.say("all buckets are home and at rest, %s after the weight was set to 0%%", time.Since(began).Round(10*time.Millisecond))
			return m.tell(ctx)
		}
		if time.Now().After(deadline) || ctx.Err() != nil {
			m.wrong("the weight does not settle at 0%%: after %s, %d buckets are away and %d moving (%v)", settleWithin, away, moving, err)
			return m.tell(ctx)
		}
		sleep(ctx, 100*time.Millisecond)
	}
}

// state counts the buckets that are not home, and those of moves under way.
func (m *mover) state(ctx context.Context) (away, moving int, err error) {
	s, err := m.journal.Snapshot(ctx, nil)
	if err != nil {
		return 0, 0, err
	}
	for _, b := range s.Buckets {
		if b.Owner != 0 {
			away++
		}
		if b.Phase != handover.Idle {
			moving++
		}
	}
	return away, moving, nil
}

const journalPage = 200

// digits make reasons differ that are the same.
var digits = regexp.MustCompile(`[0-9]+`)

// tell sums up what the journal has of moves.
func (m *mover) tell(ctx context.Context) error {
	outcomes, moved, paused := map[string]int{}, 0, time.Duration(0)
	reasons := map[string]int{}
	for before := int64(0); ; {
		list, err := m.journal.Moves(ctx, before, journalPage)
		if err != nil {
			return err
		}
		for _, v := range list {
			key := string(v.Outcome)
			if v.Phase != handover.Ended {
				key = v.Phase.String()
			}
			outcomes[key]++
			if v.Outcome == handover.Aborted {
				if strings.Contains(v.Error, "different contents") {
					m.wrong("move %d was given up because source and target differ: %s", v.ID, v.Error)
				}
				reasons[digits.ReplaceAllString(v.Error, "#")]++
			}
			if v.Outcome == handover.Moved {
				moved += v.Buckets
				paused = max(paused, v.Pause)
			}
			before = v.ID
		}
		if len(list) < journalPage {
			break
		}
	}
	m.say("moves by outcome: %v; %d buckets were moved, the longest pause was %s", outcomes, moved, paused.Round(time.Millisecond))
	for why, n := range reasons {
		m.say("  given up %d times: %s", n, why)
	}
	if !*m.still && outcomes[string(handover.Moved)] == 0 {
		m.wrong("nothing was moved; this run shows nothing")
	}
	return nil
}
