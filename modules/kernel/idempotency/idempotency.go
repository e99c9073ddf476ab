// Package idempotency reads Idempotency-Key headers and describes the record that a
// store keeps, in the transaction of the effect, so that a retry gets the stored
// answer (draft-ietf-httpapi-idempotency-key-header).
package idempotency

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"net/http"
	"time"

	"banyan/modules/kernel/errs"
)

// Header is the request header; Replayed marks an answer that was stored before.
const (
	Header   = "Idempotency-Key"
	Replayed = "Idempotency-Replayed"
)

// Keep is how long a record must be kept.
const Keep = 24 * time.Hour

// maxKey bounds a key, in bytes.
const maxKey = 128

// Record is the stored answer of a request that had an effect.
type Record struct {
	Fingerprint string          `json:"fingerprint"`
	Answer      json.RawMessage `json:"answer"`
	CreatedAt   int64           `json:"created_at"` // microseconds since 1970, store's clock
}

// Key reads the request's key, bare or as a quoted string; "" when there is none.
func Key(r *http.Request) (string, error) {
	values := r.Header.Values(Header)
	if len(values) == 0 {
		return "", nil
	}
	if len(values) > 1 {
		return "", errs.E(errs.Invalid, "%s comes %d times; send it once", Header, len(values))
	}
	key := values[0]
	if n := len(key); n >= 2 && key[0] == '"' && key[n-1] == '"' {
		key = key[1 : n-1]
	}
	if key == "" || len(key) > maxKey {
		return "", errs.E(errs.Invalid, "%s must have 1 to %d characters", Header, maxKey)
	}
	for _, c := range []byte(key) {
		if c <= ' ' || c > '~' || c == '"' || c == '\\' {
			return "", errs.E(errs.Invalid, "%s may have visible ASCII characters only, without quotes and backslashes", Header)
		}
	}
	return key, nil
}

// Required is Key for requests that move seats or money, which must have one.
func Required(r *http.Request) (string, error) {
	key, err := Key(r)
	if err == nil && key == "" {
		return "", errs.E(errs.KeyRequired, "send an %s header: a new random value for a new request, the same one for a retry", Header)
	}
	return key, err
}

// Fingerprint digests what makes two requests the same: the operation and its
// canonical arguments.
func Fingerprint(operation string, arguments any) string {
	body, err := json.Marshal(arguments)
	if err != nil {
		panic("idempotency: arguments that cannot be marshalled: " + err.Error())
	}
	return Digest(operation, body)
}

// Digest is Fingerprint for arguments that are JSON already, the same as encoding/json
// makes of them.
func Digest(operation string, arguments []byte) string {
	var room [512]byte
	text := append(append(append(room[:0], operation...), '\n'), arguments...)
	sum := sha256.Sum256(text)
	var digits [2 * sha256.Size]byte
	hex.Encode(digits[:], sum[:])
	return string(digits[:])
}

// Check compares a stored record with the request at hand.
func (r *Record) Check(fingerprint string) error {
	if r.Fingerprint != fingerprint {
		return errs.E(errs.KeyReused, "this %s was used for another request; use a new one", Header)
	}
	return nil
}
