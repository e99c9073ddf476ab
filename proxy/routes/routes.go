// Package routes reads routes.yaml: which requests belong to which route, which
// backends serve it, and with what weights. A file is judged whole: every mistake is
// reported with its line and what to do, and a file with mistakes is not used at all.
package routes

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"time"

	"banyan/proxy/balance"
	"banyan/proxy/canary"
)

// Monolith is the name of every route's home: what it does not give away stays there.
// A file that does not declare it gets one in this process.
const Monolith = "monolith"

// Config is a valid routes.yaml. The zero Config, like no file, means the monolith.
type Config struct {
	File     string // where it was read, "" for none
	Digest   string // SHA-256 of the file's bytes
	Backends []Backend
	Routes   []Route
	Warnings []string // what is accepted but not acted on, with file and line
}

// Kind tells how a backend is reached.
type Kind string

// The kinds.
const (
	Inproc Kind = "inproc" // a function call in this process
	HTTP   Kind = "http"
)

// Backend is something that can serve requests.
type Backend struct {
	Name    string
	Kind    Kind
	URL     string        // http only: scheme and host; of several instances the first
	urls    string        // all instances with spaces between; a text, so that == compares backends
	Store   string        // whose data it serves; "" when undeclared
	Health  Health        // zero Interval: not checked
	Timeout time.Duration // of one try, to the answer's head
	// Protocol spoken to it: "" for HTTP/1.1, or H2C.
	Protocol string
	// CA has the certificates, in PEM form, that an https backend's is judged by; "": the
	// system's.
	CA string
	// ServerName is the name that an https backend's certificate must be for; "": the
	// host of its url.
	ServerName string
	// Trusted are the hops before the router that are believed, see TrustedProxies.
	Trusted string
	// Outlier says when one of several instances is left out for its failures.
	Outlier balance.Outlier
	// SlowStart is how long an instance that came, or came back, gets less than others.
	SlowStart time.Duration
	Line      int
}

// Health says how a backend is checked.
type Health struct {
	Path     string
	Interval time.Duration
}

// Route is a set of requests that are shifted together.
type Route struct {
	ID       string
	Methods  []string // empty: any
	Paths    []string // segments may be {param}; a trailing /** is any rest
	Shares   []Share  // the home first, then in the file's order
	HashOn   []Key    // the first one that a request has decides its position
	Shadow   *Shadow
	Stateful *Stateful
	Analysis *Analysis
	Line     int
	// Fingerprint changes when the file's version of the route does, comments and
	// spaces aside: run-time weights are kept for one fingerprint.
	Fingerprint string
}

// Share is a backend's weight on a route.
type Share struct {
	Backend string        `json:"backend"`
	Weight  canary.Weight `json:"weight"`
}

// Source is where a key of a request is found.
type Source string

// The sources.
const (
	FromHeader   Source = "header"
	FromPath     Source = "path"
	FromQuery    Source = "query"
	FromJSON     Source = "json"
	FromID       Source = "id" // a path parameter that carries its bucket
	FromClientIP Source = "client-ip"
)

// Key names a value of a request.
type Key struct {
	From Source
	Name string
}

// String writes the key as the file does.
func (k Key) String() string {
	if k.Name == "" {
		return string(k.From)
	}
	return string(k.From) + ":" + k.Name
}

// Shadow asks for copies of safe requests to be compared.
type Shadow struct {
	Backend string
	Percent canary.Weight
	MaxBody int64 // bytes
	Ignore  []string
}

// Stateful says that the data moves with the traffic, bucket by bucket.
type Stateful struct {
	Aggregate   []Key
	Buckets     int
	Participant string
	PauseBudget time.Duration
	MaxWait     time.Duration
	MaxWaiters  int
	Retain      time.Duration
	MaxMoves    int
}

// String tells two settings apart.
func (s *Stateful) String() string {
	return fmt.Sprintf("%+v", *s)
}

// Analysis says how a route climbs by itself.
type Analysis struct {
	Interval       time.Duration
	MinSamples     int
	Steps          []canary.Weight
	OnInconclusive string
	OnFail         string
	Metrics        []Metric
}

// Metric is a bound that a verdict checks; exactly one of the three is set.
type Metric struct {
	Name     string
	Min      *float64 // a ratio, 0 to 1
	Max      *float64 // seconds, of a latency
	MaxRatio *float64 // new side against old
}

// Backend finds a backend by name.
func (c *Config) Backend(name string) (Backend, bool) {
	for _, b := range c.Backends {
		if b.Name == name {
			return b, true
		}
	}
	return Backend{}, false
}

// Route finds a route by id.
func (c *Config) Route(id string) (Route, bool) {
	for _, r := range c.Routes {
		if r.ID == id {
			return r, true
		}
	}
	return Route{}, false
}

// Weights gives the shares by backend.
func (r *Route) Weights() map[string]canary.Weight {
	m := make(map[string]canary.Weight, len(r.Shares))
	for _, s := range r.Shares {
		m[s.Backend] = s.Weight
	}
	return m
}

// fingerprint digests the route and what its safety rests on: its backends' stores.
func fingerprint(r Route, c *Config) string {
	stores := map[string]string{}
	for _, s := range r.Shares {
		b, _ := c.Backend(s.Backend)
		stores[b.Name] = b.Store
	}
	r.Line = 0
	body, err := json.Marshal(struct {
		Route  Route
		Stores map[string]string
	}{r, stores})
	if err != nil {
		panic("routes: a route that cannot be marshalled: " + err.Error())
	}
	sum := sha256.Sum256(body)
	return hex.EncodeToString(sum[:8])
}

// Default is what there is without a file: the monolith, in this process.
func Default() *Config { return &Config{Backends: []Backend{defaultMonolith()}} }

func defaultMonolith() Backend {
	return Backend{Name: Monolith, Kind: Inproc, Store: Monolith, Timeout: DefaultTimeout}
}
