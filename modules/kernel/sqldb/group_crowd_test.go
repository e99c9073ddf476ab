package sqldb

import (
	"testing"
	"time"
)

func TestAGroupWaitsForItsCrowd(t *testing.T) {
	const never = time.Hour
	closed := make(chan struct{})
	close(closed)
	for name, c := range map[string]struct {
		crowd, size int
		wait        time.Duration
		quit        chan struct{}
		late        bool // a caller comes while the group waits
		want        bool
	}{
		"as large as the last one": {crowd: 2, size: 2, wait: never},
		"one is missing and comes": {crowd: 2, size: 1, wait: never, late: true, want: true},
		"one is missing too long":  {crowd: 2, size: 1},
		"the database closes":      {crowd: 2, size: 1, wait: never, quit: closed},
		"full":                     {crowd: maxGroup + 1, size: maxGroup, wait: never},
	} {
		g := &grouper{crowd: c.crowd, jobs: make(chan *job), quit: c.quit}
		if c.late {
			go func() { g.jobs <- &job{} }()
		}
		late := lateness{timer: time.NewTimer(c.wait)}
		if got := g.next(c.size, &late) != nil; got != c.want {
			t.Errorf("%s: a caller was taken: %v, want %v", name, got, c.want)
		}
		late.stop()
	}
}
