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
	request *http.Request
	old     answer
	body    *bytes.Buffer
	held    int64 // bytes of the process's bound
}

// maxPooled bounds the buffers that wait for their next use.
const maxPooled = 256 << 10

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
	if p.body.Cap() <= maxPooled {
		p.body.Reset()
		s.buffers.Put(p.body)
	}
	p.body = nil
}

// withoutClient is the context that a copy starts from: the client's going away must not
// end it, and of the client's request it keeps the id alone.
func withoutClient(r *http.Request) context.Context {
	ctx := context.WithValue(context.Background(), http.ServerContextKey, &http.Server{}) // an answer that breaks off is then a panic, as in a server
	return web.WithRequestID(ctx, web.RequestID(r.Context()))
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
	// The request's context has what a copy needs; the worker's ends with the process.
	own, cancel := context.WithTimeout(p.request.Context(), p.route.plan.Timeout)
	defer cancel()
	stop := context.AfterFunc(ctx, cancel)
	defer stop()
	r := p.request.Clone(own)
	r.Header.Set(Header, "1")
	r.Body = http.NoBody
	s := &sink{pair: p, header: http.Header{}}
	if err := s.run(side, r); err != nil {
		if s.tooLarge {
			return nil, tooLarge
		}
		return nil, failed
	}
	s.WriteHeader(http.StatusOK)
	s.answer.body = s.body.Bytes()
	return &s.answer, ""
}

// sink is a ResponseWriter that keeps the answer, within the bounds.
type sink struct {
	pair     *pair
	header   http.Header
	answer   answer
	body     bytes.Buffer
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
	if int64(s.body.Len())+n > s.pair.route.plan.Settings.MaxBody || !s.pair.reserve(n) {
		s.tooLarge = true
		return 0, errTooLarge
	}
	return s.body.Write(b)
}

// Flush implements http.Flusher for handlers that look for it.
func (s *sink) Flush() { s.WriteHeader(http.StatusOK) }
