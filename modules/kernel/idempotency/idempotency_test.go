package idempotency_test

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"banyan/modules/kernel/errs"
	"banyan/modules/kernel/idempotency"
)

func request(t *testing.T, keys ...string) *http.Request {
	t.Helper()
	r := httptest.NewRequestWithContext(t.Context(), http.MethodPost, "/", nil)
	for _, k := range keys {
		r.Header.Add(idempotency.Header, k)
	}
	return r
}

func TestKey(t *testing.T) {
	for name, c := range map[string]struct {
		keys []string
		want string
		code errs.Code
	}{
		"none":         {nil, "", ""},
		"bare":         {[]string{"8e03978e-40d5"}, "8e03978e-40d5", ""},
		"quoted":       {[]string{`"8e03978e-40d5"`}, "8e03978e-40d5", ""},
		"longest":      {[]string{strings.Repeat("k", 128)}, strings.Repeat("k", 128), ""},
		"empty":        {[]string{""}, "", errs.Invalid},
		"empty quoted": {[]string{`""`}, "", errs.Invalid},
		"too long":     {[]string{strings.Repeat("k", 129)}, "", errs.Invalid},
		"space inside": {[]string{"a b"}, "", errs.Invalid},
		"not ASCII":    {[]string{"ключ"}, "", errs.Invalid},
		"half quoted":  {[]string{`"abc`}, "", errs.Invalid},
		"twice":        {[]string{"a", "a"}, "", errs.Invalid},
	} {
		got, err := idempotency.Key(request(t, c.keys...))
		if got != c.want || errs.CodeOf(err) != c.code {
			t.Errorf("%s: %q, %v; want %q, %q", name, got, err, c.want, c.code)
		}
	}
}

func TestRequired(t *testing.T) {
	if _, err := idempotency.Required(request(t)); errs.CodeOf(err) != errs.KeyRequired {
		t.Errorf("no key: %v", err)
	}
}

func TestFingerprintTellsRequestsApart(t *testing.T) {
	type body struct {
		Seats []string `json:"seats"`
	}
	one := idempotency.Fingerprint("hold", body{[]string{"1A"}})
	if one != idempotency.Fingerprint("hold", body{[]string{"1A"}}) {
		t.Error("the same request has two fingerprints")
	}
	for _, other := range []string{
		idempotency.Fingerprint("hold", body{[]string{"1B"}}),
		idempotency.Fingerprint("confirm", body{[]string{"1A"}}),
	} {
		record := idempotency.Record{Fingerprint: other}
		if errs.CodeOf(record.Check(one)) != errs.KeyReused {
			t.Error("another request passes for the recorded one")
		}
	}
}

// Fingerprints are stored, and compared by programs of other versions.
func TestFingerprintStaysTheSame(t *testing.T) {
	for name, c := range map[string]struct {
		arguments string
		want      string
	}{
		"short": {`{"seats":["1A"]}`, "7de059067567e95a85fef09b80c47bf1057fd98f561ed532831d99c8a55e9ad7"},
		"long":  {`{"seats":["` + strings.Repeat("1A,", 500) + `"]}`, "d74c63d1026edd9b43e7173c0356e6b55ca70342b569416dc8c93a7c44c9e7fa"},
	} {
		var arguments map[string][]string
		if err := json.Unmarshal([]byte(c.arguments), &arguments); err != nil {
			t.Fatal(err)
		}
		if got := idempotency.Fingerprint("hold", arguments); got != c.want {
			t.Errorf("%s: %s", name, got)
		}
		if got := idempotency.Digest("hold", []byte(c.arguments)); got != c.want {
			t.Errorf("%s: its JSON has the digest %s", name, got)
		}
	}
}
