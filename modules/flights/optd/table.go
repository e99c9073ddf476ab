package optd

import (
	"bufio"
	"bytes"
	"errors"
	"hash"
	"io"
	"math"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"unicode/utf8"

	"banyan/modules/flights"
	"banyan/modules/flights/internal/wall"
	"banyan/modules/kernel/errs"
)

// Bounds of a file, far above OpenTravelData's.
const (
	maxLine  = 64 << 10 // bytes
	maxLines = 2_000_000
	maxName  = 400 // bytes
)

// reader reads the folder's files one after the other.
type reader struct {
	dir      string
	problem  func(Problem)
	sum      hash.Hash // of all files
	zones    *wall.Zones
	places   map[string]*place
	airlines map[string]string // code to name
}

// line is a line of a file: its fields in the order of the columns asked for.
type line struct {
	file   string
	number int
	fields []string
	report func(Problem)
}

// leave reports the line as left out.
func (l *line) leave(why Reason, detail string) {
	l.report(Problem{File: l.file, Line: l.number, Reason: why, Detail: detail})
}

// lines streams a file: each line that has all its fields goes to use. The columns are
// found by their names in the header, so that new ones do not matter.
func (r *reader) lines(file, separator string, columns []string, use func(*line)) error {
	f, err := os.Open(filepath.Join(r.dir, file))
	if err != nil {
		return errs.E(errs.Invalid, "%s cannot be read; name a folder that has %s, %s, %s and %s",
			file, AirportsFile, AirlinesFile, AircraftFile, RoutesFile).Because(err)
	}
	defer func() { _ = f.Close() }()
	in := bufio.NewReaderSize(io.TeeReader(f, r.sum), maxLine)
	_, _ = io.WriteString(r.sum, "\x00"+file+"\x00")
	var at []int
	width := 0
	for n := 1; ; n++ {
		text, end, err := next(in)
		if err != nil {
			return errs.E(errs.Unavailable, "%s, line %d, cannot be read", file, n).Because(err)
		}
		l := line{file: file, number: n, report: r.problem}
		switch {
		case n == 1:
			if at, width, err = find(file, text, separator, columns); err != nil {
				return err
			}
		case n > maxLines:
			return errs.E(errs.Invalid, "%s has more than %d lines", file, maxLines)
		case text != "" || !end:
			l.take(text, separator, at, width, use)
		}
		if end {
			return nil
		}
	}
}

// overlong stands for a line that was too long to keep.
const overlong = "\x00"

// next reads a line without its end; end is true behind the last one.
func next(in *bufio.Reader) (text string, end bool, err error) {
	b, err := in.ReadSlice('\n')
	if errors.Is(err, bufio.ErrBufferFull) {
		for errors.Is(err, bufio.ErrBufferFull) {
			_, err = in.ReadSlice('\n')
		}
		b = []byte(overlong)
	}
	if errors.Is(err, io.EOF) {
		end, err = true, nil
	}
	return string(bytes.TrimRight(b, "\r\n")), end, err
}

// find gives the places of the columns in the header, and its width.
func find(file, header, separator string, columns []string) ([]int, int, error) {
	names := strings.Split(strings.TrimPrefix(header, "\ufeff"), separator)
	at := make([]int, len(columns))
	for i, c := range columns {
		at[i] = -1
		for j, name := range names {
			if name == c {
				at[i] = j
			}
		}
		if at[i] < 0 {
			return nil, 0, errs.E(errs.Invalid, "%s:1: the header has no column %s; is it OpenTravelData's file?", file, c)
		}
	}
	return at, len(names), nil
}

// take splits the line and hands it on, or reports it.
func (l *line) take(text, separator string, at []int, width int, use func(*line)) {
	if text == overlong {
		l.leave(TooLong, "more than "+strconv.Itoa(maxLine)+" bytes")
		return
	}
	if !utf8.ValidString(text) || strings.Contains(text, "\x00") {
		l.leave(BadText, "the line is not plain UTF-8")
		return
	}
	all := strings.Split(text, separator)
	if len(all) != width {
		l.leave(BadFields, strconv.Itoa(len(all))+" instead of "+strconv.Itoa(width))
		return
	}
	l.fields = make([]string, len(at))
	for i, j := range at {
		if all[j] != "null" {
			l.fields[i] = strings.TrimSpace(all[j])
		}
	}
	use(l)
}

// name checks a name that is to be stored.
func (l *line) name(s string) bool {
	if len(s) <= maxName {
		return true
	}
	l.leave(BadText, "a name of "+strconv.Itoa(len(s))+" bytes")
	return false
}

// decimal reads a plain number between low and high.
func decimal(s string, low, high float64) (float64, bool) {
	v, err := strconv.ParseFloat(s, 64)
	return v, err == nil && !math.IsNaN(v) && v >= low && v <= high
}

func quote(s string) string { return flights.Quote(s) }
