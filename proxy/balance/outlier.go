package balance

import "time"

// Outlier says when an instance is ejected, and for how long.
type Outlier struct {
	Failures int // in a row; 0: they never do
	// Gateway is how many answers of 502, 503 or 504 in a row do it, too; 0: they never do.
	Gateway int
	// Base is how long the first time, doubled each further time, up to Max.
	Base, Max time.Duration
}

// Record is what is held against an instance. The zero Record is nothing.
type Record struct {
	Failed    int       // failures in a row
	Gateway   int       // answers of 502, 503 or 504 in a row
	Ejections int       // in a row: forgotten when it did well for Outlier.Max
	Until     time.Time // it is, or was, ejected until then
}

// Ejected tells whether the instance is left out.
func (r Record) Ejected(now time.Time) bool { return now.Before(r.Until) }

// Fail is the record after a failure. Room says whether one more may be ejected (see Room);
// random, 0 to 1, spreads the ends of ejections. One that is ejected has nothing added:
// those requests were under way already. After an ejection the first failure is enough
// for the next one. In a row means: without a good answer in between.
func (r Record) Fail(o Outlier, now time.Time, random float64, room bool) Record {
	if r.Ejected(now) {
		return r
	}
	r.Failed++
	return r.judge(o, now, random, room)
}

// Refuse is Fail for an answer of 502, 503 or 504: the application is there, but this
// instance of it can do nothing for its callers.
func (r Record) Refuse(o Outlier, now time.Time, random float64, room bool) Record {
	if r.Ejected(now) || o.Gateway == 0 {
		return r
	}
	r.Gateway++
	return r.judge(o, now, random, room)
}

func (r Record) judge(o Outlier, now time.Time, random float64, room bool) Record {
	if !r.Suspect(o) || !room {
		return r
	}
	r.Ejections++
	r.Failed, r.Gateway = max(o.Failures-1, 0), max(o.Gateway-1, 0)
	r.Until = now.Add(Backoff(o, r.Ejections, random))
	return r
}

// Pass is the record after any other answer.
func (r Record) Pass(o Outlier, now time.Time) Record {
	if r.Ejected(now) {
		return r
	}
	r.Failed, r.Gateway = 0, 0
	if now.Sub(r.Until) >= o.Max {
		r.Ejections = 0
	}
	return r
}

// Return is the record after a good answer of one that was asked although it was ejected,
// because nobody else had answered: it is back at once, and leaves its room to another.
func (r Record) Return(now time.Time) Record {
	r.Failed, r.Gateway, r.Until = 0, 0, now
	return r
}

// Suspect tells whether the instance would be ejected if there were room. It should get
// LeastShare of its usual traffic: enough to see it recover.
func (r Record) Suspect(o Outlier) bool {
	return (o.Failures > 0 && r.Failed >= o.Failures) || (o.Gateway > 0 && r.Gateway >= o.Gateway)
}

// Clean tells whether nothing is held against the instance.
func (r Record) Clean() bool { return r.Failed == 0 && r.Gateway == 0 && r.Ejections == 0 }

// Backoff is how long the n-th ejection in a row lasts: Base doubled n-1 times, Max at
// most, less up to a fifth by random (0 to 1), so that instances do not all come back at
// one moment.
func Backoff(o Outlier, n int, random float64) time.Duration {
	d := min(o.Base, o.Max)
	for i := 1; i < n && d < o.Max; i++ {
		d = min(2*d, o.Max)
	}
	return d - time.Duration(min(max(random, 0), 1)*float64(d)/5)
}

// Room tells whether one more of n instances may be ejected: at most half of them are,
// and so never the only one.
func Room(ejected, n int) bool { return 2*(ejected+1) <= n }
