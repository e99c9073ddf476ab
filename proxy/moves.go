package proxy

import (
	"context"
	"strconv"
	"strings"
	"time"

	"banyan/modules/kernel/bucket"
	"banyan/modules/kernel/errs"
	"banyan/proxy/canary"
	"banyan/proxy/handover"
	"banyan/proxy/routes"
	"banyan/proxy/weights"
)

// maxFindings bounds what a view tells of an audit; its counts are whole.
const maxFindings = 20

// MovesView is how far the data of a route has followed its weights.
type MovesView struct {
	Desired   weights.Weights       `json:"desired"` // by weights and pins
	Actual    weights.Weights       `json:"actual"`  // by the owners of the buckets
	Moving    MovingView            `json:"moving"`
	Paused    bool                  `json:"paused"`
	Settled   bool                  `json:"settled"` // every bucket is where it should be, and nothing moves
	Progress  ProgressView          `json:"progress"`
	LastAudit *handover.AuditReport `json:"last_audit"` // null: there was none yet in this process
	Pins      []PinView             `json:"pins"`
}

// MovingView is what is on its way now.
type MovingView struct {
	Buckets int           `json:"buckets"`
	Weight  canary.Weight `json:"weight"`
	Moves   int           `json:"moves"`
}

// ProgressView is how a route's way goes, as seen by this process.
type ProgressView struct {
	Moved    int     `json:"moved"` // of the total
	Total    int     `json:"total"` // buckets to be moved when what is desired last changed
	Blocked  int     `json:"blocked"`
	Rate     float64 `json:"rate"` // buckets a second
	PauseP99 float64 `json:"pause_p99_ms"`
	Left     float64 `json:"left_seconds"` // at that rate; 0 when there is none
	Failures int     `json:"failures"`     // moves that failed, one after the other
	Error    string  `json:"last_error"`   // of whatever time
}

// PinView says that a bucket belongs to a backend whatever the weights are.
type PinView struct {
	Bucket int       `json:"bucket"`
	To     string    `json:"to"`
	Reason string    `json:"reason"`
	SetAt  time.Time `json:"set_at"`
}

// stateful gives a route whose data moves with its traffic. errs: NotFound, Invalid.
func (p *Router) stateful(id string) (*route, error) {
	r := p.table.Load().byID[id]
	if r == nil {
		return nil, notFound(id)
	}
	if r.mover == nil {
		return nil, errs.E(errs.Invalid, "route %s moves no data: it is not stateful, or its backends work on one store", id)
	}
	return r, nil
}

// Moving tells how far a route's data is, nil if it does not move. errs: NotFound,
// Unavailable.
func (p *Router) Moving(ctx context.Context, id string) (*MovesView, error) {
	r := p.table.Load().byID[id]
	if r == nil {
		return nil, notFound(id)
	}
	if r.mover == nil {
		return nil, nil //nolint:nilnil // most routes have no data to move
	}
	c := r.mover.coordinator
	pins, err := c.Journal().Pins(ctx)
	if err != nil {
		return nil, err
	}
	open, err := c.Journal().Open(ctx) // the map lets requests in before a move's last line is written
	if err != nil {
		return nil, err
	}
	moving := 0
	for _, m := range open {
		moving += m.Buckets
	}
	away := r.mover.settings.away
	t := count(r, c.Ranks().Cohort(r.weights[away], handover.PinsOf(pins, away)))
	v := &MovesView{
		Desired: pair(away, t.desired), Actual: pair(away, t.actual),
		Moving:   MovingView{moving, canary.Weight(moving), len(open)},
		Paused:   r.row != nil && r.row.Paused,
		Settled:  t.wrong == 0 && len(open) == 0,
		Progress: t.progress(c.Progress()),
		Pins:     pinViews(pins),
	}
	if report := c.LastAudit(); report.Counts != nil {
		report.Findings = report.Findings[:min(len(report.Findings), maxFindings)]
		v.LastAudit = &report
	}
	return v, nil
}

// standing compares a route's owners with what is desired now; the coordinator's own
// figures may be of a moment ago.
type standing struct {
	desired, actual, wrong, blocked int
}

func count(r *route, cohort canary.Cohort) standing {
	t, s := standing{}, r.mover.owners.Snapshot()
	for number := range s.Buckets {
		b := &s.Buckets[number]
		has, wants := s.Names[b.Owner] == r.mover.settings.away, cohort.Has(number)
		add(&t.desired, wants)
		add(&t.actual, has)
		add(&t.wrong, has != wants)
		add(&t.blocked, has != wants && b.Refused)
	}
	return t
}

func add(n *int, when bool) {
	if when {
		*n++
	}
}

// progress takes over what the coordinator says, unless it does not know yet what is
// desired now.
func (t standing) progress(p handover.Progress) ProgressView {
	v := ProgressView{Total: t.wrong, Blocked: t.blocked, PauseP99: milliseconds(p.PauseP99)}
	if p.Desired == t.desired {
		v.Total, v.Moved = p.Goal, max(0, p.Goal-t.wrong)
		v.Rate, v.Left, v.Failures, v.Error = p.Rate, p.Left.Seconds(), p.Failures, p.Error
	}
	return v
}

// pair gives the weights of home and extracted side from the latter's buckets.
func pair(away string, buckets int) weights.Weights {
	w := canary.Weight(buckets) // a bucket is a basis point
	return weights.Weights{routes.Monolith: canary.Full - w, away: w}
}

func milliseconds(d time.Duration) float64 { return float64(d.Microseconds()) / 1000 }

func pinViews(pins []handover.Pin) []PinView {
	list := make([]PinView, len(pins))
	for i, p := range pins {
		list[i] = PinView{p.Bucket, p.Owner, p.Reason, time.UnixMicro(p.SetAt).UTC()}
	}
	return list
}

// Range is buckets that follow each other, the first and the last.
type Range [2]int

// BucketsView is where a route's buckets are.
type BucketsView struct {
	Route   string          `json:"route"`
	Count   int             `json:"count"`
	Owners  []BucketsOfView `json:"owners"`
	Moving  []BucketsOfView `json:"moving"`
	Refused BucketsOfView   `json:"refused"` // their stores contradict the journal: no request gets there
	Pins    []PinView       `json:"pins"`
}

// BucketsOfView is some buckets that have something in common.
type BucketsOfView struct {
	Owner   string  `json:"owner,omitempty"`
	Target  string  `json:"target,omitempty"`
	Move    string  `json:"move,omitempty"`
	Phase   string  `json:"phase,omitempty"`
	Buckets int     `json:"buckets"`
	Ranges  []Range `json:"ranges"`
}

func (v *BucketsOfView) add(b int) {
	v.Buckets++
	if n := len(v.Ranges); n > 0 && v.Ranges[n-1][1] == b-1 {
		v.Ranges[n-1][1] = b
		return
	}
	v.Ranges = append(v.Ranges, Range{b, b})
}

// Buckets tells where a stateful route's buckets are. errs: NotFound, Invalid,
// Unavailable.
func (p *Router) Buckets(ctx context.Context, id string) (BucketsView, error) {
	r, err := p.stateful(id)
	if err != nil {
		return BucketsView{}, err
	}
	pins, err := r.mover.coordinator.Journal().Pins(ctx)
	if err != nil {
		return BucketsView{}, err
	}
	v := BucketsView{Route: id, Count: bucket.Count, Moving: []BucketsOfView{}, Refused: BucketsOfView{Ranges: []Range{}}, Pins: pinViews(pins)}
	s := r.mover.owners.Snapshot()
	owners, moves := map[uint8]int{}, map[int64]int{}
	for number := range s.Buckets {
		b := &s.Buckets[number]
		i, known := owners[b.Owner]
		if !known {
			i = len(v.Owners)
			owners[b.Owner] = i
			v.Owners = append(v.Owners, BucketsOfView{Owner: s.Names[b.Owner]})
		}
		v.Owners[i].add(number)
		if b.Refused {
			v.Refused.add(number)
		}
		if b.Phase == handover.Idle {
			continue
		}
		if i, known = moves[b.Move]; !known {
			i = len(v.Moving)
			moves[b.Move] = i
			v.Moving = append(v.Moving, BucketsOfView{Owner: s.Names[b.Owner], Target: s.Names[b.Target], Move: moveName(id, b.Move), Phase: b.Phase.String()})
		}
		v.Moving[i].add(number)
	}
	return v, nil
}

// moveName names a move among all routes' moves.
func moveName(route string, id int64) string { return route + "-" + strconv.FormatInt(id, 10) }

// ParseMove takes a move's name apart, such as reservations-17. errs: Invalid.
func ParseMove(name string) (route string, id int64, err error) {
	dash := strings.LastIndexByte(name, '-')
	if dash > 0 {
		id, err = strconv.ParseInt(name[dash+1:], 10, 64)
	}
	if dash < 1 || err != nil || id < 1 || moveName(name[:dash], id) != name {
		return "", 0, errs.E(errs.Invalid, "%q is no move; a move is named by route and number, such as reservations-17", name)
	}
	return name[:dash], id, nil
}
