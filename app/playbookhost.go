package main

import (
	"context"
	"net"
	"strings"

	"banyan/docs/playbooks"
	"banyan/proxy/playbook"
)

// newPlaybooks makes the journal of playbooks, in the router's schema, and, if allowed, what
// runs them here.
func newPlaybooks(f *front, s *serveSettings, server []string) (*playbook.Host, error) {
	library, err := playbook.NewLibrary(playbooks.FS)
	if err != nil {
		return nil, err
	}
	// The certificate need not be for the address at which this machine reaches the API.
	environ := append(adminEnviron(reachable(s.adminTLS.Scheme(), f.private.Addr()), s.adminTLS.CertFile(), s.adminTLS.Name()),
		"API="+reachable(s.common.TLS.Scheme(), f.public.Addr()))
	if *s.adminToken != "" {
		environ = append(environ, "BANYAN_ADMIN_TOKEN="+*s.adminToken)
	}
	for _, line := range server { // nothing else of the server's, such as its passwords
		if strings.HasPrefix(line, "PATH=") || strings.HasPrefix(line, "HOME=") {
			environ = append(environ, line)
		}
	}
	journal := playbook.NewStore(f.data.proxy)
	return playbook.NewHost(playbook.HostOptions{
		Library: library, Journal: journal, Allow: *s.playbooks, Environ: environ, Path: ownFolder(),
		Tidy: func(ctx context.Context) {
			journal.Keep(ctx, *s.keepRuns, func(err error) { f.svc.Log.WithError(err).Warn("old runs of playbooks stay; it is tried again") })
		},
	}), nil
}

// reachable gives the address at which this machine reaches a listener.
func reachable(scheme string, addr net.Addr) string {
	host, port, err := net.SplitHostPort(addr.String())
	if err != nil {
		return scheme + "://" + addr.String()
	}
	if ip := net.ParseIP(host); ip != nil && ip.IsUnspecified() {
		host = "127.0.0.1"
	}
	return scheme + "://" + net.JoinHostPort(host, port)
}
