package main

import (
	"fmt"
	"io"
	"os"
	"time"

	"github.com/schollz/progressbar/v3"
	"golang.org/x/term"
)

// meterEvery is how often a meter that is not on a terminal writes a line.
const meterEvery = 5 * time.Second

// meter shows how far a long piece of work is: a bar on a terminal, else a line now and
// then.
type meter struct {
	out   io.Writer
	what  string
	bar   *progressbar.ProgressBar // on a terminal, once there is something to show
	fancy bool
	last  time.Time
	note  string // beside the numbers
}

func newMeter(out io.Writer, what string) *meter {
	f, isFile := out.(*os.File)
	return &meter{out: out, what: what, fancy: isFile && term.IsTerminal(int(f.Fd())), last: time.Now()}
}

// at says that done of total are done; total 0 means that nobody knows how many.
func (m *meter) at(done, total int) {
	if m.fancy {
		if m.bar == nil {
			if total == 0 {
				total = -1 // a spinner
			}
			m.bar = progress(m.out, m.what, total)
		}
		if total > 0 && total != m.bar.GetMax() {
			m.bar.ChangeMax(total)
		}
		if m.note != "" {
			m.bar.Describe(m.what + ": " + m.note)
		}
		_ = m.bar.Set(done)
		return
	}
	if time.Since(m.last) < meterEvery {
		return
	}
	m.last = time.Now()
	m.line(done, total)
}

// line writes how far it is, on a line of its own.
func (m *meter) line(done, total int) {
	text := fmt.Sprintf("%s: %d", m.what, done)
	if total > 0 {
		text += fmt.Sprintf(" of %d", total)
	}
	if m.note != "" {
		text += ", " + m.note
	}
	_, _ = fmt.Fprintln(m.out, text)
}

// end leaves the bar as it is and goes to the next line.
func (m *meter) end() {
	if m.bar != nil && !m.bar.IsFinished() {
		_ = m.bar.Exit()
		_, _ = fmt.Fprintln(m.out)
	}
}
