package handover_test

import (
	"testing"
	"time"
)

// TestVerify compares what both sides have since their move, and nothing else.
func TestVerify(t *testing.T) {
	s := newSides()
	c, _ := moved(t, s) // 1 to 5 are owned away
	c = start(t, options(c.Journal(), s.home, s.away))
	v, err := c.Verify(t.Context(), nil)
	if err != nil || v.Compared != 5 || v.Skipped != 9995 || len(v.Differences) != 0 {
		t.Fatalf("after the move: %+v, %v", v, err)
	}
	if err := s.away.Write(3, record(3, 99)); err != nil {
		t.Fatal(err)
	}
	v, err = c.Verify(t.Context(), []int{3, 1, 7})
	if err != nil || v.Compared != 2 || v.Skipped != 1 || len(v.Differences) != 1 {
		t.Fatalf("one was written: %+v, %v", v, err)
	}
	d := v.Differences[0]
	if d.Bucket != 3 || d.Owner != away || d.Away.Records != d.Home.Records+1 || d.Home.SHA256 == d.Away.SHA256 || d.Move != c.Map().Owner(3).Epoch {
		t.Errorf("it tells %+v", d)
	}
	back := begin(t, c.Journal(), away, home, 1) // its data is on its way
	if v, err := c.Verify(t.Context(), []int{1}); err != nil || v.Compared != 0 {
		t.Errorf("a bucket on its way: %+v, %v", v, err)
	}
	if err := c.Abort(t.Context(), back.ID, "tidy"); err != nil {
		t.Fatal(err)
	}
	o := options(c.Journal(), s.home, s.away)
	o.Retain = time.Nanosecond
	purged := start(t, o)
	if v, err := purged.Verify(t.Context(), nil); err != nil || v.Compared != 0 {
		t.Errorf("the former owner may have forgotten them: %+v, %v", v, err)
	}
}
