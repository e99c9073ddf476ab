package handoverhttp_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"

	"banyan/modules/kernel/errs"
	"banyan/modules/kernel/handover"
	"banyan/modules/kernel/handover/handoverhttp"
	"banyan/modules/kernel/handover/handovertest"
	"banyan/modules/kernel/web"
	"banyan/modules/kernel/web/webtest"
)

const (
	jsonType  = "application/json"
	partsType = "application/x-ndjson"
	base      = "/participant/v1/reservations/"
)

// ask sends a request with the token and gives status, header and body.
func ask(t *testing.T, method, url, media, body string) (int, http.Header, string) {
	t.Helper()
	return askAs(t, "Bearer "+token, method, url, media, body)
}

func askAs(t *testing.T, authorization, method, url, media, body string) (int, http.Header, string) {
	t.Helper()
	var header []string
	if media != "" {
		header = append(header, "Content-Type: "+media)
	}
	if authorization != "" {
		header = append(header, "Authorization: "+authorization)
	}
	return webtest.Send(t, url, webtest.Request{Method: method, Header: header, Body: body})
}

// TestWire is what a participant in another language is written against.
func TestWire(t *testing.T) {
	m := handovertest.NewMemory()
	m.Say(false, map[string]int64{"flights": 12})
	url := serve(t, m) + base
	parts := `{"bucket":7,"seq":1,"records":2}` + "\n" + `{"a":"é<"}` + "\n" + `{"b":1.0}` + "\n" + `{"bucket":7,"seq":2,"records":1}` + "\n" + `{"c":null}` + "\n" + `{"end":true,"parts":2}` + "\n"
	stored := `{"bucket":7,"seq":1,"records":3}` + "\n" + `{"a":"é<"}` + "\n" + `{"b":1.0}` + "\n" + `{"c":null}` + "\n" + `{"end":true,"parts":1}` + "\n"
	for _, c := range []struct{ method, path, media, body, want string }{
		{"GET", "status", "", "", `{"fences":[],"durable":false,"follows":{"flights":12}}` + "\n"},
		{"GET", "status?buckets=9,7", "", "", `{"fences":[{"bucket":9,"epoch":0,"mode":"","seq":0},{"bucket":7,"epoch":0,"mode":"","seq":0}],"durable":false,"follows":{"flights":12}}` + "\n"},
		{"POST", "orders", jsonType, `{"op":"seal","epoch":3,"buckets":[7]}`, `{"refused":[]}` + "\n"},
		{"POST", "copy?epoch=3", partsType, parts, `{"refused":[]}` + "\n"},
		{"POST", "copy?epoch=3", partsType, parts, `{"refused":[{"bucket":7,"epoch":3,"mode":"sealed","seq":2}]}` + "\n"},
		{"POST", "orders", jsonType, `{"op":"activate","epoch":3,"buckets":[7],"seqs":[2]}`, `{"refused":[]}` + "\n"},
		{"POST", "orders", jsonType, `{"op":"seal","epoch":4,"buckets":[7]}`, `{"refused":[{"bucket":7,"epoch":3,"mode":"active","seq":2}]}` + "\n"},
		{"POST", "export", jsonType, `{"epoch":3,"buckets":[7]}`, stored},
		{"POST", "export", jsonType, `{"buckets":[7]}`, stored},
		{"POST", "digest", jsonType, `{"epoch":3,"buckets":[7]}`, `{"digests":[{"bucket":7,"records":3,"sha256":"93341ec299837e9422953b5ebdbbd55b306aa950370fd52786ac56c548a7cf44"}]}` + "\n"},
		{"GET", "status?buckets=7%2C9", "", "", `{"fences":[{"bucket":7,"epoch":3,"mode":"active","seq":2},{"bucket":9,"epoch":0,"mode":"","seq":0}],"durable":false,"follows":{"flights":12}}` + "\n"},
	} {
		status, header, got := ask(t, c.method, url+c.path, c.media, c.body)
		media := jsonType
		if c.path == "export" {
			media = partsType
		}
		if status != 200 || got != c.want || header.Get("Content-Type") != media || header.Get("Cache-Control") != "no-store" {
			t.Errorf("%s %s %s\n got %d %s %s\nwant %s", c.method, c.path, c.body, status, header.Get("Content-Type"), got, c.want)
		}
	}
}

// badRequest is a request and the code of its answer.
type badRequest struct {
	method, path, media, body string
	want                      errs.Code
}

func badRequests() map[string]badRequest {
	many := strings.TrimSuffix(strings.Repeat("1,", handover.MaxBuckets+1), ",")
	return map[string]badRequest{
		"no such order":        {"POST", "orders", jsonType, `{"op":"forget","epoch":4,"buckets":[7]}`, errs.Invalid},
		"no epoch":             {"POST", "orders", jsonType, `{"op":"seal","buckets":[7]}`, errs.Invalid},
		"no buckets":           {"POST", "orders", jsonType, `{"op":"seal","epoch":4}`, errs.Invalid},
		"no bucket":            {"POST", "orders", jsonType, `{"op":"seal","epoch":4,"buckets":[7,10000]}`, errs.Invalid},
		"unknown field":        {"POST", "orders", jsonType, `{"op":"seal","epoch":4,"buckets":[7],"force":true}`, errs.UnknownField},
		"field twice":          {"POST", "orders", jsonType, `{"op":"seal","epoch":4,"epoch":5,"buckets":[7]}`, errs.Invalid},
		"two orders":           {"POST", "orders", jsonType, `{"op":"seal","epoch":4,"buckets":[7]}{}`, errs.Invalid},
		"seqs at seal":         {"POST", "orders", jsonType, `{"op":"seal","epoch":4,"buckets":[7],"seqs":[0]}`, errs.Invalid},
		"order without type":   {"POST", "orders", "", `{"op":"seal","epoch":4,"buckets":[7]}`, errs.UnsupportedMedia},
		"order as text":        {"POST", "orders", "text/plain", `{"op":"seal","epoch":4,"buckets":[7]}`, errs.UnsupportedMedia},
		"order with parameter": {"POST", "orders?force=1", jsonType, `{"op":"seal","epoch":4,"buckets":[7]}`, errs.UnknownField},
		"huge order":           {"POST", "orders", jsonType, `{"op":"seal","epoch":4,"buckets":[7]` + strings.Repeat(" ", web.MaxBody) + `}`, errs.TooLarge},
		"too many asked":       {"GET", "status?buckets=" + many, "", "", errs.Invalid},
		"twice asked":          {"GET", "status?buckets=7,7", "", "", errs.Invalid},
		"nothing asked":        {"GET", "status?buckets=", "", "", errs.Invalid},
		"other parameter":      {"GET", "status?bucket=7", "", "", errs.UnknownField},
		"two parameters":       {"GET", "status?buckets=7&buckets=8", "", "", errs.UnknownField},
		"padded bucket":        {"GET", "status?buckets=07", "", "", errs.Invalid},
		"negative export":      {"POST", "export", jsonType, `{"epoch":-1,"buckets":[7]}`, errs.Invalid},
		"export of nothing":    {"POST", "export", jsonType, `{"epoch":3,"buckets":[]}`, errs.Invalid},
		"export of absent":     {"POST", "export", jsonType, `{"buckets":[8]}`, errs.Misdirected},
		"export of another":    {"POST", "export", jsonType, `{"epoch":4,"buckets":[7]}`, errs.Misdirected},
		"digest of absent":     {"POST", "digest", jsonType, `{"buckets":[8]}`, errs.Misdirected},
		"other name":           {"GET", "../flights/status", "", "", errs.NotFound},
		"other method":         {"GET", "orders", "", "", errs.MethodNotAllowed},
	}
}

func badCopies() map[string]badRequest {
	part, end := `{"bucket":7,"seq":1,"records":1}`+"\n"+`{"a":1}`+"\n", `{"end":true,"parts":1}`+"\n"
	return map[string]badRequest{
		"copy without epoch":  {"POST", "copy", partsType, part + end, errs.Invalid},
		"copy in epoch 0":     {"POST", "copy?epoch=0", partsType, part + end, errs.Invalid},
		"copy in a text":      {"POST", "copy?epoch=x", partsType, part + end, errs.Invalid},
		"copy as JSON":        {"POST", "copy?epoch=3", jsonType, part + end, errs.UnsupportedMedia},
		"copy of nothing":     {"POST", "copy?epoch=3", partsType, "", errs.Invalid},
		"copy without end":    {"POST", "copy?epoch=3", partsType, part, errs.Invalid},
		"copy with other end": {"POST", "copy?epoch=3", partsType, part + `{"end":true,"parts":2}` + "\n", errs.Invalid},
		"copy with false end": {"POST", "copy?epoch=3", partsType, part + `{"end":false,"parts":1}` + "\n", errs.Invalid},
		"copy with more":      {"POST", "copy?epoch=3", partsType, part + end + part, errs.Invalid},
		"record is missing":   {"POST", "copy?epoch=3", partsType, `{"bucket":7,"seq":1,"records":2}` + "\n" + `{"a":1}` + "\n" + end, errs.Invalid},
		"record too many":     {"POST", "copy?epoch=3", partsType, part + `{"b":1}` + "\n" + end, errs.Invalid},
		"negative records":    {"POST", "copy?epoch=3", partsType, `{"bucket":7,"seq":1,"records":-1}` + "\n" + end, errs.Invalid},
		"too many records":    {"POST", "copy?epoch=3", partsType, `{"bucket":7,"seq":1,"records":501}` + "\n" + end, errs.Invalid},
		"head lacks":          {"POST", "copy?epoch=3", partsType, `{"bucket":7,"records":1}` + "\n" + `{"a":1}` + "\n" + end, errs.Invalid},
		"head and end":        {"POST", "copy?epoch=3", partsType, `{"bucket":7,"seq":1,"records":0,"end":true,"parts":1}` + "\n", errs.Invalid},
		"more, and an end":    {"POST", "copy?epoch=3", partsType, part + end + "\n" + end, errs.Invalid},
		"head and end, end":   {"POST", "copy?epoch=3", partsType, `{"bucket":7,"seq":1,"records":0,"end":true,"parts":1}` + "\n" + end, errs.Invalid},
		"too many parts":      {"POST", "copy?epoch=3", partsType, strings.Repeat(`{"bucket":7,"seq":1,"records":0}`+"\n", 2*handover.MaxBuckets+1), errs.TooLarge},
		"huge head":           {"POST", "copy?epoch=3", partsType, strings.Repeat(" ", 300) + part + end, errs.Invalid},
		"record is no JSON":   {"POST", "copy?epoch=3", partsType, `{"bucket":7,"seq":1,"records":1}` + "\n" + `{"a":}` + "\n" + end, errs.Invalid},
		"too long together":   {"POST", "copy?epoch=3", partsType, `{"bucket":7,"seq":1,"records":2}` + "\n" + `{"a":1}` + "\n" + `{"b":"` + strings.Repeat("x", handover.MaxPartBytes) + `"}` + "\n" + end, errs.Invalid},
	}
}

// TestBadRequests: each is a problem with its code, and none has an effect.
func TestBadRequests(t *testing.T) {
	m := handovertest.NewMemory()
	if _, err := m.Order(t.Context(), handover.Order{Op: handover.Seal, Epoch: 3, Buckets: []int{7}}); err != nil {
		t.Fatal(err)
	}
	asked := &counting{Participant: m}
	url := serve(t, asked) + base
	all := badRequests()
	maps.Copy(all, badCopies())
	for name, c := range all {
		t.Run(name, func(t *testing.T) {
			status, header, text := ask(t, c.method, url+c.path, c.media, c.body)
			var p struct{ Code, Detail string }
			if err := json.Unmarshal([]byte(text), &p); err != nil || errs.Code(p.Code) != c.want || p.Detail == "" || status != errs.Status(c.want) || header.Get("Content-Type") != web.ProblemType {
				t.Errorf("%d %.300s; want %s", status, text, c.want)
			}
			if asked.calls.Swap(0) != 0 && c.want != errs.Misdirected {
				t.Error("the participant was asked")
			}
			s, err := m.Status(t.Context(), nil)
			if err != nil || fmt.Sprint(s.Fences) != "[{7 3 sealed 0}]" {
				t.Errorf("it had an effect: %v, %v", s.Fences, err)
			}
		})
	}
}

// counting counts what gets through to a participant.
type counting struct {
	handover.Participant
	calls atomic.Int32
}

func (p *counting) Status(ctx context.Context, buckets []int) (handover.Status, error) {
	p.calls.Add(1)
	return p.Participant.Status(ctx, buckets)
}

func (p *counting) Order(ctx context.Context, o handover.Order) ([]handover.Fence, error) {
	p.calls.Add(1)
	return p.Participant.Order(ctx, o)
}

func (p *counting) Export(ctx context.Context, epoch int64, buckets []int, each func(handover.Part) error) error {
	p.calls.Add(1)
	return p.Participant.Export(ctx, epoch, buckets, each)
}

func (p *counting) Copy(ctx context.Context, epoch int64, parts []handover.Part) ([]handover.Fence, error) {
	p.calls.Add(1)
	return p.Participant.Copy(ctx, epoch, parts)
}

func (p *counting) Digest(ctx context.Context, epoch int64, buckets []int) ([]handover.Digest, error) {
	p.calls.Add(1)
	return p.Participant.Digest(ctx, epoch, buckets)
}

func TestToken(t *testing.T) {
	url := serve(t, handovertest.NewMemory()) + base
	for authorization, want := range map[string]int{
		"": 401, "Bearer": 401, "Bearer ": 401, "Bearer x" + token: 401, "Bearer " + token[1:]: 401, "Basic " + token: 401, token: 401,
		"Bearer " + token: 200, "bearer " + token: 200,
	} {
		for _, c := range [][3]string{{"GET", "status", ""}, {"POST", "orders", `{"op":"seal","epoch":1,"buckets":[1]}`}, {"POST", "export", `{}`}, {"POST", "digest", `{}`}, {"POST", "copy", ""}} {
			status, header, text := askAs(t, authorization, c[0], url+c[1], jsonType, c[2])
			if (status == 401) != (want == 401) || strings.Contains(text, token) {
				t.Errorf("%s with %q: %d %s", c[1], authorization, status, text)
			}
			if status == 401 && (header.Get("WWW-Authenticate") == "" || !strings.Contains(text, `"code":"unauthorized"`)) {
				t.Errorf("%s: %v %s", c[1], header, text)
			}
		}
	}
	other := handoverhttp.NewClient(strings.TrimSuffix(url, base), "reservations", "other", http.DefaultTransport)
	_, err := other.Order(t.Context(), handover.Order{Op: handover.Seal, Epoch: 1, Buckets: []int{1}})
	if errs.CodeOf(err) != errs.Unauthorized || strings.Contains(err.Error(), "other") {
		t.Errorf("the client's error is %v", err)
	}
}

// TestCopyCutOff sends every beginning of a copy: none has an effect.
func TestCopyCutOff(t *testing.T) {
	m := handovertest.NewMemory()
	if _, err := m.Order(t.Context(), handover.Order{Op: handover.Seal, Epoch: 3, Buckets: []int{7}}); err != nil {
		t.Fatal(err)
	}
	url := serve(t, m) + base + "copy?epoch=3"
	whole := `{"bucket":7,"seq":1,"records":1}` + "\n" + `{"a":1}` + "\n" + `{"bucket":7,"seq":2,"records":0}` + "\n" + `{"end":true,"parts":2}` + "\n"
	for n := range len(whole) {
		if status, _, text := ask(t, "POST", url, partsType, whole[:n]); status != 400 {
			t.Errorf("%q: %d %s", whole[:n], status, text)
		}
	}
	if s, _ := m.Status(t.Context(), []int{7}); s.Fences[0].Seq != 0 {
		t.Errorf("a cut copy had an effect: %+v", s.Fences)
	}
	if status, _, text := ask(t, "POST", url, partsType, whole); status != 200 || text != "{\"refused\":[]}\n" {
		t.Errorf("the whole: %d %s", status, text)
	}
}

// breaks exports a part and then fails.
type breaks struct{ *handovertest.Memory }

func (p breaks) Export(ctx context.Context, epoch int64, buckets []int, each func(handover.Part) error) error {
	return errors.Join(p.Memory.Export(ctx, epoch, buckets, each), errs.E(errs.Unavailable, "the store is gone"))
}

func TestExportThatBreaks(t *testing.T) {
	m := handovertest.NewMemory()
	m.Own(1, 7, 8)
	if err := m.Write(7, []byte(`{}`)); err != nil {
		t.Fatal(err)
	}
	url := serve(t, breaks{m})
	p := clientOf(t, url)
	req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, url+base+"export", strings.NewReader(`{"buckets":[7]}`))
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Content-Type", jsonType)
	req.Header.Set("Authorization", "Bearer "+token)
	if resp, err := http.DefaultTransport.RoundTrip(req); err == nil {
		if text, err := io.ReadAll(resp.Body); err == nil {
			t.Errorf("an export that failed on its way ends as if it were whole: %s", text)
		}
		_ = resp.Body.Close()
	}
	none := func(handover.Part) error { return nil }
	if err := p.Export(t.Context(), 1, []int{7}, none); err == nil {
		t.Error("an export that failed on its way was taken for whole")
	}
	if err := p.Export(t.Context(), 1, []int{8}, none); errs.CodeOf(err) != errs.Unavailable || !strings.Contains(err.Error(), "store is gone") {
		t.Errorf("an export that failed before its first part: %v", err)
	}
}

// bare says nothing of itself.
type bare struct{ handover.Participant }

func (bare) Status(context.Context, []int) (handover.Status, error) { return handover.Status{}, nil }

func TestStatusOfNothing(t *testing.T) {
	status, _, text := ask(t, "GET", serve(t, bare{})+base+"status", "", "")
	if want := `{"fences":[],"durable":false,"follows":{}}` + "\n"; status != 200 || text != want {
		t.Errorf("%d %s, want %s", status, text, want)
	}
}
