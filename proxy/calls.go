package proxy

import (
	"net/http"
	"strconv"
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

// calls measures the requests to one backend. Finding an observer by its labels costs
// more than observing, so each is found once.
type calls struct {
	seconds *prometheus.HistogramVec
	host    string
	found   [methodCount][maxStatus]atomic.Pointer[prometheus.Observer]
}

const (
	methodCount = 10  // those of methodLabel
	maxStatus   = 600 // from here on, and below 100, a status is labelled "other"; 0 is no answer
)

func newCalls(seconds *prometheus.HistogramVec, host string) *calls {
	return &calls{seconds: seconds, host: host}
}

// observe counts a call by its method and status; 0 is no answer.
func (c *calls) observe(method string, status int, took time.Duration) {
	label, i := methodLabel(method)
	if status != 0 && (status < 100 || status >= maxStatus) {
		status = 1 // one slot for all others
	}
	slot := &c.found[i][status]
	o := slot.Load()
	if o == nil {
		made := c.seconds.WithLabelValues(label, c.host, statusText(status))
		o = &made
		slot.Store(o)
	}
	(*o).Observe(took.Seconds())
}

// statusText and methodLabel keep labels few, whatever is sent.
func statusText(code int) string {
	if code == 1 {
		return "other"
	}
	return strconv.Itoa(code)
}

func methodLabel(m string) (label string, index int) {
	switch m {
	case http.MethodGet:
		return m, 0
	case http.MethodHead:
		return m, 1
	case http.MethodPost:
		return m, 2
	case http.MethodPut:
		return m, 3
	case http.MethodPatch:
		return m, 4
	case http.MethodDelete:
		return m, 5
	case http.MethodOptions:
		return m, 6
	case http.MethodConnect:
		return m, 7
	case http.MethodTrace:
		return m, 8
	}
	return "_OTHER", 9
}
