package routes

import (
	"net/http"

	"go.yaml.in/yaml/v3"
)

func (d *reader) shadow(n *yaml.Node, what string, r *Route) {
	if n == nil {
		return
	}
	m := d.fields(n, "the shadow of "+what, "backend", "percent", "maxBody", "ignore")
	s := &Shadow{Percent: d.weight(m["percent"], "the shadow's percent of "+what)}
	s.Backend = d.member(m["backend"], n.Line, "the shadow's backend of "+what, r)
	s.MaxBody = d.size(m["maxBody"], "the shadow's maxBody of "+what, 64<<10, 16<<20)
	for _, item := range d.items(m["ignore"], "the shadow's ignore of "+what) {
		if path, ok := d.text(item, "an ignored field of "+what); ok {
			if len(path) < 3 || path[:2] != "$." {
				d.wrong(item.Line, "the shadow of %s ignores %q: write a JSON path such as $.generated_at", what, path)
			}
			s.Ignore = append(s.Ignore, path)
		}
	}
	if !safe(r.Methods) {
		d.wrong(n.Line, "%s may not be shadowed: a copy of an unsafe request would be carried out twice; name only GET, HEAD or OPTIONS in its methods, or remove the shadow", what)
	}
	r.Shadow = s
}

func safe(methods []string) bool {
	for _, m := range methods {
		if m != http.MethodGet && m != http.MethodHead && m != http.MethodOptions {
			return false
		}
	}
	return len(methods) > 0
}

// shadowed judges whether the new side can have the data that its copies ask for. On a
// stateful route it certainly does not. With another store it may, by replication, and
// to see whether that is right is a use of shadows; but nobody should be surprised.
func (d *reader) shadowed(n *yaml.Node, what string, c *Config, r *Route) {
	if n == nil || r.Shadow == nil {
		return
	}
	if r.Stateful != nil {
		d.wrong(n.Line, "%s is stateful and may not be shadowed: a bucket's data is on one side at a time, so that the other one would refuse every copy; remove the shadow, and compare with banyan moves verify", what)
		return
	}
	home, _ := c.Backend(Monolith)
	b, _ := c.Backend(r.Shadow.Backend)
	if b.Name != "" && (b.Store == "" || b.Store != home.Store) {
		d.warn(n.Line, "the shadow of %s asks %s, which does not declare the store of %s (%s, %s): its answers differ wherever its data does", what, b.Name, Monolith, storeName(home.Store), storeName(b.Store))
	}
}
