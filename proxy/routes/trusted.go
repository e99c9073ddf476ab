package routes

import (
	"net/netip"
	"strings"

	"go.yaml.in/yaml/v3"
)

// H2C is the protocol of a backend that speaks HTTP/2 without TLS; "" is HTTP/1.1.
const H2C = "h2c"

// maxTrusted bounds a file's trustedProxies.
const maxTrusted = 256

// trusted reads the top-level trustedProxies, addresses or CIDRs of the hops before the
// router whose X-Forwarded-* and Forwarded are believed, into every backend: a change of
// the list is a change of the way to them.
func (d *reader) trusted(n *yaml.Node, c *Config) {
	items := d.items(n, "trustedProxies")
	if len(items) > maxTrusted {
		d.wrong(n.Line, "there are %d trustedProxies; %d is the most", len(items), maxTrusted)
		return
	}
	list := make([]string, 0, len(items))
	for _, item := range items {
		s, ok := d.text(item, "a trusted proxy")
		if !ok {
			continue
		}
		p, err := parseTrusted(s)
		if err != nil {
			d.wrong(item.Line, "the trusted proxy %q is neither an address nor a CIDR: write such as 10.0.0.0/8 or 127.0.0.1", s)
			continue
		}
		list = append(list, p.String())
	}
	for i := range c.Backends {
		c.Backends[i].Trusted = strings.Join(list, ",")
	}
}

func parseTrusted(s string) (netip.Prefix, error) {
	if strings.Contains(s, "/") {
		p, err := netip.ParsePrefix(s)
		return p.Masked(), err
	}
	a, err := netip.ParseAddr(s)
	if err != nil {
		return netip.Prefix{}, err
	}
	return netip.PrefixFrom(a, a.BitLen()), nil
}

// TrustedProxies gives the networks of a Backend's Trusted.
func TrustedProxies(list string) []netip.Prefix {
	var found []netip.Prefix
	for s := range strings.SplitSeq(list, ",") {
		if p, err := parseTrusted(s); err == nil {
			found = append(found, p)
		}
	}
	return found
}
