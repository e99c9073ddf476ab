package playbook

import (
	"context"
	"slices"
	"time"
)

// State says how far a run or a block of it is.
type State string

// The states. A run that is running may have lost its runner; see Run.SeenAt.
const (
	Running   State = "running"
	Stopped   State = "stopped" // before its end: it failed, or somebody stopped it
	Done      State = "done"
	Failed    State = "failed"    // a block: it did not show what it must
	Abandoned State = "abandoned" // a run: another one was begun instead
)

// Run is a run of a page as the journal knows it.
type Run struct {
	ID        string            `json:"id"`
	Name      string            `json:"name"`
	File      string            `json:"file"`
	Title     string            `json:"title"`
	Digest    string            `json:"digest"` // of the page's text
	Total     int               `json:"total"`  // blocks of the part that is run
	State     State             `json:"state"`
	Back      bool              `json:"way_back"` // it is on the way back
	Attempt   int64             `json:"attempt"`  // 1, and one more with each resumption
	Actor     string            `json:"actor"`
	Reason    string            `json:"reason"`
	Variables map[string]string `json:"variables"` // that later blocks need
	StartedAt time.Time         `json:"started_at"`
	SeenAt    time.Time         `json:"seen_at"` // last sign of life of its runner, by the journal's clock
	EndedAt   time.Time         `json:"ended_at,omitzero"`
	Quiet     float64           `json:"quiet_seconds"` // since SeenAt, by the same clock
	Steps     []Record          `json:"steps"`         // in the order in which they began
}

// Record is what is noted about a block.
type Record struct {
	Attempt   int64     `json:"attempt"`
	Step      string    `json:"step"`
	Title     string    `json:"title"`
	State     State     `json:"state"`
	Detail    string    `json:"detail"` // why it failed
	Output    string    `json:"output"` // its last lines, secrets masked
	Actor     string    `json:"actor"`
	StartedAt time.Time `json:"started_at"`
	EndedAt   time.Time `json:"ended_at,omitzero"`
}

// Open tells whether the run can be resumed.
func (r *Run) Open() bool { return r.State == Running || r.State == Stopped }

// Has tells whether a block was acknowledged as done.
func (r *Run) Has(step string) bool {
	return slices.ContainsFunc(r.Steps, func(s Record) bool { return s.Step == step && s.State == Done })
}

// Beginning is a new run.
type Beginning struct {
	Name   string `json:"name"`
	File   string `json:"file"`
	Title  string `json:"title"`
	Digest string `json:"digest"`
	Total  int    `json:"total"`
	Back   bool   `json:"way_back"`
	Reason string `json:"reason"`
	Anew   bool   `json:"anew"` // give up a run of this page that has not ended
	Actor  string `json:"-"`
}

// Taking is a resumption of a run.
type Taking struct {
	Run     string `json:"-"`
	Attempt int64  `json:"attempt"` // that was seen
	Digest  string `json:"digest"`
	Total   int    `json:"total"`
	Back    bool   `json:"way_back"`
	Actor   string `json:"-"`
}

// Note is news of a run from its runner; the same one may come twice.
type Note struct {
	Run       string            `json:"-"`
	Attempt   int64             `json:"attempt"`
	Step      string            `json:"step,omitempty"` // "": of the run itself
	Title     string            `json:"title,omitempty"`
	State     State             `json:"state"`
	Detail    string            `json:"detail,omitempty"`
	Output    string            `json:"output,omitempty"`
	Variables map[string]string `json:"variables,omitempty"` // all of them, when a block ended
	Actor     string            `json:"-"`
}

// Journal keeps runs. A Store is one, and so is a client of the admin API. Errors of a
// journal that does not answer are errs.Unavailable or errs.GatewayTimeout.
type Journal interface {
	// Begin starts a run. errs: PreconditionFailed while another of the page is open.
	Begin(ctx context.Context, b Beginning) (Run, error)
	// Take makes the caller the run's only runner. errs: NotFound; PreconditionFailed
	// when somebody else was faster or the run has ended.
	Take(ctx context.Context, t Taking) (Run, error)
	// Write notes how a block, or the run, is. errs: PreconditionFailed when the run has
	// another runner by now.
	Write(ctx context.Context, n Note) error
	// Run gives a run with its blocks. errs: NotFound.
	Run(ctx context.Context, id string) (Run, error)
	// Runs gives runs without their blocks, newest first; of one page unless name is "".
	Runs(ctx context.Context, name string, limit int) ([]Run, error)
}
