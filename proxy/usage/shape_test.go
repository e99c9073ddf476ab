package usage

import "testing"

func TestIsWord(t *testing.T) {
	for _, s := range []string{
		"orders", "seat-map", "users", "v1", "v2.1", "getUserProfile", "oauth2", "s3", "sample_data", "robots.txt", "orders:batch", "a",
		"ReservationService", "x1", "iPhone",
	} {
		if !isWord(s) {
			t.Errorf("%q is taken for an id", s)
		}
	}
	for _, s := range []string{
		"1", "4711", "12C", "3fa85f64-5717-4562-b3fc-2c963f66afa6", "deadbeef01", "2026-11-21", "AA34-LAX-20200517", "JFK", "EUR", "ann@example.org",
		"dGhpcyBpcyBhIHRva2Vu", "ord_8f3k2x", "a b", "%41", "x=y", "über", "1.5", "-", "...", "averyveryverylongsegmentthatnobodywouldtype", "+49",
	} {
		if isWord(s) {
			t.Errorf("%q is taken for a word", s)
		}
	}
}
