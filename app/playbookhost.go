package main

import (
	"net"
	"strings"

	"banyan/docs/playbooks"
	"banyan/modules/kernel/sqldb"
	"banyan/proxy/playbook"
)

// hosting says how a server of ours hosts playbooks.
type hosting struct {
	db              *sqldb.DB // the router's schema
	allow           bool
	public, private net.Addr
	token           string // of the admin API
	environ         []string
}

// newPlaybooks makes the journal of playbooks and, if allowed, what runs them here.
func newPlaybooks(h hosting) (*playbook.Host, error) {
	library, err := playbook.NewLibrary(playbooks.FS)
	if err != nil {
		return nil, err
	}
	environ := []string{"API=" + reachable(h.public), "BANYAN_ADMIN=" + reachable(h.private)}
	if h.token != "" {
		environ = append(environ, "BANYAN_ADMIN_TOKEN="+h.token)
	}
	for _, line := range h.environ { // nothing else of the server's, such as its passwords
		if strings.HasPrefix(line, "PATH=") || strings.HasPrefix(line, "HOME=") {
			environ = append(environ, line)
		}
	}
	return playbook.NewHost(playbook.HostOptions{
		Library: library, Journal: playbook.NewStore(h.db), Allow: h.allow, Environ: environ, Path: ownFolder(),
	}), nil
}

// reachable gives the address at which this machine reaches a listener.
func reachable(addr net.Addr) string {
	host, port, err := net.SplitHostPort(addr.String())
	if err != nil {
		return "http://" + addr.String()
	}
	if ip := net.ParseIP(host); ip != nil && ip.IsUnspecified() {
		host = "127.0.0.1"
	}
	return "http://" + net.JoinHostPort(host, port)
}
