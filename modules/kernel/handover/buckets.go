package handover

import (
	"encoding/base64"
	"encoding/binary"
	"math/bits"

	"banyan/modules/kernel/bucket"
	"banyan/modules/kernel/errs"
)

const bucketWords = (bucket.Count + 63) / 64

// Buckets is a set of buckets; the zero value has none. As text it is "all", "none", or
// the base64 of its bits, the bit of bucket b being bit b%8 of byte b/8.
type Buckets struct{ words [bucketWords]uint64 }

// AllBuckets gives the set of all buckets.
func AllBuckets() Buckets {
	var s Buckets
	for b := range bucket.Count {
		s.Add(b)
	}
	return s
}

// Add adds a bucket that exists.
func (s *Buckets) Add(b int) { s.words[b/64] |= 1 << (b % 64) }

// Has tells whether a bucket that exists is in the set.
func (s *Buckets) Has(b int) bool { return s.words[b/64]&(1<<(b%64)) != 0 }

// Len is the number of buckets.
func (s *Buckets) Len() int {
	n := 0
	for _, w := range s.words {
		n += bits.OnesCount64(w)
	}
	return n
}

// Overlaps tells whether two sets share a bucket.
func (s *Buckets) Overlaps(o *Buckets) bool {
	for i, w := range s.words {
		if w&o.words[i] != 0 {
			return true
		}
	}
	return false
}

// MarshalText writes the set; it never fails.
func (s Buckets) MarshalText() ([]byte, error) {
	switch s.Len() {
	case 0:
		return []byte("none"), nil
	case bucket.Count:
		return []byte("all"), nil
	}
	var raw [bucketWords * 8]byte
	for i, w := range s.words {
		binary.LittleEndian.PutUint64(raw[i*8:], w)
	}
	return base64.StdEncoding.AppendEncode(nil, raw[:bucket.Count/8]), nil
}

// UnmarshalText reads a set. errs: Invalid.
func (s *Buckets) UnmarshalText(text []byte) error {
	switch *s = (Buckets{}); string(text) {
	case "none":
		return nil
	case "all":
		*s = AllBuckets()
		return nil
	}
	raw, err := base64.StdEncoding.DecodeString(string(text))
	if err != nil || len(raw) != bucket.Count/8 {
		return errs.E(errs.Invalid, "a set of buckets is all, none, or %d bytes in base64", bucket.Count/8).Because(err)
	}
	var padded [bucketWords * 8]byte
	copy(padded[:], raw)
	for i := range s.words {
		s.words[i] = binary.LittleEndian.Uint64(padded[i*8:])
	}
	return nil
}
