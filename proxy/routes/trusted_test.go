package routes_test

import (
	"strings"
	"testing"

	"banyan/proxy/routes"
)

func TestTrustedProxies(t *testing.T) {
	backend := "version: 1\nbackends:\n  monolith: { kind: http, url: \"http://127.0.0.1:1\" }\n"
	for _, c := range []struct{ list, want, wrong string }{
		{list: "[10.1.2.3/8, 127.0.0.1, \"::1\"]", want: "10.0.0.0/8,127.0.0.1/32,::1/128"},
		{list: "[]"},
		{list: "[localhost]", wrong: "neither an address nor a CIDR"},
		{list: "[10.0.0.0/33]", wrong: "neither an address nor a CIDR"},
		{list: "10.0.0.0/8", wrong: "must be a list"},
	} {
		got, err := routes.Parse("routes.yaml", []byte(backend+"trustedProxies: "+c.list+"\n"))
		if c.wrong != "" {
			if err == nil || !strings.Contains(err.Error(), c.wrong) {
				t.Errorf("%s: got %v, want %q", c.list, err, c.wrong)
			}
			continue
		}
		if err != nil || got.Backends[0].Trusted != c.want {
			t.Errorf("%s: got %+v, %v", c.list, got, err)
			continue
		}
		if n := len(routes.TrustedProxies(got.Backends[0].Trusted)); n != len(strings.FieldsFunc(c.want, func(r rune) bool { return r == ',' })) {
			t.Errorf("%s: %d networks", c.list, n)
		}
	}
}

func TestProtocol(t *testing.T) {
	file := "version: 1\nbackends:\n  monolith: { kind: http, url: \"http://127.0.0.1:1\", protocol: PROTOCOL }\n"
	c, err := routes.Parse("routes.yaml", []byte(strings.Replace(file, "PROTOCOL", "h2c", 1)))
	if err != nil || c.Backends[0].Protocol != routes.H2C {
		t.Errorf("got %+v, %v", c, err)
	}
	if _, err := routes.Parse("routes.yaml", []byte(strings.Replace(file, "PROTOCOL", "spdy", 1))); err == nil {
		t.Error("spdy was accepted")
	}
}
