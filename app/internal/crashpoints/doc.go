// Package crashpoints tests moves of bookings between the stores that production has:
// coordinators that stop dead at every step, servers that are killed there, services that
// start again. What is checked is what a client sees: every acknowledged booking is there
// once and as it was acknowledged, its key gives the first answer again, its token still
// opens it, and nobody else gets its seats.
package crashpoints
