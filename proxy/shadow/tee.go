package shadow

import (
	"net/http"

	"banyan/modules/kernel/web"
)

// Tee is the client's ResponseWriter; what it writes is kept as well, up to the route's
// bound. When it has too much, it goes on as if it were not there.
type Tee struct {
	http.ResponseWriter
	route *Route
	pair  *pair // nil when nothing is kept, or it was sent
}

// Tee gives the writer for a request that is to be copied, nil for all others. Close
// must be called in the end.
func (r *Route) Tee(w http.ResponseWriter, req *http.Request) *Tee {
	if !r.chosen(req) {
		return nil
	}
	s := r.shadower
	switch {
	case r.plan.Ready != nil && !r.plan.Ready():
		r.tally.count(skipped)
		return nil
	case len(s.queue) == cap(s.queue):
		r.tally.count(dropped)
		return nil
	}
	kept := *req // handlers may change what they are given
	kept.Header, kept.Body = req.Header.Clone(), http.NoBody
	return &Tee{ResponseWriter: w, route: r, pair: &pair{route: r, request: &kept, id: web.RequestID(req.Context()), body: s.buffer()}}
}

// WriteHeader implements http.ResponseWriter.
func (t *Tee) WriteHeader(status int) {
	t.head(status)
	t.ResponseWriter.WriteHeader(status)
}

func (t *Tee) head(status int) {
	if t.pair == nil || t.pair.old.status >= http.StatusOK {
		return
	}
	t.pair.old.status = status // an informational one is followed by the answer
	if status >= http.StatusOK {
		t.pair.old.header = selected(t.Header())
	}
	switch {
	case t.pair.old.header.Get("Content-Type") == "text/event-stream": // it has no end
		t.give(skipped)
	case status == http.StatusBadGateway, status == http.StatusServiceUnavailable, status == http.StatusGatewayTimeout:
		t.give(skipped) // the old side itself has no answer
	}
}

// Write implements http.ResponseWriter.
func (t *Tee) Write(b []byte) (int, error) {
	t.head(http.StatusOK)
	n, err := t.ResponseWriter.Write(b)
	t.keep(b[:n])
	if err != nil {
		t.give("") // the client has gone: this is not the whole answer
	}
	return n, err
}

func (t *Tee) keep(b []byte) {
	if t.pair == nil || len(b) == 0 {
		return
	}
	if int64(t.pair.body.Len()+len(b)) > t.route.plan.Settings.MaxBody {
		t.give(tooLarge)
		return
	}
	if !t.pair.reserve(int64(len(b))) {
		t.give(dropped)
		return
	}
	t.pair.body.Write(b)
}

// Flush implements http.Flusher for handlers that look for it.
func (t *Tee) Flush() {
	t.head(http.StatusOK)
	_ = http.NewResponseController(t.ResponseWriter).Flush()
}

// Unwrap is for http.ResponseController.
func (t *Tee) Unwrap() http.ResponseWriter { return t.ResponseWriter }

// Send lets the answer, which is complete, be compared; it never waits.
func (t *Tee) Send() {
	t.head(http.StatusOK)
	if t.pair == nil || t.pair.old.status < http.StatusOK {
		return
	}
	t.pair.old.body = t.pair.body.Bytes()
	select {
	case t.route.shadower.queue <- t.pair:
		t.pair = nil
	default:
		t.give(dropped)
	}
}

// Close gives back what was kept of an answer that was not sent.
func (t *Tee) Close() { t.give("") }

// give ends the keeping; why is counted unless it is "".
func (t *Tee) give(why outcome) {
	if t.pair == nil {
		return
	}
	if why != "" {
		t.route.tally.count(why)
	}
	t.pair.release()
	t.pair = nil
}
