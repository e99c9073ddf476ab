package shadow

import (
	"bytes"
	"compress/gzip"
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"testing"
)

func answerOf(body string, header ...string) *answer {
	a := &answer{status: 200, header: http.Header{"Content-Type": {"application/json"}}, body: []byte(body)}
	for i := 0; i+1 < len(header); i += 2 {
		a.header.Set(header[i], header[i+1])
	}
	return a
}

func zipped(body string) *answer {
	var b bytes.Buffer
	z := gzip.NewWriter(&b)
	_, _ = z.Write([]byte(body))
	_ = z.Close()
	a := answerOf(b.String())
	a.header.Set("Content-Encoding", "gzip")
	return a
}

func TestCompare(t *testing.T) {
	failure := answerOf("{}")
	failure.status = 500
	for _, c := range []struct {
		name       string
		old, later *answer
		want       string
	}{
		{"equal", answerOf(`{"a":1}`), answerOf(`{"a":1}`), ""},
		{"spelling", answerOf(`{"a":1,"b":[true,null]}`), answerOf(` { "b" : [true, null], "a" : 1.0 } `), ""},
		{"zipped", zipped(`{"a":"x"}`), answerOf(`{"a":"x"}`), ""},
		{"zipped, other", zipped(`{"a":"x"}`), answerOf(`{"a":"y"}`), `$.a "x" "y"`},
		{"value", answerOf(`{"a":{"b":[{"c":1},{"c":2}]}}`), answerOf(`{"a":{"b":[{"c":1},{"c":3}]}}`), `$.a.b[*].c 2 3`},
		{"long numbers", answerOf(`{"a":12345678901234567890}`), answerOf(`{"a":12345678901234567891}`), `$.a (masked) (masked)`},
		{"once", answerOf(`[{"c":1},{"c":2}]`), answerOf(`[{"c":3},{"c":4}]`), `$[*].c 1 3`},
		{"absent", answerOf(`{"a":1}`), answerOf(`{"b":"x"}`), `$.a 1 (absent); $.b (absent) "x"`},
		{"length", answerOf(`[1,2]`), answerOf(`[1]`), `$.length() 2 1`},
		{"type", answerOf(`{"a":1}`), answerOf(`{"a":"1"}`), `$.a 1 "1"`},
		{"null and absent differ", answerOf(`{"a":null}`), answerOf(`{}`), `$.a null (absent)`},
		{"object and array", answerOf(`{"a":{}}`), answerOf(`{"a":[1]}`), `$.a (an object of 0) (an array of 1)`},
		{"status alone", answerOf(`{"a":1}`), failure, `(status) 200 500`},
		{"content type", answerOf(`1`), answerOf(`1`, "Content-Type", "application/JSON; charset=utf-8"), `header:content-type "application/json" "application/json; charset=utf-8"`},
		{"case of a content type", answerOf(`1`, "Content-Type", "application/json;charset=UTF-8"), answerOf(`1`, "Content-Type", "Application/json; charset=UTF-8"), ""},
		{"etag's presence", answerOf(`1`, "Etag", `"1"`), answerOf(`1`), `header:etag (present) (absent)`},
		{"etag's value", answerOf(`1`, "Etag", `"1"`), answerOf(`1`, "Etag", `"2"`), ""},
		{"no JSON", answerOf(`a`, "Content-Type", "text/plain"), answerOf(`bc`, "Content-Type", "text/plain"), `(body) (1 bytes, sha256 ca978112ca1b…) (2 bytes, sha256 1e0bbd6c686b…)`},
		{"broken JSON", answerOf(`{"a":1`), answerOf(`{"a":1}`), `(body) (6 bytes, sha256 7b57d4a59c8c…) (7 bytes, sha256 015abd7f5cc5…)`},
		{"ignored", answerOf(`{"skip":{"deep":1},"skipper":1,"list":[{"at":1,"x":1}]}`), answerOf(`{"skip":{"deep":2},"skipper":2,"list":[{"at":2,"x":2}]}`), `$.list[*].x 1 2; $.skipper 1 2`},
		{"ids as keys", answerOf(`{"seats":{"12C":"free","13D":"free"}}`), answerOf(`{"seats":{"12C":"held"}}`), `$.seats.* "free" "held"`},
	} {
		t.Run(c.name, func(t *testing.T) {
			found, ok := compare(c.old, c.later, anyIndex([]string{"$.skip", "$.list[0].at"}))
			lines := map[string]string{}
			for _, d := range found {
				lines[d.path] = d.path + " " + d.old + " " + d.new
			}
			var got []string
			for _, path := range []string{"$.a", "$.b", "$.list[*].x", "$.skipper"} {
				if lines[path] != "" {
					got = append(got, lines[path])
					delete(lines, path)
				}
			}
			for _, line := range lines {
				got = append(got, line)
			}
			text := strings.Join(got, "; ")
			if c.name == "broken JSON" || c.name == "ids as keys" {
				text, c.want = firstWord(text), firstWord(c.want)
			}
			if !ok || text != c.want {
				t.Errorf("found %s, want %s", text, c.want)
			}
		})
	}
}

func firstWord(s string) string { word, _, _ := strings.Cut(s, " "); return word }

// TestCompareIsBounded: no document makes it deep, long or wide without end.
func TestCompareIsBounded(t *testing.T) {
	wide := func(value int) string {
		var b strings.Builder
		for i := range 5000 {
			_, _ = fmt.Fprintf(&b, `"name%c%c%c":%d,`, 'a'+i%26, 'a'+i/26%26, 'a'+i/676, value)
		}
		return "{" + b.String() + `"z":1}`
	}
	found, _ := compare(answerOf(wide(1)), answerOf(wide(2)), nil)
	if len(found) != 1 || found[0].path != "$.*" {
		t.Errorf("%d differences of one wide object", len(found))
	}
	deep := func(value string) string { return strings.Repeat(`{"a":`, 2000) + value + strings.Repeat("}", 2000) }
	if found, ok := compare(answerOf(deep("1")), answerOf(deep("2")), nil); !ok || len(found) != 0 {
		t.Errorf("%d differences below the depth that is looked at", len(found))
	}
	bomb := zipped(strings.Repeat("0", 1<<20))
	if _, ok := compare(bomb, answerOf("1"), nil); ok {
		t.Error("an answer that grows a thousandfold was read")
	}
	tally := newTally("r", newMetrics())
	for i := range 2 * maxFields {
		tally.add(raw, []difference{{path: fmt.Sprint("$.f", i), old: "1", new: "2"}})
	}
	if len(tally.fields) != maxFields || tally.lost != maxFields {
		t.Errorf("%d fields, %d differences without", len(tally.fields), tally.lost)
	}
	for i := range 10 {
		tally.add(raw, []difference{{path: "$.f1", old: "1", new: fmt.Sprint(i)}})
	}
	if n := len(tally.fields["$.f1"].samples); n != maxSamples {
		t.Errorf("%d samples", n)
	}
}

// TestMask: what is secret by its name or by its look is not shown, wherever it stands.
func TestMask(t *testing.T) {
	for path, value := range map[string]string{
		"$.token": `"abc"`, "$.a.accessToken": `"abc"`, "$.password": `"abc"`, "$.client_secret": `"x"`, "$.card.number": `"4111"`,
		"$.iban": `"x"`, "$.EMail": `"x"`, "$.user.e-mail": `"x"`, "$.cvv": `123`, "$.apiKey": `"x"`, "$.Set-Cookie": `"x"`, "$.phoneNumber": `"1"`,
		"$.authorization[*].x": `"y"`, "$.pin": `1234`,
		"$.a": `"ann@example.org"`, "$.b": `"eyJhbGciOiJIUzI1NiJ9.e30.x"`, "$.c": `"4111 1111 1111 1111"`, "$.d": `"DE89370400440532013000"`,
		"$.e": `"https://x.example/?sid=1"`, "$.f": `"{\"token\":\"x\"}"`, "$.g": `"sk_live_51H8xZ2eZvKYlo2C0"`, "$.h": `4111111111111111`,
	} {
		v, ok := parse([]byte(value))
		if !ok {
			t.Fatal(value)
		}
		if got := show(path, v); got != masked {
			t.Errorf("%s shows %s", path, got)
		}
	}
	for path, value := range map[string]string{
		"$.price.amount": `"10.50"`, "$.status": `"CONFIRMED"`, "$.designator": `"LH 123"`, "$.shipping": `"fast"`, "$.generated_at": `"2026-11-21T08:00:00Z"`,
		"$.count": `12`, "$.company": `"x"`,
	} {
		v, _ := parse([]byte(value))
		if got := show(path, v); got == masked {
			t.Errorf("%s hides %s", path, value)
		}
	}
	if got := show("$.text", strings.Repeat("word ", 100)); len(got) > 80 {
		t.Errorf("a long text is shown with %d bytes", len(got))
	}
	var secret any = map[string]any{"token": "hush"}
	if text := show("$.a", secret) + show("$.a", []any{secret}); strings.Contains(text, "hush") {
		t.Errorf("a secret inside is shown: %s", text)
	}
	if n := name("ann@example.org", false) + name("4111111111111111", false); n != "**" {
		t.Errorf("keys that are data are named: %s", n)
	}
}

func FuzzCompare(f *testing.F) {
	f.Add(`{"a":[1,{"b":null}]}`, `{"a":[2]}`, "gzip")
	f.Add(`[]`, `{}`, "")
	f.Fuzz(func(t *testing.T, a, b, encoding string) {
		old, later := answerOf(a, "Content-Encoding", encoding), answerOf(b)
		found, _ := compare(old, later, []string{"$.a"})
		if len(found) > maxFound {
			t.Errorf("%d differences", len(found))
		}
		if same, ok := compare(later, later, nil); !ok || len(same) != 0 {
			t.Errorf("%q differs from itself: %v", b, same)
		}
		if json.Valid([]byte(b)) {
			if spaced, _ := compare(later, answerOf(" "+b+" "), nil); len(spaced) != 0 {
				t.Errorf("%q differs from itself with spaces: %v", b, spaced)
			}
		}
	})
}
