// Package bucket gives every flight its bucket, the unit in which bookings move
// between stores, and makes ids that carry it, so that a request that names only
// a hold or a reservation can be routed without a look-up.
package bucket

import (
	"crypto/rand"
	"fmt"
	"strconv"
	"strings"
)

// Count is the number of buckets: one bucket is one basis point of a weight.
const Count = 10000

// Hash names the hash and its version; stores keep it, and a binary that
// disagrees must not start.
const Hash = "fnv1a64/10000/v1"

const (
	offset64 = 14695981039346656037
	prime64  = 1099511628211
)

// Of gives the bucket of a flight, 0 to Count-1. It allocates nothing.
func Of(flightID string) int {
	h := uint64(offset64)
	for i := range len(flightID) {
		h ^= uint64(flightID[i])
		h *= prime64
	}
	return int(h % Count)
}

// Prefixes of the ids that carry a bucket.
const (
	HoldPrefix        = "h"
	ReservationPrefix = "r"
)

// alphabet has no i, l, o and u, which are misread or misspelt.
const alphabet = "0123456789abcdefghjkmnpqrstvwxyz"

// NewID makes an unguessable id such as h0042-3q9v7d0k2m5x8c1b (80 random bits).
func NewID(prefix string, b int) string {
	var tail [16]byte
	_, _ = rand.Read(tail[:]) // never fails: crypto/rand aborts the process instead
	for i := range tail {
		tail[i] = alphabet[tail[i]%byte(len(alphabet))] // 32 letters: no letter is more likely
	}
	var room [idLength]byte
	id := append(room[:0], prefix...)
	for unit := Count / 10; unit > 0; unit /= 10 {
		id = append(id, '0'+byte(b/unit%10))
	}
	return string(append(append(id, '-'), tail[:]...))
}

// idLength is a letter, four digits, a dash and sixteen characters.
const idLength = 1 + 4 + 1 + 16

// Parse gives the bucket that an id carries, or an error that says how it is
// malformed. The prefix must be the one named.
func Parse(prefix, id string) (int, error) {
	if len(id) != idLength || id[5] != '-' || !strings.HasPrefix(id, prefix) {
		return 0, fmt.Errorf("an id looks like %s0042-3q9v7d0k2m5x8c1b", prefix)
	}
	for _, c := range []byte(id[6:]) {
		if strings.IndexByte(alphabet, c) < 0 {
			return 0, fmt.Errorf("an id has no %q", c)
		}
	}
	for _, c := range []byte(id[1:5]) {
		if c < '0' || c > '9' {
			return 0, fmt.Errorf("the bucket of an id is four digits, not %q", id[1:5])
		}
	}
	return strconv.Atoi(id[1:5])
}
