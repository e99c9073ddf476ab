package gatewayapi

import (
	"cmp"
	"fmt"
	"net/http"
	"net/netip"
	"net/url"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"banyan/proxy/canary"
	"banyan/proxy/routes"
)

// notes are what a manifest does not say as the router does, each once.
type notes struct{ lines []string }

func (n *notes) add(line string) {
	if !slices.Contains(n.lines, line) {
		n.lines = append(n.lines, line)
	}
}

func (n *notes) annotations() map[string]string {
	if len(n.lines) == 0 {
		return nil
	}
	return map[string]string{NoteAnnotation: strings.Join(n.lines, "\n")}
}

// backends gives the services of a route with their weights; a weight of 0 is none.
func (e *exporter) backends(r Route, n *notes) []BackendRef {
	if r.Stateful != nil {
		n.add("The route is stateful: its data moves with the traffic, which only the router can follow, so all of it goes through the router.")
		return []BackendRef{e.router()}
	}
	var refs []BackendRef
	shifted := false
	for _, s := range r.Shares {
		w := r.Weights[s.Backend]
		if w == canary.None {
			continue
		}
		shifted = shifted || w != canary.Full
		b, _ := e.config.Backend(s.Backend)
		ref := e.service(b, n)
		ref.Weight = int(w)
		if i := slices.IndexFunc(refs, func(x BackendRef) bool {
			return x.Name == ref.Name && x.Namespace == ref.Namespace && x.Port == ref.Port
		}); i >= 0 {
			refs[i].Weight += ref.Weight // two backends behind one address
			continue
		}
		refs = append(refs, ref)
	}
	if shifted {
		n.add("Weights choose requests here, not callers: hashOn is lost, and one caller meets both sides.")
	}
	if r.Shadow != nil {
		n.add("The shadow is not exported: copies are sent and compared by the router only.")
	}
	if r.Analysis != nil {
		n.add("The analysis is not exported: these weights stay as they are until they are exported again.")
	}
	return refs
}

func (e *exporter) router() BackendRef {
	return BackendRef{Name: e.options.Service, Port: e.options.Port, Weight: int(canary.Full)}
}

// service names the Service of a backend, by its URL where that says one.
func (e *exporter) service(b routes.Backend, n *notes) BackendRef {
	if b.Kind != routes.HTTP {
		return e.router()
	}
	u, err := url.Parse(b.URL)
	if err != nil { // judged by package routes
		return e.router()
	}
	ref := BackendRef{Name: b.Name, Port: 80}
	if u.Scheme == "https" {
		ref.Port = 443
		n.add("Backend " + b.Name + " is reached by TLS: give its Service a BackendTLSPolicy for the name " + cmp.Or(b.ServerName, u.Hostname()) + ".")
	}
	if port, err := strconv.Atoi(u.Port()); err == nil {
		ref.Port = port
	}
	labels := strings.Split(u.Hostname(), ".")
	switch {
	case isAddress(u.Hostname()) || !isService(labels[0]):
		n.add("Backend " + b.Name + " is at " + u.Host + ", which names no Service: make one named " + b.Name + " for it.")
	case len(labels) == 1:
		ref.Name = labels[0]
	case len(labels) >= 3 && labels[2] == "svc":
		if ref.Name = labels[0]; labels[1] != e.options.Namespace {
			ref.Namespace = labels[1]
			n.add("Backend " + b.Name + " is in the namespace " + labels[1] + ": that needs a ReferenceGrant there.")
		}
	default:
		n.add("Backend " + b.Name + " is at " + u.Host + ", which names no Service: make one named " + b.Name + " for it.")
	}
	return ref
}

func isAddress(host string) bool {
	_, err := netip.ParseAddr(host)
	return err == nil || host == "localhost"
}

func isService(name string) bool {
	return len(name) <= 63 && regexp.MustCompile(`^[a-z]([-a-z0-9]*[a-z0-9])?$`).MatchString(name)
}

// matches gives every path of a route with every method.
func (e *exporter) matches(r Route, n *notes) []Match {
	methods := slices.Clone(r.Methods)
	if slices.Contains(methods, http.MethodGet) && !slices.Contains(methods, http.MethodHead) {
		methods = append(methods, http.MethodHead) // the router takes HEAD for GET without the body
	}
	if len(methods) == 0 {
		methods = []string{""} // any
	}
	var out []Match
	for _, path := range r.Paths {
		match, ok := pathMatch(path)
		if !ok {
			n.add("The path " + path + " is longer than a match may be and is left out.")
			continue
		}
		if strings.Contains(match.Value, "%") {
			n.add("The path " + path + " is matched as " + match.Value + " only, percent-encoded as clients should write it; the router takes any spelling.")
		}
		if match.Type == regular {
			n.add("Paths with a parameter are regular expressions, which the API leaves to implementations: check yours for support, for whole-path matching, and that plain paths win over them.")
		}
		for _, m := range methods {
			out = append(out, Match{match, m})
		}
	}
	return out
}

// The types of a path's match.
const (
	exact   = "Exact"
	prefix  = "PathPrefix"
	regular = "RegularExpression"
)

// maxPath bounds a match's value.
const maxPath = 1024

// pathMatch writes a pattern of routes.yaml; false when it is too long.
func pathMatch(pattern string) (PathMatch, bool) {
	segments, err := routes.ParsePattern(pattern)
	if err != nil {
		return PathMatch{}, false
	}
	var plain, expression strings.Builder
	kind, tail := exact, ""
	for _, s := range segments {
		switch {
		case s.Tail:
			tail = "(/.*)?"
			if kind == exact {
				kind = prefix
			}
		case s.Param != "":
			kind = regular
			expression.WriteString("/[^/]+")
		default:
			plain.WriteString("/" + encoded(s.Literal))
			expression.WriteString("/" + regexp.QuoteMeta(encoded(s.Literal)))
		}
	}
	m := PathMatch{Type: kind, Value: plain.String()}
	if kind == regular {
		m.Value = "^" + expression.String() + tail + "$"
	}
	if m.Value == "" {
		m.Value = "/" // the prefix of everything
	}
	return m, len(m.Value) <= maxPath
}

// encoded writes a segment with the bytes that a match may have, RFC 3986.
func encoded(segment string) string {
	var b strings.Builder
	for _, c := range []byte(segment) {
		if c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9' || strings.IndexByte("-._~!$&'()*+,;=:@", c) >= 0 {
			b.WriteByte(c)
		} else {
			fmt.Fprintf(&b, "%%%02X", c)
		}
	}
	return b.String()
}
