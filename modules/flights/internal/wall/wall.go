// Package wall handles local wall clock time: what a timetable prints, kept apart from
// the instant it stands for, because a zone's rules change and 09:00 stays 09:00.
package wall

import (
	"errors"
	"fmt"
	"strconv"
	"time"
	_ "time/tzdata" // zones are the airports': known on a machine without zoneinfo too
)

// Time is a wall clock time of no zone: minutes since 1970-01-01T00:00.
type Time int64

const (
	day       = 24 * 60
	layout    = "2006-01-02T15:04"
	dayLayout = "2006-01-02"
)

// Years that are accepted; all zones' offsets are whole minutes in them.
const (
	minYear = 1990
	maxYear = 2099
)

var errRange = errors.New("the year must be 1990 to 2099")

// Parse reads YYYY-MM-DDTHH:MM.
func Parse(s string) (Time, error) {
	t, err := parse(layout, s)
	return Time(t.Unix() / 60), err
}

// ParseDate reads YYYY-MM-DD and gives its midnight.
func ParseDate(s string) (Time, error) {
	t, err := parse(dayLayout, s)
	return Time(t.Unix() / 60), err
}

func parse(layout, s string) (time.Time, error) {
	t, err := time.Parse(layout, s)
	if err != nil {
		return time.Time{}, err
	}
	if t.Format(layout) != s {
		return time.Time{}, errors.New("digits are missing")
	}
	if y := t.Year(); y < minYear || y > maxYear {
		return time.Time{}, errRange
	}
	return t, nil
}

// Of gives the time of a date as yyyymmdd and a clock as hhmm, as stores keep them.
func Of(yyyymmdd, hhmm int) Time {
	d := time.Date(yyyymmdd/10000, time.Month(yyyymmdd/100%100), yyyymmdd%100, hhmm/100, hhmm%100, 0, 0, time.UTC)
	return Time(d.Unix() / 60)
}

func (t Time) utc() time.Time { return time.Unix(int64(t)*60, 0).UTC() }

// String gives YYYY-MM-DDTHH:MM.
func (t Time) String() string {
	return t.utc().Format(time.RFC3339)[:len(layout)] // the layout that is quick
}

// Date gives YYYY-MM-DD.
func (t Time) Date() string { return t.utc().Format(dayLayout) }

// Day gives the date as the number yyyymmdd.
func (t Time) Day() int {
	y, m, d := t.utc().Date()
	return y*10000 + int(m)*100 + d
}

// Clock gives the time of day as the number hhmm.
func (t Time) Clock() int {
	m := int(t % day)
	return m/60*100 + m%60
}

// Instant gives the seconds since 1970 UTC at which the wall clock of loc shows t. A
// time that a clock change skips is moved on by what it skips, 02:30 to 03:30; of a
// time that comes twice it is the first.
func (t Time) Instant(loc *time.Location) int64 {
	const around = 24 * 3600 // no zone changes its clock twice in two days
	wall := int64(t) * 60
	_, before := time.Unix(wall-around, 0).In(loc).Zone()
	_, after := time.Unix(wall+around, 0).In(loc).Zone()
	first, second := wall-int64(before), wall-int64(after)
	if before == after || shows(first, loc, before) || !shows(second, loc, after) {
		return first // also the skipped time: read with the offset before the change
	}
	return second
}

// shows says whether loc's offset at the instant is the one named.
func shows(instant int64, loc *time.Location, offset int) bool {
	_, o := time.Unix(instant, 0).In(loc).Zone()
	return o == offset
}

// Plausible says what is wrong with a journey of so many minutes, if anything.
func Plausible(minutes int64) error {
	const most = 48 * 60
	if minutes < 1 || minutes > most {
		return fmt.Errorf("the arrival is %s minutes after the departure; 1 to %d are possible", strconv.FormatInt(minutes, 10), most)
	}
	return nil
}
