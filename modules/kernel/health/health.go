// Package health answers GET /health in the format of
// draft-inadarei-api-health-check-06: readiness, judged by checks that really use what
// the service depends on. Liveness is Ping: the process answers.
package health

import (
	"context"
	"encoding/json"
	"net/http"
	"sync"
	"time"

	"banyan/modules/kernel/sqldb"
)

// Status of a check or of the whole.
type Status string

// The statuses. Warn still serves.
const (
	Pass Status = "pass"
	Warn Status = "warn"
	Fail Status = "fail"
)

const (
	checkTimeout = 2 * time.Second
	// fresh is how long an answer serves again, so that probes of many balancers do not
	// become load on the database.
	fresh = time.Second
)

// Result is what a check saw. Output is for people and goes to anyone who asks: no
// addresses, no error texts of drivers.
type Result struct {
	Status Status
	Value  any
	Unit   string
	Output string
}

// Check looks at one thing the service depends on. Name is "component:measurement".
type Check struct {
	Name          string
	ComponentType string // component, datastore or system
	Run           func(context.Context) Result
}

// Responds is a check that passes when ping returns nil in time; it measures how long
// that took. Errors go to the log, not to the answer.
func Responds(component, componentType string, ping func(context.Context) error, onError func(error)) Check {
	return Check{Name: component + ":responseTime", ComponentType: componentType, Run: func(ctx context.Context) Result {
		start := time.Now()
		err := ping(ctx)
		took := float64(time.Since(start).Microseconds()) / 1000
		if err == nil {
			return Result{Status: Pass, Value: took, Unit: "ms"}
		}
		if onError != nil {
			onError(err)
		}
		return Result{Status: Fail, Value: took, Unit: "ms", Output: component + " does not answer; see the service's log"}
	}}
}

// Database is a ping that reads the schema's version: a server that is up but has not
// been migrated is not ready.
func Database(db *sqldb.DB) func(context.Context) error {
	return func(ctx context.Context) error {
		var version int64
		row := db.Reader().QueryRowContext(ctx, "SELECT MAX(version_id) FROM goose_db_version")
		return sqldb.Fail(row.Scan(&version))
	}
}

// Health is the handler of /health.
type Health struct {
	service, version string
	checks           []Check

	mu       sync.Mutex
	draining bool
	at       time.Time
	status   Status
	body     []byte
}

// New makes a handler; version is that of the program.
func New(service, version string, checks ...Check) *Health {
	return &Health{service: service, version: version, checks: checks}
}

// Add adds a check.
func (h *Health) Add(c Check) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.checks, h.at = append(h.checks, c), time.Time{}
}

// Drain makes the answer fail from now on: the service is about to stop.
func (h *Health) Drain() {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.draining, h.at = true, time.Time{}
}

// ServeHTTP answers 200 for pass and warn and 503 for fail.
func (h *Health) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	status, body := h.current(r.Context())
	w.Header().Set("Content-Type", "application/health+json")
	w.Header().Set("Cache-Control", "max-age=1")
	if status == Fail {
		w.WriteHeader(http.StatusServiceUnavailable)
	}
	_, _ = w.Write(body)
}

// current runs the checks unless the last answer is fresh; callers meanwhile wait for it.
func (h *Health) current(ctx context.Context) (Status, []byte) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if time.Since(h.at) < fresh {
		return h.status, h.body
	}
	// The answer serves others too: a caller that hangs up must not make it a failure.
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), checkTimeout)
	defer cancel()
	h.status, h.body = h.run(ctx)
	h.at = time.Now()
	return h.status, h.body
}

type entry struct {
	ComponentType string `json:"componentType"`
	ObservedValue any    `json:"observedValue,omitempty"`
	ObservedUnit  string `json:"observedUnit,omitempty"`
	Status        Status `json:"status"`
	Time          string `json:"time"`
	Output        string `json:"output"`
}

type answer struct {
	Status    Status             `json:"status"`
	Version   string             `json:"version"`
	ServiceID string             `json:"serviceId"`
	Output    string             `json:"output"`
	Checks    map[string][]entry `json:"checks"`
}

func (h *Health) run(ctx context.Context) (Status, []byte) {
	a := answer{Status: Pass, Version: h.version, ServiceID: h.service, Checks: map[string][]entry{}}
	results := runAll(ctx, h.checks)
	for i, c := range h.checks {
		r := results[i]
		a.Checks[c.Name] = append(a.Checks[c.Name], entry{
			ComponentType: c.ComponentType, ObservedValue: r.Value, ObservedUnit: r.Unit,
			Status: r.Status, Time: time.Now().UTC().Format(time.RFC3339), Output: r.Output,
		})
		if r.Status == Fail || (r.Status == Warn && a.Status == Pass) {
			a.Status = r.Status
		}
		if r.Status != Pass && a.Output == "" {
			a.Output = r.Output
		}
	}
	if h.draining {
		a.Status, a.Output = Fail, "the service is stopping"
	}
	body, err := json.Marshal(a)
	if err != nil { // a check's value that cannot be marshalled: a defect
		return Fail, []byte(`{"status":"fail"}`)
	}
	return a.Status, append(body, '\n')
}

// runAll runs the checks side by side. One that outlives ctx is reported as failed, and
// left to end by itself.
func runAll(ctx context.Context, checks []Check) []Result {
	results := make([]Result, len(checks))
	done := make([]chan Result, len(checks))
	for i, c := range checks {
		done[i] = make(chan Result, 1)
		go func() { done[i] <- c.Run(ctx) }()
	}
	for i := range checks {
		select {
		case results[i] = <-done[i]:
		case <-ctx.Done():
			results[i] = Result{Status: Fail, Output: "no answer within " + checkTimeout.String()}
		}
	}
	return results
}

// Ping is liveness: it asks nobody.
func Ping(w http.ResponseWriter, _ *http.Request) {
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	w.Header().Set("Cache-Control", "no-store")
	_, _ = w.Write([]byte("PONG\n"))
}
