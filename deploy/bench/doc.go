// Package bench measures what the product promises as ratios: the product and a bare
// baseline take turns in one run on one machine, so that a noisy machine disturbs both.
// Run it with make bench.
package bench
