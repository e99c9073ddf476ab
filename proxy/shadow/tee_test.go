package shadow

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"banyan/proxy/canary"
	"banyan/proxy/routes"
)

// TestSendNeverWaits: answers that end together when nobody compares are dropped, and
// everything that was lent for them comes back.
func TestSendNeverWaits(t *testing.T) {
	s, err := New(nil)
	if err != nil {
		t.Fatal(err)
	}
	r := s.Keep([]Plan{{Route: "r", Settings: routes.Shadow{Percent: canary.Full, MaxBody: 1 << 20}}})["r"]
	var tees []*Tee
	for range maxQueue + 50 {
		tee := r.Tee(httptest.NewRecorder(), httptest.NewRequest(http.MethodGet, "/", nil))
		_, _ = tee.Write([]byte("0123456789"))
		tees = append(tees, tee)
	}
	for _, tee := range tees {
		tee.Send()
		tee.Close()
	}
	if n := r.tally.outcomes[dropped]; n != 50 || len(s.queue) != maxQueue || s.held.Load() != 10*maxQueue {
		t.Errorf("%d dropped, %d waiting with %d bytes", n, len(s.queue), s.held.Load())
	}
	if r.Tee(httptest.NewRecorder(), httptest.NewRequest(http.MethodGet, "/", nil)) != nil {
		t.Error("an answer is kept although the queue is full")
	}
}

// TestHeldIsBounded: all answers that wait share one bound.
func TestHeldIsBounded(t *testing.T) {
	s, err := New(nil)
	if err != nil {
		t.Fatal(err)
	}
	r := s.Keep([]Plan{{Route: "r", Settings: routes.Shadow{Percent: canary.Full, MaxBody: 16 << 20}}})["r"]
	part := []byte(strings.Repeat("x", 16<<20))
	for range 5 {
		w := &discard{header: http.Header{}}
		tee := r.Tee(w, httptest.NewRequest(http.MethodGet, "/", nil))
		if n, err := tee.Write(part); n != len(part) || err != nil || w.n != len(part) {
			t.Fatalf("the client got %d bytes, %v", w.n, err)
		}
		tee.Send()
	}
	if n := r.tally.outcomes[dropped]; n != 1 || s.held.Load() != maxHeld {
		t.Errorf("%d dropped, %d bytes are held", n, s.held.Load())
	}
}

// discard is a client that counts.
type discard struct {
	header http.Header
	n      int
}

func (d *discard) Header() http.Header { return d.header }
func (d *discard) WriteHeader(int)     {}
func (d *discard) Write(b []byte) (int, error) {
	d.n += len(b)
	return len(b), nil
}
