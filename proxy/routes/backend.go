package routes

import (
	"net/url"
	"strings"
	"time"

	"go.yaml.in/yaml/v3"

	"banyan/proxy/balance"
)

// What holds for a backend that says nothing else.
const (
	// DefaultTimeout of an HTTP backend that names none.
	DefaultTimeout = 5 * time.Second
	// foreignTimeout is more patient: nobody has said what the monolith is.
	foreignTimeout   = 30 * time.Second
	defaultFailures  = 5
	defaultGateway   = 10
	defaultBase      = 5 * time.Second
	defaultMax       = time.Minute
	defaultSlowStart = 10 * time.Second
	// maxInstances of one backend.
	maxInstances = 32
)

func defaultOutlier() balance.Outlier {
	return balance.Outlier{Failures: defaultFailures, Gateway: defaultGateway, Base: defaultBase, Max: defaultMax}
}

// Foreign is what there is without a file before an HTTP monolith: everything goes there.
// errs: Invalid for an address that is none.
func Foreign(address string) (*Config, error) {
	d := &reader{file: "monolith"}
	b := Backend{
		Name: Monolith, Kind: HTTP, Store: Monolith, Timeout: foreignTimeout,
		Outlier: defaultOutlier(), SlowStart: defaultSlowStart,
	}
	b.URL = d.address(&yaml.Node{Kind: yaml.ScalarNode, Value: address}, "the monolith")
	if err := d.err(); err != nil {
		return nil, err
	}
	b.urls = b.URL
	return &Config{Backends: []Backend{b}}, nil
}

// Instances gives the addresses of a backend elsewhere, one or more.
func (b *Backend) Instances() []string { return strings.Fields(b.urls) }

// At gives the backend as if an address were its only one.
func (b *Backend) At(address string) Backend {
	one := *b
	one.URL, one.urls = address, address
	return one
}

// balanced reads how instances are chosen.
func (d *reader) balanced(m map[string]*yaml.Node, what string, b *Backend) {
	if b.Kind == HTTP {
		b.Outlier = d.outlier(m["outlier"], what)
		b.SlowStart = d.duration(m["slowStart"], "the slowStart of "+what, defaultSlowStart, 0, 10*time.Minute)
	}
}

// instances reads url, or urls.
func (d *reader) instances(m map[string]*yaml.Node, what string, b *Backend) {
	one, several := m["url"], m["urls"]
	var list []string
	switch {
	case one == nil && several == nil:
		if b.Kind == HTTP {
			d.wrong(b.Line, "%s has no url: write such as \"url: http://127.0.0.1:8081\", or urls with a list of its instances", what)
		}
		return
	case one != nil && several != nil:
		d.wrong(several.Line, "%s has both url and urls: write all its instances into urls and remove url", what)
		return
	case one != nil:
		list = []string{d.address(one, what)}
	default:
		list = d.addresses(several, what)
	}
	if b.urls = strings.Join(list, " "); len(list) > 0 {
		b.URL = list[0]
	}
}

func (d *reader) addresses(n *yaml.Node, what string) []string {
	var list []string
	items := d.items(n, "the urls of "+what)
	switch {
	case n.Kind == yaml.SequenceNode && len(items) == 0:
		d.wrong(n.Line, "the urls of %s are empty: name at least one instance", what)
	case len(items) > maxInstances:
		d.wrong(n.Line, "%s has %d urls; %d is the most: put a balancer of their own before more", what, len(items), maxInstances)
		return nil
	}
	for _, item := range items {
		before := len(d.problems)
		switch address := d.address(item, what); {
		case len(d.problems) > before:
		case contains(list, address):
			d.wrong(item.Line, "%s has the url %s twice: remove one", what, address)
		default:
			list = append(list, address)
		}
	}
	return list
}

// address reads scheme and host of an instance.
func (d *reader) address(n *yaml.Node, what string) string {
	s, ok := d.text(n, "the url of "+what)
	if !ok {
		return ""
	}
	u, err := url.Parse(s)
	if err != nil || (u.Scheme != "http" && u.Scheme != "https") || u.Host == "" {
		d.wrong(n.Line, "the url of %s is %q: write http:// or https://, host and port", what, s)
		return ""
	}
	if (u.Path != "" && u.Path != "/") || u.RawQuery != "" || u.Fragment != "" || u.User != nil {
		d.wrong(n.Line, "the url of %s may only have a scheme, host and port", what)
	}
	return u.Scheme + "://" + u.Host
}

func (d *reader) outlier(n *yaml.Node, what string) balance.Outlier {
	o := defaultOutlier()
	if n == nil {
		return o
	}
	m := d.fields(n, "the outlier of "+what, "failures", "gatewayErrors", "base", "max")
	o.Failures = d.number(m["failures"], "the outlier's failures of "+what, o.Failures, 0, 1000)
	o.Gateway = d.number(m["gatewayErrors"], "the outlier's gatewayErrors of "+what, o.Gateway, 0, 1000)
	o.Base = d.duration(m["base"], "the outlier's base of "+what, o.Base, 10*time.Millisecond, time.Hour)
	o.Max = d.duration(m["max"], "the outlier's max of "+what, max(o.Max, o.Base), 10*time.Millisecond, time.Hour)
	if o.Max < o.Base {
		d.wrong(n.Line, "the outlier of %s has a max of %s, less than its base of %s: a back-off grows from base to max", what, o.Max, o.Base)
	}
	return o
}
