package shadow

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net/http"

	"banyan/modules/kernel/web"
)

// pair is a request, with the answer that the client got.
type pair struct {
	route   *Route
	request *http.Request // its context is the client's, and not used
	id      string        // of the request
	old     answer
	body    *bytes.Buffer
	asked   *bytes.Buffer // the answer to a copy, one at a time; nil before
	held    int64         // bytes of the process's bound
}

func (p *pair) reserve(n int64) bool {
	if s := p.route.shadower; s.held.Add(n) > maxHeld {
		s.held.Add(-n)
		return false
	}
	p.held += n
	return true
}

func (p *pair) release() {
	s := p.route.shadower
	s.held.Add(-p.held)
	p.held = 0
	s.giveBack(p.body)
	if p.asked != nil {
		s.giveBack(p.asked)
	}
	p.body, p.asked = nil, nil
}

// compare asks the new side, and sometimes the old one again.
func (p *pair) compare(ctx context.Context) {
	defer p.release()
	t, plan := p.route.tally, &p.route.plan
	later, why := p.ask(ctx, plan.New)
	if ctx.Err() != nil {
		return
	}
	if why != "" {
		t.count(why)
		return
	}
	found, ok := compare(&p.old, later, plan.Settings.Ignore)
	if !ok {
		t.count(unreadable)
		return
	}
	t.add(raw, found)
	if t.noisy() >= noiseFirst && rand.N(noiseEvery) != 0 {
		return
	}
	again, why := p.ask(ctx, plan.Old)
	if why != "" || ctx.Err() != nil {
		return
	}
	if found, ok := compare(&p.old, again, plan.Settings.Ignore); ok {
		t.add(noise, found)
	}
}

// ask sends one copy. The outcome says why there is nothing to compare, "" if there is.
func (p *pair) ask(ctx context.Context, side Side) (got *answer, why outcome) {
	// Not the client's context: its going away must not end the copy.
	ctx, cancel := context.WithTimeout(web.WithRequestID(ctx, p.id), p.route.plan.Timeout)
	defer cancel()
	// With this an answer that breaks off is a panic, as in a server.
	r := p.request.Clone(context.WithValue(ctx, http.ServerContextKey, &p.route.shadower.server))
	r.Header.Set(Header, "1")
	if p.asked == nil {
		p.asked = p.route.shadower.buffer()
	}
	p.asked.Reset()
	s := &sink{pair: p, header: http.Header{}}
	if err := s.run(side, r); err != nil {
		if s.tooLarge {
			return nil, tooLarge
		}
		return nil, failed
	}
	s.WriteHeader(http.StatusOK)
	s.answer.body = p.asked.Bytes()
	return &s.answer, ""
}

// sink is a ResponseWriter that keeps the answer, within the bounds.
type sink struct {
	pair     *pair
	header   http.Header
	answer   answer
	tooLarge bool
}

// run calls a side; an answer that breaks off, which is a panic, is an error.
func (s *sink) run(side Side, r *http.Request) (err error) {
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("the copy broke off: %v", p)
		}
	}()
	if err := side(s, r); err != nil {
		return err
	}
	if err := r.Context().Err(); err != nil {
		return err
	}
	if s.tooLarge {
		return errTooLarge
	}
	return nil
}

// Header implements http.ResponseWriter.
func (s *sink) Header() http.Header { return s.header }

// WriteHeader implements http.ResponseWriter.
func (s *sink) WriteHeader(status int) {
	if status >= http.StatusOK && s.answer.status == 0 {
		s.answer.status, s.answer.header = status, selected(s.header)
	}
}

var errTooLarge = errors.New("the answer is larger than what is compared")

// Write implements http.ResponseWriter.
func (s *sink) Write(b []byte) (int, error) {
	s.WriteHeader(http.StatusOK)
	n := int64(len(b))
	if int64(s.pair.asked.Len())+n > s.pair.route.plan.Settings.MaxBody || !s.pair.reserve(n) {
		s.tooLarge = true
		return 0, errTooLarge
	}
	return s.pair.asked.Write(b)
}

// Flush implements http.Flusher for handlers that look for it.
func (s *sink) Flush() { s.WriteHeader(http.StatusOK) }
