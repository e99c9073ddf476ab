package proxy_test

import (
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/gorilla/mux"

	"banyan/modules/kernel/handover/handoverhttp"
	"banyan/proxy/canary"
)

// instance serves the extracted side once more, over TLS, and counts the calls of its
// participant.
func (s *split) instance(t *testing.T, ca *authority) (url string, calls *atomic.Int64) {
	t.Helper()
	calls = &atomic.Int64{}
	service := http.NewServeMux()
	participant := mux.NewRouter()
	handoverhttp.Mount(participant, "notes", s.away, "")
	service.HandleFunc("/participant/", func(w http.ResponseWriter, r *http.Request) {
		calls.Add(1)
		participant.ServeHTTP(w, r)
	})
	service.HandleFunc("/health", func(http.ResponseWriter, *http.Request) {})
	service.Handle("/", notes(s.away))
	server := httptest.NewUnstartedServer(service)
	server.TLS = &tls.Config{Certificates: []tls.Certificate{ca.issue(forInstances)}, MinVersion: tls.VersionTLS12}
	server.StartTLS()
	t.Cleanup(server.Close)
	return server.URL, calls
}

// instancesName is what the certificates of instances are for, instead of their address.
const instancesName = "notes.example.org"

func forInstances(c *x509.Certificate) { c.IPAddresses, c.DNSNames = nil, []string{instancesName} }

// TestParticipantInstances: data moves to a backend whose first address is dead, over the
// others, and over those that a reload brings.
func TestParticipantInstances(t *testing.T) {
	ca := newAuthority(t)
	s := newSplit(t, "20s", 16)
	one, callsOfOne := s.instance(t, ca)
	two, callsOfTwo := s.instance(t, ca)
	three, callsOfThree := s.instance(t, ca)
	dead := strings.Replace(deadAddress(t), "http:", "https:", 1)
	file := func(urls ...string) []byte {
		text := fmt.Sprintf(notesRoutes, s.url, "20s", 16)
		return []byte(strings.Replace(text, fmt.Sprintf("url: %q,", s.url), fmt.Sprintf("urls: [\"%s\"], ca: %q, serverName: %s, health: { path: /health, interval: 500ms },", strings.Join(urls, `", "`), ca.file, instancesName), 1))
	}
	if err := os.WriteFile(s.file, file(dead, one, two), 0o600); err != nil {
		t.Fatal(err)
	}
	router, _ := s.start(t)
	shift(t, router, canary.Weight(20))
	settle(t, s, 20)
	if callsOfOne.Load() == 0 || callsOfTwo.Load() == 0 {
		t.Errorf("%d and %d calls went to the two that live", callsOfOne.Load(), callsOfTwo.Load())
	}
	router.Reload(t.Context(), s.file, file(dead, three))
	before := callsOfOne.Load() + callsOfTwo.Load()
	shift(t, router, canary.Weight(0))
	settle(t, s, 0)
	if n := callsOfOne.Load() + callsOfTwo.Load() - before; callsOfThree.Load() == 0 || n > 2 { // that were under way
		t.Errorf("%d calls went to the one that came, %d to those that left", callsOfThree.Load(), n)
	}
}
