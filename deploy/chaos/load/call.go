package load

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strings"
	"time"

	"banyan/deploy/chaos/history"
)

// maxBody bounds what is read of a response.
const maxBody = 1 << 20

// operation is what a client wants once; its request is the same in every attempt.
type operation struct {
	history.Attempt // what all attempts share

	method, path, body string
	header             []string // name, value, …
}

// once sends the operation to a router and gives the attempt, not yet kept.
func (l *Load) once(ctx context.Context, o *operation, router int) history.Attempt {
	a := o.Attempt
	a.Router = router
	ctx, cancel := context.WithTimeout(ctx, l.o.Timeout)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, o.method, l.o.Routers[router]+o.path, strings.NewReader(o.body))
	if err != nil {
		a.Outcome, a.Error = history.Unknown, err.Error()
		return a
	}
	if o.body != "" {
		req.Header.Set("Content-Type", "application/json")
	}
	for i := 0; i+1 < len(o.header); i += 2 {
		req.Header.Set(o.header[i], o.header[i+1])
	}
	a.Call = l.o.Recorder.Now()
	resp, err := l.client.Do(req)
	var body []byte
	if err == nil {
		body, err = io.ReadAll(io.LimitReader(resp.Body, maxBody))
		_ = resp.Body.Close()
		a.HTTP, a.Backend = resp.StatusCode, resp.Header.Get("X-Banyan-Backend")
		a.Repeats = resp.Header.Get("Idempotency-Replayed") == "true"
	}
	a.Return = l.o.Recorder.Now()
	if err != nil {
		a.Outcome, a.Error = history.Unknown, err.Error()
		return a
	}
	judge(&a, body)
	return a
}

// response is everything that a response may have and that matters here.
type response struct {
	HoldID        string          `json:"hold_id"`
	Token         string          `json:"token"`
	ReservationID string          `json:"reservation_id"`
	Status        json.RawMessage `json:"status"` // of a problem, a number
	Seats         json.RawMessage `json:"seats"`  // of a flight, an object
	Version       int64           `json:"version"`
	Code          string          `json:"code"`
	Detail        string          `json:"detail"`
	Conflicts     []string        `json:"conflicts"`
}

// judge tells from status and body how an attempt ended. 421 proves that nothing has
// happened; it counts as unknown all the same, for the request must be sent again.
func judge(a *history.Attempt, body []byte) {
	var r response
	if err := json.Unmarshal(body, &r); err != nil {
		a.Outcome, a.Error = history.Unknown, fmt.Sprintf("no JSON: %v in %.100q", err, body)
		return
	}
	switch {
	case a.HTTP >= 200 && a.HTTP < 300:
		a.Outcome = history.OK
		a.Answer = answerOf(a.Kind, r, body)
	case a.HTTP >= 500 || a.HTTP == http.StatusMisdirectedRequest || a.HTTP == http.StatusTooManyRequests || a.HTTP == http.StatusRequestTimeout:
		a.Outcome, a.Code, a.Error = history.Unknown, r.Code, r.Detail
	default:
		a.Outcome, a.Code, a.Error = history.Refused, r.Code, r.Detail
		a.Answer.Conflicts = r.Conflicts
	}
}

func answerOf(kind history.Kind, r response, body []byte) history.Answer {
	out := history.Answer{HoldID: r.HoldID, Token: r.Token, Reservation: r.ReservationID, Version: r.Version}
	_ = json.Unmarshal(r.Status, &out.Status)
	if kind == history.Seats {
		out.States = map[string]string{}
		_ = json.Unmarshal(r.Seats, &out.States)
	} else {
		_ = json.Unmarshal(r.Seats, &out.Seats)
	}
	if kind.Keyed() {
		sum := sha256.Sum256(body)
		out.Digest = hex.EncodeToString(sum[:8])
	}
	return out
}

// Between attempts.
const (
	firstPause = 20 * time.Millisecond
	maxPause   = 500 * time.Millisecond
)

// settled repeats an operation until it is known what became of it, each time through a
// router by chance. False: it is still unknown after patience.
func (l *Load) settled(ctx context.Context, o *operation, pick func(int) int, patience time.Duration) (history.Attempt, bool) {
	deadline := time.Now().Add(patience)
	doubtful := false
	for pause := firstPause; ; pause = min(2*pause, maxPause) {
		a := l.once(ctx, o, pick(len(l.o.Routers)))
		l.keep(a)
		if a.Outcome != history.Unknown {
			if doubtful && a.Outcome == history.Refused && !o.Kind.Reads() {
				l.doubt(o)
			}
			return a, true
		}
		doubtful = true
		if ctx.Err() != nil || time.Now().After(deadline) {
			if !o.Kind.Reads() {
				l.doubt(o)
			}
			return a, false
		}
		wait(ctx, pause)
	}
}

func wait(ctx context.Context, d time.Duration) {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-ctx.Done():
	case <-t.C:
	}
}
