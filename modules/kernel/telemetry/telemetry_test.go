package telemetry_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"math"
	"net/http/httptest"
	"strings"
	"testing"

	"banyan/modules/kernel/telemetry"
)

func TestLinesAreJSON(t *testing.T) {
	var out bytes.Buffer
	log, err := telemetry.NewLog(&out, "banyan", "info")
	if err != nil {
		t.Fatal(err)
	}
	for _, value := range []any{
		"plain", "quo\"te", "back\\slash", "line\nbreak", "\x00\x1b[31m", "\xff\xfe", "Zürich", "", "\u2028",
		1, int64(-5), 0.125, 1e300, math.NaN(), true, nil, errors.New("oh"),
		[]string{"a"},
		map[string]any{"b": 1},
		make(chan int),
	} {
		out.Reset()
		log.WithField("value", value).WithField("level", "mine").Warn("a \"message\"")
		var line map[string]any
		if err := json.Unmarshal(out.Bytes(), &line); err != nil {
			t.Errorf("%v is logged as %s", value, out.String())
			continue
		}
		if line["service"] != "banyan" || line["level"] != "warning" || line["message"] != `a "message"` || line["time"] == "" {
			t.Errorf("%v is logged as %s", value, out.String())
		}
		if strings.Count(out.String(), "\n") != 1 {
			t.Errorf("%v takes more than one line: %q", value, out.String())
		}
	}
	out.Reset()
	log.Debug("not this")
	if out.Len() != 0 {
		t.Errorf("a debug line at level info: %s", out.String())
	}
}

func TestUnknownLevelIsRefused(t *testing.T) {
	if _, err := telemetry.NewLog(&bytes.Buffer{}, "banyan", "loud"); err == nil {
		t.Error("there is no level loud")
	}
}

func TestMetricsHandler(t *testing.T) {
	w := httptest.NewRecorder()
	telemetry.MetricsHandler(telemetry.NewRegistry("banyan")).ServeHTTP(w, httptest.NewRequestWithContext(t.Context(), "GET", "/metrics", nil))
	for _, want := range []string{"go_goroutines ", "process_open_fds ", `banyan_build_info{service="banyan"`} {
		if !strings.Contains(w.Body.String(), want) {
			t.Errorf("the metrics lack %s", want)
		}
	}
}
