package main

import (
	"context"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"sync"
	"time"

	"banyan/deploy/chaos/history"
	"banyan/deploy/chaos/load"
	"banyan/deploy/chaos/rig"
)

const (
	progressEvery  = 5 * time.Second
	attemptTimeout = 6 * time.Second // longer than a router may take, even while a bucket moves
	think          = 15 * time.Millisecond
	patience       = 60 * time.Second // of a customer, with one operation
	finishWithin   = 90 * time.Second
	settleWithin   = 90 * time.Second
)

// chaos is one run.
type chaos struct {
	settings
	dir      string
	out      io.Writer
	began    time.Time
	recorder *history.Recorder
	system   *rig.System
	flights  []load.Flight
	load     *load.Load
	mover    *mover
	faults   *faults

	mu    sync.Mutex
	found []string // what is wrong
}

func newRun(s settings, dir string, out io.Writer) (*chaos, error) {
	r, err := history.Create(filepath.Join(dir, "history.jsonl"))
	return &chaos{settings: s, dir: dir, out: out, began: time.Now(), recorder: r}, err
}

func (c *chaos) say(format string, args ...any) {
	_, _ = fmt.Fprintf(c.out, "%6.1fs  %s\n", time.Since(c.began).Seconds(), fmt.Sprintf(format, args...))
}

// wrong notes a violation; the run goes on.
func (c *chaos) wrong(format string, args ...any) {
	text := fmt.Sprintf(format, args...)
	c.recorder.Note(c.recorder.Now(), "WRONG: %s", text)
	c.mu.Lock()
	defer c.mu.Unlock()
	c.found = append(c.found, text)
}

// all is the run from the start of the programs to the verdict.
func (c *chaos) all(ctx context.Context) error {
	c.say("seed %d, faults %v, %d customers, %s; folder %s", *c.seed, *c.settings.faults, *c.clients, *c.duration, c.dir)
	root, err := moduleRoot()
	if err != nil {
		return err
	}
	c.system, err = rig.Start(ctx, rig.Options{Dir: c.dir, Bin: *c.bin, Root: root, Say: c.say})
	if err != nil {
		return err
	}
	err = c.work(ctx)
	if closed := c.system.Close(); err == nil {
		err = closed
	}
	if err != nil {
		return err
	}
	found, err := judge(c.recorder.All(), *c.checkLimit, c.dir, c.say)
	if err != nil {
		return err
	}
	return failure(append(c.found, found...))
}

// work is what happens while the programs run.
func (c *chaos) work(ctx context.Context) error {
	if err := c.prepare(ctx); err != nil {
		return err
	}
	c.disturb(ctx)
	if ctx.Err() != nil {
		return ctx.Err()
	}
	if err := c.system.Healthy(ctx); err != nil {
		return err
	}
	if err := c.settle(ctx); err != nil {
		return err
	}
	c.counts()
	for _, f := range append(ledger(c.recorder.All()), c.audit(ctx)...) {
		c.wrong("%s", f)
	}
	return ctx.Err()
}

// prepare chooses the flights and makes everything that acts on the system.
func (c *chaos) prepare(ctx context.Context) error {
	var err error
	if c.flights, err = chooseFlights(ctx, c.system.Public[0], *c.settings.flights, *c.seed); err != nil {
		return err
	}
	c.mover, err = newMover(ctx, c)
	if err != nil {
		return err
	}
	c.faults = newFaults(c)
	c.load = load.New(load.Options{
		Routers: c.system.Public[:], Flights: c.flights, Clients: *c.clients, Seed: *c.seed,
		Timeout: attemptTimeout, Think: think, Patience: patience, Recorder: c.recorder,
	})
	return nil
}

// disturb lets customers book while data moves and things fail, then heals everything
// and lets the customers finish.
func (c *chaos) disturb(ctx context.Context) {
	unrest, calm := context.WithTimeout(ctx, *c.duration)
	defer calm()
	finishing, stop := context.WithTimeout(ctx, *c.duration+finishWithin)
	defer stop()
	selling := make(chan struct{})
	var customers, others sync.WaitGroup
	customers.Go(func() { c.load.Run(finishing, selling) })
	others.Go(func() { c.progress(unrest) })
	if !*c.still {
		others.Go(func() { c.mover.run(unrest) })
	}
	c.faults.run(unrest, &others)
	others.Wait()
	c.faults.heal(finishing)
	close(selling)
	c.say("calm: everything runs again, customers finish what they have begun")
	customers.Wait()
}

func (c *chaos) progress(ctx context.Context) {
	tick := time.NewTicker(progressEvery)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
			c.report()
		}
	}
}

func (c *chaos) report() {
	n := c.load.Counts()
	c.say("%d requests, %d refused, %d unknown (%d 5xx, %d broken, %d 421); weight set %d times; faults: %s",
		n.Attempts, n.Refused, n.Unknown, n.Errors5xx, n.Broken, n.Misdirected, c.mover.sets.Load(), c.faults.summary())
}

// settle moves everything home, finds out what became of what is still open, and looks
// at everything for the last time.
func (c *chaos) settle(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, settleWithin+4*patience)
	defer cancel()
	if err := c.mover.home(ctx); err != nil {
		return err
	}
	if !c.faultless() {
		c.say("waiting until no request of before is on its way")
		sleep(ctx, rig.InFlight)
	}
	lost, asked := c.load.Settle(ctx)
	for _, op := range lost {
		c.wrong("%s: what became of it cannot be found out", op)
	}
	c.say("asked again for %d operations that were given up; reading everything back", asked)
	for _, op := range c.load.ReadBack(ctx) {
		c.wrong("%s: cannot be read back", op)
	}
	return ctx.Err()
}

// counts asserts that no request failed, if nothing was there to make one fail.
func (c *chaos) counts() {
	c.report()
	n := c.load.Counts()
	if n.Misdirected > 0 {
		c.wrong("%d requests were answered with 421: a customer must never see it", n.Misdirected)
	}
	if c.faultless() && n.Unknown > 0 {
		c.wrong("%d requests failed (%d 5xx, %d not answered) though nothing was disturbed: a move must not fail one", n.Unknown, n.Errors5xx, n.Broken)
	}
	if n.Attempts == n.Unknown+n.Refused {
		c.wrong("not one request succeeded; this run shows nothing")
	}
}

// sleep waits, unless the context ends first.
func sleep(ctx context.Context, d time.Duration) {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-ctx.Done():
	case <-t.C:
	}
}

// moduleRoot finds the folder of go.mod from the working directory upwards.
func moduleRoot() (string, error) {
	dir, err := os.Getwd()
	if err != nil {
		return "", err
	}
	for {
		if _, err := os.Stat(filepath.Join(dir, "go.mod")); err == nil {
			return dir, nil
		}
		if filepath.Dir(dir) == dir {
			return "", fmt.Errorf("run this in the sources: there is no go.mod here or above")
		}
		dir = filepath.Dir(dir)
	}
}
