// Package paging makes the cursors of searches. A cursor is a place in the order of a
// search and the mark of the criteria that it belongs to, so that any store goes on where
// any other ended a page.
package paging

import (
	"encoding/base64"
	"encoding/json"

	"banyan/modules/flights"
	"banyan/modules/kernel/errs"
)

// cursor is what a next_cursor holds.
type cursor struct {
	Mark string `json:"m"`
	flights.Place
}

// maxCursor bounds a cursor, in bytes.
const maxCursor = 512

// Cursor makes the cursor of a page that ends at a place.
func Cursor(p flights.Place, mark string) string {
	body, err := json.Marshal(cursor{Mark: mark, Place: p})
	if err != nil {
		panic("paging: a cursor cannot be marshalled: " + err.Error())
	}
	return base64.RawURLEncoding.EncodeToString(body)
}

// Open reads a cursor. errs: Invalid if it is none, or belongs to other criteria.
func Open(text, mark string) (*flights.Place, error) {
	var c cursor
	body, err := base64.RawURLEncoding.DecodeString(text)
	if err != nil || len(text) > maxCursor || json.Unmarshal(body, &c) != nil || !visible(c.FlightID) {
		return nil, bad("is not one that a page before gave as next_cursor")
	}
	if c.Mark != mark {
		return nil, bad("belongs to other criteria; repeat those of the page before, or leave it out")
	}
	return &c.Place, nil
}

func bad(what string) error {
	return errs.E(errs.Invalid, "cursor %s", what).With("field", "cursor")
}

// visible says whether s is not empty and has visible ASCII characters only.
func visible(s string) bool {
	for i := range len(s) {
		if s[i] <= ' ' || s[i] > '~' {
			return false
		}
	}
	return s != ""
}
