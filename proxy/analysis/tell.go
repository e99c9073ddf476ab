package analysis

import (
	"fmt"
	"strconv"
	"time"

	"banyan/proxy/routes"
)

// Tell says in a clause what was found, such as "p99 of flights was 84 ms against 31 ms
// of monolith (ratio 2.7, allowed 1.2) over 4,112 and 12,230 requests".
func (f Finding) Tell(canary, home string) string {
	if f.Outside != "" {
		return f.Outside
	}
	of := fmt.Sprintf("%s of %s was %s", f.Metric, canary, f.value(f.Canary.Value))
	over := "over " + count(f.Canary.Requests)
	if f.Home != nil {
		of += fmt.Sprintf(" against %s of %s", f.value(f.Home.Value), home)
		over += " and " + count(f.Home.Requests)
	}
	allowed := "allowed " + f.value(f.Bound)
	if f.Ratio {
		allowed = "allowed " + number(f.Bound)
		if f.Home != nil && f.Home.Value > 0 {
			allowed = "ratio " + number(f.Canary.Value/f.Home.Value) + ", " + allowed
		}
	}
	return fmt.Sprintf("%s (%s) %s requests", of, allowed, over)
}

// Read gives both values as people read them.
func (f Finding) Read() (canary, home string) {
	if f.Outside != "" {
		return number(f.Canary.Value), ""
	}
	if f.Home != nil {
		home = f.value(f.Home.Value)
	}
	return f.value(f.Canary.Value), home
}

func (f Finding) value(v float64) string {
	if f.Metric == routes.SuccessRate || f.Metric == routes.ClientErrors {
		return strconv.FormatFloat(v*100, 'f', 2, 64) + "%"
	}
	d := time.Duration(v * float64(time.Second))
	switch {
	case d >= 10*time.Second:
		return fmt.Sprintf("%.0f s", d.Seconds())
	case d >= time.Second:
		return fmt.Sprintf("%.1f s", d.Seconds())
	case d >= 10*time.Millisecond:
		return fmt.Sprintf("%.0f ms", d.Seconds()*1e3)
	case d >= time.Millisecond:
		return fmt.Sprintf("%.1f ms", d.Seconds()*1e3)
	}
	return fmt.Sprintf("%.0f µs", d.Seconds()*1e6)
}

func number(v float64) string { return strconv.FormatFloat(v, 'g', 2, 64) }

// count writes a number with commas.
func count(n int) string {
	text := strconv.Itoa(n)
	for i := len(text) - 3; i > 0; i -= 3 {
		text = text[:i] + "," + text[i:]
	}
	return text
}
