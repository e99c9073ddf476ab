package telemetry

import (
	"encoding/json"
	"fmt"
	"math"
	"slices"
	"strconv"
	"time"
	"unicode/utf8"

	"github.com/sirupsen/logrus"
)

// lines formats an entry as one JSON object: time, level and message, then the fields by
// name. logrus's own formatter reflects; a line for every request would cost more than
// many requests do.
type lines struct{}

// Format implements logrus.Formatter.
func (lines) Format(e *logrus.Entry) ([]byte, error) {
	b := make([]byte, 0, 512)
	if e.Buffer != nil {
		b = e.Buffer.AvailableBuffer()
	}
	b = append(b, `{"time":"`...)
	b = e.Time.UTC().AppendFormat(b, time.RFC3339Nano)
	b = append(b, `","level":"`...)
	b = append(b, e.Level.String()...)
	b = append(b, `","message":`...)
	b = appendString(b, e.Message)
	var some [16]string
	keys := some[:0]
	for key := range e.Data {
		keys = append(keys, key)
	}
	slices.Sort(keys)
	for _, key := range keys {
		value := e.Data[key]
		switch key {
		case "time", "level", "message":
			key = "fields." + key
		}
		b = append(b, ',')
		b = appendString(b, key)
		b = append(b, ':')
		b = appendValue(b, value)
	}
	return append(b, '}', '\n'), nil
}

func appendValue(b []byte, value any) []byte {
	switch v := value.(type) {
	case string:
		return appendString(b, v)
	case int:
		return strconv.AppendInt(b, int64(v), 10)
	case int64:
		return strconv.AppendInt(b, v, 10)
	case float64:
		if math.IsNaN(v) || math.IsInf(v, 0) { // JSON has no such numbers
			return appendString(b, strconv.FormatFloat(v, 'g', -1, 64))
		}
		return strconv.AppendFloat(b, v, 'g', -1, 64)
	case error:
		return appendString(b, v.Error())
	}
	text, err := json.Marshal(value)
	if err != nil {
		return appendString(b, fmt.Sprint(value))
	}
	return append(b, text...)
}

// appendString quotes s for JSON. Control characters, and whatever else could break a
// line or a terminal, are escaped.
func appendString(b []byte, s string) []byte {
	for i := range len(s) {
		if c := s[i]; c < ' ' || c == '"' || c == '\\' || c >= utf8.RuneSelf || c == 0x7f {
			text, _ := json.Marshal(s) // a string can always be marshalled
			return append(b, text...)
		}
	}
	b = append(b, '"')
	b = append(b, s...)
	return append(b, '"')
}
