package handoverhttp_test

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"banyan/modules/kernel/errs"
	"banyan/modules/kernel/handover"
	"banyan/modules/kernel/handover/handoverhttp"
	"banyan/modules/kernel/handover/handovertest"
	"banyan/modules/kernel/web"
)

// answering gives a client of a service that answers everything with body.
func answering(t *testing.T, media, body string) handover.Participant {
	t.Helper()
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", media)
		_, _ = io.WriteString(w, body)
	}))
	t.Cleanup(server.Close)
	return clientOf(t, server.URL)
}

func exportOf(t *testing.T, p handover.Participant, buckets ...int) error {
	t.Helper()
	return p.Export(t.Context(), 1, buckets, func(handover.Part) error { return nil })
}

// TestExportCutOff gives every beginning of an export, whose length looks right.
func TestExportCutOff(t *testing.T) {
	whole := `{"bucket":7,"seq":1,"records":1}` + "\n" + `{"a":1}` + "\n" + `{"bucket":8,"seq":1,"records":1}` + "\n" + `{"b":1}` + "\n" + `{"end":true,"parts":2}` + "\n"
	for n := range len(whole) {
		if err := exportOf(t, answering(t, partsType, whole[:n]), 7, 8); errs.CodeOf(err) != errs.BadGateway {
			t.Errorf("%q: %v", whole[:n], err)
		}
	}
	if err := exportOf(t, answering(t, partsType, whole), 7, 8); err != nil {
		t.Errorf("the whole: %v", err)
	}
}

func TestAnswersThatMakeNoSense(t *testing.T) {
	part := func(b, seq int) string {
		return fmt.Sprintf(`{"bucket":%d,"seq":%d,"records":1}`+"\n"+`{"a":1}`+"\n", b, seq)
	}
	end := func(n int) string { return fmt.Sprintf(`{"end":true,"parts":%d}`+"\n", n) }
	for name, body := range map[string]string{
		"a bucket not asked for": part(9, 1) + end(1),
		"another order":          part(8, 1) + part(7, 1) + end(2),
		"a gap":                  part(7, 1) + part(7, 3) + end(2),
		"a part twice":           part(7, 1) + part(7, 1) + end(2),
		"a late start":           part(7, 2) + end(1),
		"no parts":               `{"refused":[]}`,
		"a page":                 "<html></html>\n",
		"a record that is none":  `{"bucket":7,"seq":1,"records":1}` + "\n[]\n" + end(1),
	} {
		if err := exportOf(t, answering(t, partsType, body), 7, 8); errs.CodeOf(err) != errs.BadGateway {
			t.Errorf("export, %s: %v", name, err)
		}
	}
	seal := handover.Order{Op: handover.Seal, Epoch: 1, Buckets: []int{7, 8}}
	parts := []handover.Part{{Bucket: 7, Seq: 1, Records: [][]byte{[]byte(`{}`)}}}
	for _, body := range []string{`{}`, ``, `[]`, `{"refused":null}`, `{"refused":[{"bucket":9}]}`, `{"refused":[`, `{"refused":[]} trailing`} {
		p := answering(t, jsonType, body)
		if _, err := p.Order(t.Context(), seal); errs.CodeOf(err) != errs.BadGateway {
			t.Errorf("order, %q: %v", body, err)
		}
		if _, err := p.Copy(t.Context(), 1, parts); errs.CodeOf(err) != errs.BadGateway {
			t.Errorf("copy, %q: %v", body, err)
		}
	}
	for _, body := range []string{`{}`, `{"fences":[{"bucket":8},{"bucket":7}]}`, `{"digests":[{"bucket":7}]}`} {
		p := answering(t, jsonType, body)
		_, err := p.Status(t.Context(), []int{7, 8})
		_, digestErr := p.Digest(t.Context(), 1, []int{7, 8})
		if errs.CodeOf(err) != errs.BadGateway || errs.CodeOf(digestErr) != errs.BadGateway {
			t.Errorf("%s: %v, %v", body, err, digestErr)
		}
	}
}

// TestErrorsAreRebuilt: a refusal's code, message and fields come through.
func TestErrorsAreRebuilt(t *testing.T) {
	p := clientOf(t, serve(t, handovertest.NewMemory()))
	err := exportOf(t, p, 7)
	var e *errs.Error
	if !errors.As(err, &e) || e.Code != errs.Misdirected || fmt.Sprint(e.Fields["bucket"], e.Fields["epoch"], e.Fields["mode"]) != "7 0" {
		t.Errorf("%#v", err)
	}
	if _, err := p.Order(t.Context(), handover.Order{Op: "forget", Epoch: 1, Buckets: []int{1}}); errs.CodeOf(err) != errs.Invalid {
		t.Errorf("the client judges, or the code is lost: %v", err)
	}
}

func TestRedirectsAreNotFollowed(t *testing.T) {
	for _, status := range []int{http.StatusTemporaryRedirect, http.StatusSeeOther} {
		var asked atomic.Int32
		server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			asked.Add(1)
			http.Redirect(w, r, "/elsewhere", status)
		}))
		t.Cleanup(server.Close)
		for name, err := range calls(t.Context(), clientOf(t, server.URL)) {
			if errs.CodeOf(err) != errs.BadGateway {
				t.Errorf("%s: %v", name, err)
			}
		}
		if asked.Load() != 5 {
			t.Errorf("%d requests for 5 calls", asked.Load())
		}
	}
}

// calls makes each call once.
func calls(ctx context.Context, p handover.Participant) map[string]error {
	all := map[string]error{}
	_, all["status"] = p.Status(ctx, []int{1})
	_, all["order"] = p.Order(ctx, handover.Order{Op: handover.Seal, Epoch: 1, Buckets: []int{1}})
	all["export"] = p.Export(ctx, 1, []int{1}, func(handover.Part) error { return nil })
	_, all["copy"] = p.Copy(ctx, 1, []handover.Part{{Bucket: 1, Seq: 1, Records: [][]byte{[]byte(`{}`)}}})
	_, all["digest"] = p.Digest(ctx, 1, []int{1})
	return all
}

// TestNothingIsSentTwice keeps a connection, closes it as the next request comes, and
// counts what arrives. Without the client's
// protection, status comes twice.
func TestNothingIsSentTwice(t *testing.T) {
	for _, call := range []string{"status", "order", "export", "copy", "digest"} {
		t.Run(call, func(t *testing.T) {
			l, err := net.Listen("tcp", "127.0.0.1:0")
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(func() { _ = l.Close() })
			var arrived atomic.Int32
			go once(l, &arrived)
			transport := web.NewTransport(web.TransportOptions{})
			t.Cleanup(transport.CloseIdleConnections)
			p := handoverhttp.NewClient("http://"+l.Addr().String(), "reservations", "", transport)
			if _, err := p.Status(t.Context(), nil); err != nil {
				t.Fatal(err)
			}
			if err := only(t.Context(), p, call); errs.CodeOf(err) != errs.Unavailable {
				t.Errorf("%v", err)
			}
			if n := arrived.Load(); n != 2 {
				t.Errorf("%d requests came for two calls", n)
			}
		})
	}
}

// only makes one of the calls.
func only(ctx context.Context, p handover.Participant, call string) (err error) {
	switch call {
	case "status":
		_, err = p.Status(ctx, []int{1})
	case "order":
		_, err = p.Order(ctx, handover.Order{Op: handover.Seal, Epoch: 1, Buckets: []int{1}})
	case "export":
		err = p.Export(ctx, 1, []int{1}, func(handover.Part) error { return nil })
	case "copy":
		_, err = p.Copy(ctx, 1, []handover.Part{{Bucket: 1, Seq: 1, Records: [][]byte{[]byte(`{}`)}}})
	case "digest":
		_, err = p.Digest(ctx, 1, []int{1})
	}
	return err
}

// once answers the first request on each connection and drops the connection at the
// second one, which a transport may take for one that nobody read.
func once(l net.Listener, arrived *atomic.Int32) {
	const good = "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 2\r\n\r\n{}"
	for {
		c, err := l.Accept()
		if err != nil {
			return
		}
		go func() {
			defer func() { _ = c.Close() }()
			from := bufio.NewReader(c)
			for n := range 2 {
				r, err := http.ReadRequest(from)
				if err != nil {
					return
				}
				arrived.Add(1)
				_, _ = io.Copy(io.Discard, r.Body)
				if n == 0 {
					_, _ = io.WriteString(c, good)
				}
			}
		}()
	}
}

// looking is a transport that looks at requests and sends none.
type looking func(*http.Request)

func (l looking) RoundTrip(r *http.Request) (*http.Response, error) {
	l(r)
	return nil, errors.New("nobody is there")
}

// TestNothingCanBeSentAgain: a transport repeats a request by itself only if it has no
// body, or one that it can get again, or a key that says that it may.
func TestNothingCanBeSentAgain(t *testing.T) {
	requests := 0
	p := handoverhttp.NewClient("http://x", "reservations", "", looking(func(r *http.Request) {
		requests++
		if r.Body == nil || r.Body == http.NoBody || r.GetBody != nil || r.Header["Idempotency-Key"] != nil || r.Header["X-Idempotency-Key"] != nil {
			t.Errorf("%s %s may be sent again", r.Method, r.URL)
		}
	}))
	for name, err := range calls(t.Context(), p) {
		if errs.CodeOf(err) != errs.Unavailable {
			t.Errorf("%s: %v", name, err)
		}
	}
	if requests != 5 {
		t.Errorf("%d requests for 5 calls", requests)
	}
}

func TestContextBoundsCalls(t *testing.T) {
	let := make(chan struct{})
	server := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { <-let }))
	t.Cleanup(server.Close)
	t.Cleanup(func() { close(let) })
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	for name, err := range calls(ctx, clientOf(t, server.URL)) {
		if errs.CodeOf(err) != errs.GatewayTimeout {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// TestLargeCopy: what is too large for a request goes in several, none larger than
// listeners of ours take, and all of it arrives.
func TestLargeCopy(t *testing.T) {
	const edge = 2 << 20
	m := handovertest.NewMemory()
	var requests atomic.Int32
	r := web.NewRouter()
	handoverhttp.Mount(r, "reservations", m, token)
	inner := web.Edge{MaxBody: edge}.Wrap(r)
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if strings.HasSuffix(r.URL.Path, "/copy") {
			requests.Add(1)
		}
		inner.ServeHTTP(w, r)
	}))
	t.Cleanup(server.Close)
	p := clientOf(t, server.URL)
	seal := handover.Order{Op: handover.Seal, Epoch: 1, Buckets: []int{1, 2, 3}}
	if refused, err := p.Order(t.Context(), seal); err != nil || len(refused) > 0 {
		t.Fatal(refused, err)
	}
	var parts []handover.Part
	for b := 1; b <= 3; b++ {
		var records [][]byte
		for i := range 1200 {
			records = append(records, fmt.Appendf(nil, `{"n":"%06d","x":"%s"}`, i, strings.Repeat("x", 2000)))
		}
		parts = append(parts, handover.Split(b, records)...)
	}
	if refused, err := p.Copy(t.Context(), 1, parts); err != nil || len(refused) > 0 {
		t.Fatal(refused, err)
	}
	want, err := m.Digest(t.Context(), 1, seal.Buckets)
	got, gotErr := p.Digest(t.Context(), 1, seal.Buckets)
	if err != nil || gotErr != nil || !slices.Equal(got, want) || got[2].Records != 1200 {
		t.Errorf("%v, %v, %v", got, err, gotErr)
	}
	if n := requests.Load(); n < 4 {
		t.Errorf("%d parts came in %d requests", len(parts), n)
	}
	refused, err := p.Copy(t.Context(), 1, parts) // all again
	if err != nil || fmt.Sprint(refused) != "[{1 1 sealed 3} {2 1 sealed 3} {3 1 sealed 3}]" {
		t.Errorf("refused %v, %v", refused, err)
	}
}

// TestStatusOfMany asks for more buckets than fit in a request.
func TestStatusOfMany(t *testing.T) {
	m := handovertest.NewMemory()
	m.Own(5, 3, 4000)
	var buckets []int
	for b := 9999; b >= 0; b-- {
		buckets = append(buckets, b)
	}
	s, err := clientOf(t, serve(t, m)).Status(t.Context(), buckets)
	if err != nil || len(s.Fences) != len(buckets) || s.Fences[0] != (handover.Fence{Bucket: 9999}) ||
		s.Fences[9996] != (handover.Fence{Bucket: 3, Epoch: 5, Mode: handover.Active}) {
		t.Errorf("%d fences, %v", len(s.Fences), err)
	}
}
