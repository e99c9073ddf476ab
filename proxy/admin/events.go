package admin

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"strconv"
	"time"

	"banyan/modules/kernel/errs"
	"banyan/modules/kernel/rest"
	"banyan/proxy"
)

// Bounds of the stream of events.
const (
	maxStreams   = 32                     // at once
	eventsEvery  = 500 * time.Millisecond // how soon a change is told, whichever replica made it
	eventsBeat   = 15 * time.Second       // a comment, so that what lies between keeps the connection
	eventsWrite  = 10 * time.Second       // for one event to go out
	recentMoves  = 50                     // of each look
	missedBefore = maxPage                // audit entries that a stream catches up with
)

// events streams what changes, as server-sent events: "route" with a route's view, at
// first each one; "move" with a move that began or ended; "audit" with a line of the audit
// log, whose number is the event's id: Last-Event-ID goes on where a stream broke, with the
// last 200 lines at most. It reads what every replica reads, so it tells of the changes of
// all.
func (a *api) events(w http.ResponseWriter, r *http.Request) error {
	q, err := rest.ReadQuery(r, "route")
	if err != nil {
		return err
	}
	s := &stream{api: a, r: r, out: http.NewResponseController(w), w: w, route: q["route"], sent: map[string][]byte{}}
	if s.seen, err = lastEvent(r); err != nil {
		return err
	}
	if s.route != "" {
		if _, err := a.router.Route(s.route); err != nil {
			return err
		}
	}
	if a.streams.Add(1) > maxStreams {
		a.streams.Add(-1)
		return errs.E(errs.Unavailable, "%d streams of events are open already; end one, or ask again later", maxStreams)
	}
	defer a.streams.Add(-1)
	if err := s.begin(); err != nil {
		return err
	}
	w.Header().Set("Content-Type", "text/event-stream")
	w.Header().Set("Cache-Control", "no-store")
	_ = s.run() // it ends when the reader goes, or the server: the answer has begun, nobody is to be told
	return nil
}

func lastEvent(r *http.Request) (int64, error) {
	text := r.Header.Get("Last-Event-ID")
	if text == "" {
		return 0, nil
	}
	n, err := strconv.ParseInt(text, 10, 64)
	if err != nil || n < 0 {
		return 0, errs.E(errs.Invalid, "Last-Event-ID must be the id of an event of this stream")
	}
	return n, nil
}

// stream is one reader's.
type stream struct {
	api   *api
	r     *http.Request
	w     http.ResponseWriter
	out   *http.ResponseController
	route string            // "": all
	seen  int64             // the last line of the audit log
	sent  map[string][]byte // by what it is about: the event that was sent last
}

// begin finds the end of the audit log, unless the reader says where to go on, and takes
// the moves of before as told.
func (s *stream) begin() error {
	ctx := s.r.Context()
	if s.seen == 0 {
		last, err := s.api.router.Audit(ctx, s.route, 0, 1)
		if err != nil {
			return err
		}
		if len(last) > 0 {
			s.seen = last[0].Seq
		}
	}
	moves, err := s.moves(ctx)
	for _, m := range moves {
		s.sent["move "+m.ID], _ = json.Marshal(m)
	}
	return err
}

func (s *stream) run() error {
	tick := time.NewTicker(eventsEvery)
	defer tick.Stop()
	quiet := time.Now()
	for {
		told, err := s.look(s.r.Context())
		if err == nil && !told && time.Since(quiet) > eventsBeat {
			told, err = true, s.write(": nothing new\n\n")
		}
		if err != nil {
			return err
		}
		if told {
			quiet = time.Now()
		}
		select {
		case <-s.r.Context().Done():
			return s.r.Context().Err()
		case <-s.api.stop:
			return nil
		case <-tick.C:
		}
	}
}

// look tells what is new; a source that cannot be read now is read again later.
func (s *stream) look(ctx context.Context) (told bool, err error) {
	if err := s.audit(ctx, &told); err != nil { // causes first
		return told, err
	}
	list, _ := s.api.router.Routes()
	for _, v := range list {
		if s.route != "" && v.ID != s.route {
			continue
		}
		if v.MovesView, err = s.api.router.Moving(ctx, v.ID); err != nil {
			continue
		}
		if err := s.tell(&told, "route", "route "+v.ID, "", v); err != nil {
			return told, err
		}
	}
	moves, _ := s.moves(ctx)
	for i := range moves { // oldest first
		m := &moves[len(moves)-1-i]
		if err := s.tell(&told, "move", "move "+m.ID, "", m); err != nil {
			return told, err
		}
	}
	s.forget(moves)
	return told, nil
}

func (s *stream) moves(ctx context.Context) ([]proxy.MoveView, error) {
	if s.route != "" {
		if v, err := s.api.router.Moving(ctx, s.route); err != nil || v == nil {
			return nil, err
		}
	}
	return s.api.router.Moves(ctx, s.route, 0, recentMoves)
}

// forget drops what was sent of moves that are no longer recent.
func (s *stream) forget(recent []proxy.MoveView) {
	if len(recent) == 0 || len(s.sent) < 4*recentMoves {
		return
	}
	keep := make(map[string][]byte, len(s.sent))
	for _, m := range recent {
		keep["move "+m.ID] = s.sent["move "+m.ID]
	}
	list, _ := s.api.router.Routes()
	for _, v := range list {
		keep["route "+v.ID] = s.sent["route "+v.ID]
	}
	s.sent = keep
}

// audit tells of the lines of the log since the last one.
func (s *stream) audit(ctx context.Context, told *bool) error {
	entries, err := s.api.router.Audit(ctx, s.route, 0, missedBefore)
	if err != nil {
		return nil //nolint:nilerr // the log is read again later
	}
	for i := range entries { // oldest first
		e := entries[len(entries)-1-i]
		if e.Seq <= s.seen {
			continue
		}
		id := strconv.FormatInt(e.Seq, 10)
		if err := s.tell(told, "audit", "", id, AuditEntry{e, time.UnixMicro(e.ChangedAt).UTC()}); err != nil {
			return err
		}
		s.seen = e.Seq
	}
	return nil
}

// tell sends an event unless the last one about the same thing said the same.
func (s *stream) tell(told *bool, kind, about, id string, v any) error {
	data, err := json.Marshal(v)
	if err != nil {
		return err
	}
	if about != "" && bytes.Equal(s.sent[about], data) {
		return nil
	}
	line := ""
	if id != "" {
		line = "id: " + id + "\n"
	}
	*told = true
	if about != "" {
		s.sent[about] = data
	}
	return s.write(fmt.Sprintf("%sevent: %s\ndata: %s\n\n", line, kind, data))
}

func (s *stream) write(text string) error {
	_ = s.out.SetWriteDeadline(time.Now().Add(eventsWrite)) // a stream outlives other answers
	if _, err := s.w.Write([]byte(text)); err != nil {
		return err
	}
	return s.out.Flush()
}
