// Package history keeps what clients asked and were answered, attempt by attempt, in a
// file of JSON lines, and makes of it the operations that a checker can judge.
package history

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"sync"
	"time"
)

// Kind is what an operation does.
type Kind string

// The kinds. The last three only read.
const (
	Hold    Kind = "hold"
	Confirm Kind = "confirm"
	Release Kind = "release"
	Cancel  Kind = "cancel"
	Change  Kind = "change"
	Replay  Kind = "replay" // of an operation that was answered before
	Seats   Kind = "seats"
	GetHold Kind = "get-hold"
	GetSale Kind = "get-reservation"
)

// Reads tells whether the kind has no effect.
func (k Kind) Reads() bool { return k == Seats || k == GetHold || k == GetSale }

// Keyed tells whether the answer says if it is a repetition.
func (k Kind) Keyed() bool { return k == Hold || k == Confirm || k == Change }

// Outcome of an attempt.
type Outcome string

// The outcomes.
const (
	OK      Outcome = "ok"
	Refused Outcome = "refused" // certainly without effect
	Unknown Outcome = "unknown" // a time-out, a broken connection, a 5xx: it may have happened
)

// Answer is what the checker wants to know of a response. A hold's id and token are kept
// too: without them a violation could not be followed in the stores.
type Answer struct {
	HoldID      string            `json:"hold_id,omitempty"`
	Token       string            `json:"token,omitempty"`
	Reservation string            `json:"reservation_id,omitempty"`
	Status      string            `json:"status,omitempty"`
	Seats       []string          `json:"seats,omitempty"`
	Conflicts   []string          `json:"conflicts,omitempty"`
	States      map[string]string `json:"states,omitempty"` // Seats: of all that are not free
	Version     int64             `json:"version,omitempty"`
	Digest      string            `json:"digest,omitempty"` // of the whole body, to compare repetitions
}

// Attempt is one request, or, with Note, an event beside them.
type Attempt struct {
	Note string `json:"note,omitempty"` // such as a fault; it has Call and Return too

	Op     string   `json:"op,omitempty"` // the operation, the same in all its attempts
	Kind   Kind     `json:"kind,omitempty"`
	Client int      `json:"client"`
	Flight string   `json:"flight,omitempty"`
	Claim  string   `json:"claim,omitempty"` // names the hold, and what becomes of it
	Wanted []string `json:"wanted,omitempty"`
	From   string   `json:"from,omitempty"`
	To     string   `json:"to,omitempty"`

	Call    int64   `json:"call"`   // nanoseconds since the recorder began, monotonic
	Return  int64   `json:"return"` // likewise
	Router  int     `json:"router"`
	Backend string  `json:"backend,omitempty"`
	HTTP    int     `json:"http,omitempty"` // status; 0 without a response
	Code    string  `json:"code,omitempty"` // of a refusal
	Outcome Outcome `json:"outcome,omitempty"`
	Repeats bool    `json:"replayed,omitempty"` // the response says that it repeats an earlier one
	// Settled: no earlier attempt was on its way any more when this one was made, so a
	// refusal proves that none of them has happened.
	Settled bool   `json:"settled,omitempty"`
	Error   string `json:"error,omitempty"`
	Answer  Answer `json:"answer,omitzero"`
}

// Recorder writes attempts as they end. Its methods may be called by several goroutines.
type Recorder struct {
	began time.Time

	mu   sync.Mutex
	file *os.File
	w    *bufio.Writer
	list []Attempt
	err  error
}

// Create makes the file; its clock starts now.
func Create(path string) (*Recorder, error) {
	f, err := os.Create(path)
	if err != nil {
		return nil, err
	}
	return &Recorder{began: time.Now(), file: f, w: bufio.NewWriter(f)}, nil
}

// Now is the recorder's clock: nanoseconds since Create, monotonic.
func (r *Recorder) Now() int64 { return time.Since(r.began).Nanoseconds() }

// Add keeps an attempt that has ended.
func (r *Recorder) Add(a Attempt) {
	line, err := json.Marshal(a)
	r.mu.Lock()
	defer r.mu.Unlock()
	r.list = append(r.list, a)
	if err == nil {
		_, err = r.w.Write(append(line, '\n'))
	}
	if err != nil && r.err == nil {
		r.err = err
	}
}

// Note keeps an event that is no request, and began at call.
func (r *Recorder) Note(call int64, format string, args ...any) {
	r.Add(Attempt{Note: fmt.Sprintf(format, args...), Call: call, Return: r.Now()})
}

// All gives what was added so far.
func (r *Recorder) All() []Attempt {
	r.mu.Lock()
	defer r.mu.Unlock()
	return slices.Clone(r.list)
}

// Close writes what is left; the error is the first one of writing.
func (r *Recorder) Close() error {
	r.mu.Lock()
	defer r.mu.Unlock()
	return errors.Join(r.err, r.w.Flush(), r.file.Close())
}

// maxLine bounds a line of a history that is read.
const maxLine = 4 << 20

// Read gives the attempts of a file.
func Read(path string) ([]Attempt, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer func() { _ = f.Close() }()
	return parse(f, path)
}

func parse(r io.Reader, name string) ([]Attempt, error) {
	var list []Attempt
	lines := bufio.NewScanner(r)
	lines.Buffer(nil, maxLine)
	for n := 1; lines.Scan(); n++ {
		var a Attempt
		if err := json.Unmarshal(lines.Bytes(), &a); err != nil {
			return nil, fmt.Errorf("%s:%d: %w", name, n, err)
		}
		list = append(list, a)
	}
	return list, lines.Err()
}
