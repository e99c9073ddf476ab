package proxy

import (
	"bytes"
	"context"
	"errors"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httputil"
	"net/url"
	"strings"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/sirupsen/logrus"

	"banyan/modules/kernel/web"
	"banyan/proxy/routes"
)

// The bounds of the leg to a backend.
const (
	maxHeld     = 64 << 10        // request bodies up to this are held, so that they can be sent again
	dialTimeout = time.Second     // at most; a shorter backend timeout wins
	stall       = 2 * time.Minute // a stream in either direction may be silent for so long
	maxConns    = 512             // connections to one backend
	idleConns   = 128
	idleTimeout = 30 * time.Second // shorter than servers keep theirs: a reused connection is alive
	maxHead     = 64 << 10         // bytes of an answer's head
	copyBuffer  = 32 << 10
)

// leg is the way to a backend over HTTP.
type leg struct {
	target    *url.URL
	timeout   time.Duration
	transport *http.Transport
	proxy     httputil.ReverseProxy
	calls     *prometheus.HistogramVec
}

// attempt is one try of a request; it travels in the context and brings back its error.
type attempt struct {
	body     *body
	backend  *backend
	streamed bool  // the body is read from the client as it is sent
	named    bool  // the answer has a request id already
	owned    bool  // an answer of 421 is not for the client
	err      error // nil when an answer was passed on
}

type attemptKey struct{}

func newLeg(b routes.Backend, calls *prometheus.HistogramVec, notes logrus.FieldLogger) *leg {
	target, _ := url.Parse(b.URL) // judged by package routes
	dialer := &net.Dialer{Timeout: min(b.Timeout, dialTimeout), KeepAlive: 15 * time.Second}
	l := &leg{target: target, timeout: b.Timeout, calls: calls}
	l.transport = &http.Transport{
		DialContext:            dialer.DialContext,
		TLSHandshakeTimeout:    min(b.Timeout, 2*dialTimeout),
		ResponseHeaderTimeout:  b.Timeout,
		MaxConnsPerHost:        maxConns,
		MaxIdleConns:           idleConns,
		MaxIdleConnsPerHost:    idleConns,
		IdleConnTimeout:        idleTimeout,
		MaxResponseHeaderBytes: maxHead,
		DisableCompression:     true, // what the backend sends is passed on as it is
	}
	l.proxy = httputil.ReverseProxy{
		Rewrite:        l.rewrite,
		Transport:      l,
		FlushInterval:  -1,
		BufferPool:     &buffers{},
		ErrorLog:       log.New(noteWriter{notes.WithField("backend", b.Name)}, "", 0),
		ModifyResponse: passOn,
		ErrorHandler: func(_ http.ResponseWriter, r *http.Request, err error) {
			r.Context().Value(attemptKey{}).(*attempt).err = err
		},
	}
	return l
}

// noteWriter passes on what net/http has to say about answers that broke off.
type noteWriter struct{ log logrus.FieldLogger }

func (n noteWriter) Write(line []byte) (int, error) {
	n.log.Warn(strings.TrimSpace(string(line)))
	return len(line), nil
}

func (l *leg) close() { l.transport.CloseIdleConnections() }

// forward sends the request to a backend elsewhere and, if it certainly did not happen
// or may happen twice, to another one that serves the same data.
func (p *Router) forward(w http.ResponseWriter, r *http.Request, a *arm) {
	held, err := hold(w, r)
	if err != nil {
		web.Fail(w, r, err)
		return
	}
	err = a.backend.leg.try(w, r, a.backend, held)
	for _, other := range a.others {
		if err == nil || !mayRepeat(r, held, err) {
			break
		}
		if other.backend.sick.Load() {
			continue
		}
		note(w, func(x *Exchange) { x.Failed = a.backend.Name })
		a = other
		a.requests.Inc()
		if a.backend.handler != nil {
			w.Header()[BackendHeader] = a.backend.header
			a.backend.handler.ServeHTTP(w, held.apply(r))
			return
		}
		err = a.backend.leg.try(w, r, a.backend, held)
	}
	if err != nil {
		p.fail(w, r, a, err)
	}
}

// try is one attempt; nil means that an answer was passed on.
func (l *leg) try(w http.ResponseWriter, r *http.Request, b *backend, held *body) error {
	return l.attempt(w, r, &attempt{body: held, backend: b})
}

// tryOwner is try on a route whose data moves: errMisdirected if it is not there.
func (l *leg) tryOwner(w http.ResponseWriter, r *http.Request, b *backend, held *body) error {
	return l.attempt(w, r, &attempt{body: held, backend: b, owned: true})
}

func (l *leg) attempt(w http.ResponseWriter, r *http.Request, t *attempt) error {
	w.Header().Del(BackendHeader) // passOn sets it
	t.streamed, t.named = t.body.stream != nil, w.Header().Get(web.RequestIDHeader) != ""
	if t.streamed { // let the answer begin before the request has ended
		_ = http.NewResponseController(w).EnableFullDuplex() // HTTP/2 always does
	}
	l.proxy.ServeHTTP(w, r.WithContext(context.WithValue(r.Context(), attemptKey{}, t)))
	return t.err
}

// rewrite makes the request that goes out. net/http has removed what belongs to the
// hop, and what the client claimed about earlier hops.
func (l *leg) rewrite(pr *httputil.ProxyRequest) {
	pr.SetURL(l.target)
	pr.Out.URL.RawQuery = pr.In.URL.RawQuery // as it came: judging it is the backend's business
	pr.SetXForwarded()
	pr.Out.Header.Set("Forwarded", forwarded(pr.In))
	if id := web.RequestID(pr.In.Context()); id != "" {
		pr.Out.Header.Set(web.RequestIDHeader, id)
	}
	// The Transport would send a request with these a second time by itself. In lower
	// case it does not see them; the backend does.
	for _, name := range []string{"Idempotency-Key", "X-Idempotency-Key"} {
		if key, ok := pr.Out.Header[name]; ok {
			delete(pr.Out.Header, name)
			pr.Out.Header[strings.ToLower(name)] = key
		}
	}
	pr.In.Context().Value(attemptKey{}).(*attempt).body.send(pr.Out)
}

// forwarded is RFC 7239: this hop only.
func forwarded(r *http.Request) string {
	ip := clientIP(r.RemoteAddr)
	if strings.ContainsRune(ip, ':') || strings.HasPrefix(ip, "[") {
		ip = `"[` + strings.Trim(ip, "[]") + `]"`
	}
	proto := "http"
	if r.TLS != nil {
		proto = "https"
	}
	host := strings.NewReplacer(`\`, `\\`, `"`, `\"`).Replace(r.Host)
	return "for=" + ip + `;host="` + host + `";proto=` + proto
}

// passOn marks an answer with its backend.
func passOn(resp *http.Response) error {
	t := resp.Request.Context().Value(attemptKey{}).(*attempt)
	if t.owned && resp.StatusCode == http.StatusMisdirectedRequest {
		return errMisdirected
	}
	resp.Header[BackendHeader] = t.backend.header
	if t.named {
		resp.Header.Del(web.RequestIDHeader)
	}
	return nil
}

// RoundTrip sends the request within the backend's timeout and measures it. The leg is
// the ReverseProxy's transport.
func (l *leg) RoundTrip(r *http.Request) (*http.Response, error) {
	ctx, cancel := context.WithCancelCause(r.Context())
	limit := l.timeout
	t := r.Context().Value(attemptKey{}).(*attempt)
	if t.streamed { // the client decides how long sending takes
		limit = stall
	}
	dog := &watchdog{limit: stall, cancel: cancel}
	dog.timer = time.AfterFunc(limit, func() { cancel(errTooSlow) })
	if t.streamed {
		r.Body = &watched{r.Body, dog}
	}
	began := time.Now()
	resp, err := l.transport.RoundTrip(r.WithContext(ctx))
	code := "0"
	if err == nil {
		code = statusText(resp.StatusCode)
	}
	l.calls.WithLabelValues(methodLabel(r.Method), l.target.Host, code).Observe(time.Since(began).Seconds())
	if err != nil {
		dog.stop()
		if cause := context.Cause(ctx); errors.Is(cause, errTooSlow) {
			return nil, errTooSlow
		}
		return nil, err
	}
	if resp.StatusCode == http.StatusSwitchingProtocols {
		dog.timer.Stop() // the two sides now decide how long it lasts
		return resp, nil
	}
	dog.touch()
	resp.Body = &answer{watched{resp.Body, dog}}
	resp.Request = r
	return resp, nil
}

var errTooSlow = errors.New("the backend was too slow")

// watchdog ends an exchange in which nothing moves.
type watchdog struct {
	timer  *time.Timer
	limit  time.Duration
	cancel context.CancelCauseFunc
}

func (d *watchdog) touch() { d.timer.Reset(d.limit) }

func (d *watchdog) stop() {
	d.timer.Stop()
	d.cancel(nil)
}

// watched is a stream that tells its watchdog of every read.
type watched struct {
	io.ReadCloser
	dog *watchdog
}

func (w *watched) Read(b []byte) (int, error) {
	n, err := w.ReadCloser.Read(b)
	w.dog.touch()
	return n, err
}

// answer is a watched stream whose end is the end of the exchange.
type answer struct{ watched }

func (a *answer) Close() error {
	defer a.dog.stop()
	return a.ReadCloser.Close()
}

// buffers lends ReverseProxy what it copies with.
type buffers struct{ pool sync.Pool }

func (b *buffers) Get() []byte {
	if held, ok := b.pool.Get().(*[copyBuffer]byte); ok {
		return held[:]
	}
	return make([]byte, copyBuffer)
}

func (b *buffers) Put(used []byte) { b.pool.Put((*[copyBuffer]byte)(used)) }

// body is a request's body: held in memory when it is small, else read as it is sent.
type body struct {
	small  []byte
	stream *untouched
}

// untouched remembers whether anything was taken from a client's body.
type untouched struct {
	io.ReadCloser
	touched bool
}

func (u *untouched) Read(b []byte) (int, error) {
	u.touched = true
	return u.ReadCloser.Read(b)
}

func hold(w http.ResponseWriter, r *http.Request) (*body, error) {
	switch {
	case r.Body == nil || r.Body == http.NoBody || r.ContentLength == 0:
		return &body{}, nil
	case r.ContentLength > 0 && r.ContentLength <= maxHeld:
		small, err := web.Body(w, r, maxHeld)
		return &body{small: small}, err
	}
	return &body{stream: &untouched{ReadCloser: r.Body}}, nil
}

// send gives the body to a request that goes out.
func (b *body) send(out *http.Request) {
	switch {
	case b.stream != nil:
		out.Body = b.stream
	case b.small != nil:
		out.Body = io.NopCloser(bytes.NewReader(b.small))
		// With this the Transport may use another connection when nothing was written
		// on the first one, which the backend had just closed.
		out.GetBody = func() (io.ReadCloser, error) { return io.NopCloser(bytes.NewReader(b.small)), nil }
	}
}

// apply gives the body back to a request that stays in this process.
func (b *body) apply(r *http.Request) *http.Request {
	if b.small == nil {
		return r
	}
	again := *r
	again.Body = io.NopCloser(bytes.NewReader(b.small))
	return &again
}
