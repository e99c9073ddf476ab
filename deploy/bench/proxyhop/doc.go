// Command proxyhop measures what a proxied request costs: the CPU time of the proxy's
// processes per request that wrk got answered, for nginx, HAProxy, Caddy, net/http's
// ReverseProxy and Banyan's router in turn, on one machine, before one backend, with the
// configurations in configs. `make bench-proxy` runs it.
//
// Banyan is the router before an HTTP monolith behind the edge and the server that
// `banyan serve` has: request ids, metrics, limits and the recovery from panics are
// counted, and the access log is off, as it is for the others (--log-level warn).
//
// Rounds go through all proxies, because the machine's speed drifts; each counts by its
// median. A round with errors is shown as such.
package main
