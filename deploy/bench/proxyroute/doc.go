// Package proxyroute measures what in-process routing costs: CPU per request of a
// context's handler behind the router at weight 0 against the same handler without it.
//
// A child process of its own serves each variant, so that getrusage counts the server
// alone; requests come over loopback on kept connections. Rounds alternate, because the
// machine's speed drifts, and each side counts by its lower quartile.
package proxyroute
