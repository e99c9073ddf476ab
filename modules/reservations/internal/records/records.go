// Package records has the form in which the state of reservations travels from one store
// to another: a line of JSON for each record. Any store of the context, whatever it is
// written in and on, gives the same lines for the same state, so that two stores can
// compare what they have.
//
//	{"record":"answer","key":T,"fingerprint":T,"created_at":N,"answer":T}
//	{"record":"flight","flight_id":T,"version":N}
//	{"record":"hold","hold_id":T,"flight_id":T,"customer_id":T,"token":T,"seats":[T,…],"status":T,
//	 "created_at":N,"expires_at":N,"extensions":N,"reservation_id":T}
//	{"record":"reservation","reservation_id":T,"flight_id":T,"customer_id":T,"seats":[T,…],"status":T,
//	 "created_at":N,"hold_id":T,"related":T}
//	{"record":"seat","flight_id":T,"seat":T,"kind":T,"ref":T,"customer_id":T,"expires_at":N}
//
// Each is one line without a space or a newline between its parts, its fields are all
// there, also the empty ones, and in this order. The first fields name the record, so that
// sorted lines stand together by kind and name; a bucket has one line for a name.
//
// N is a whole number of 64 bits in decimal, without plus, leading zeros or exponent.
// Times are microseconds since 1970 UTC. The order of seats means something and is kept.
//
// T is a text. Characters from space to ~ stand for themselves, except that a backslash
// stands before " and \; every other character is \u and four hexadecimal digits in lower
// case, as a pair of surrogates beyond U+FFFF. A line is therefore ASCII. A text that is
// not valid UTF-8 is not a string but {"base64":"…"}, its bytes in standard base64 with
// padding; one that is valid never is.
//
// What a store derives, such as how many seats a customer holds, and what does not
// concern the owner of a bucket, such as events already sent, has no record. A flight
// that was never written to has none either.
package records

// Record is one of the types of this package.
type Record interface {
	// Encode appends the record's line to dst, without a newline.
	Encode(dst []byte) []byte
}

// Answer is what the request with an idempotency key was answered.
type Answer struct {
	Key         string
	Fingerprint string
	CreatedAt   int64 // microseconds since 1970 UTC
	Answer      string
}

// Flight says how often a flight's seats were written to: its next write makes it
// Version+1.
type Flight struct {
	FlightID string
	Version  int64 // above 0
}

// Hold has the fields of store.Hold, and can be converted from and to it.
type Hold struct {
	HoldID        string
	FlightID      string
	CustomerID    string
	Token         string
	Seats         []string
	Status        string
	CreatedAt     int64
	ExpiresAt     int64
	Extensions    int
	ReservationID string
}

// Reservation has the fields of store.Reservation, and can be converted from and to it.
type Reservation struct {
	ReservationID string
	FlightID      string
	CustomerID    string
	Seats         []string
	Status        string
	CreatedAt     int64
	HoldID        string
	Related       string
}

// Seat is a seat that is not free, or whose hold has expired and was not swept yet.
type Seat struct {
	FlightID   string
	Seat       string
	Kind       string // H held, R reserved, B blocked
	Ref        string // hold or reservation, or the reason of a block
	CustomerID string
	ExpiresAt  int64 // 0 unless held
}

// Encode implements Record.
func (r Answer) Encode(dst []byte) []byte {
	dst = appendText(append(dst, `{"record":"answer","key":`...), r.Key)
	dst = appendText(append(dst, `,"fingerprint":`...), r.Fingerprint)
	dst = appendNumber(append(dst, `,"created_at":`...), r.CreatedAt)
	dst = appendText(append(dst, `,"answer":`...), r.Answer)
	return append(dst, '}')
}

// Encode implements Record.
func (r Flight) Encode(dst []byte) []byte {
	dst = appendText(append(dst, `{"record":"flight","flight_id":`...), r.FlightID)
	dst = appendNumber(append(dst, `,"version":`...), r.Version)
	return append(dst, '}')
}

// Encode implements Record.
func (r Hold) Encode(dst []byte) []byte {
	dst = appendText(append(dst, `{"record":"hold","hold_id":`...), r.HoldID)
	dst = appendText(append(dst, `,"flight_id":`...), r.FlightID)
	dst = appendText(append(dst, `,"customer_id":`...), r.CustomerID)
	dst = appendText(append(dst, `,"token":`...), r.Token)
	dst = appendTexts(append(dst, `,"seats":`...), r.Seats)
	dst = appendText(append(dst, `,"status":`...), r.Status)
	dst = appendNumber(append(dst, `,"created_at":`...), r.CreatedAt)
	dst = appendNumber(append(dst, `,"expires_at":`...), r.ExpiresAt)
	dst = appendNumber(append(dst, `,"extensions":`...), int64(r.Extensions))
	dst = appendText(append(dst, `,"reservation_id":`...), r.ReservationID)
	return append(dst, '}')
}

// Encode implements Record.
func (r Reservation) Encode(dst []byte) []byte {
	dst = appendText(append(dst, `{"record":"reservation","reservation_id":`...), r.ReservationID)
	dst = appendText(append(dst, `,"flight_id":`...), r.FlightID)
	dst = appendText(append(dst, `,"customer_id":`...), r.CustomerID)
	dst = appendTexts(append(dst, `,"seats":`...), r.Seats)
	dst = appendText(append(dst, `,"status":`...), r.Status)
	dst = appendNumber(append(dst, `,"created_at":`...), r.CreatedAt)
	dst = appendText(append(dst, `,"hold_id":`...), r.HoldID)
	dst = appendText(append(dst, `,"related":`...), r.Related)
	return append(dst, '}')
}

// Encode implements Record.
func (r Seat) Encode(dst []byte) []byte {
	dst = appendText(append(dst, `{"record":"seat","flight_id":`...), r.FlightID)
	dst = appendText(append(dst, `,"seat":`...), r.Seat)
	dst = appendText(append(dst, `,"kind":`...), r.Kind)
	dst = appendText(append(dst, `,"ref":`...), r.Ref)
	dst = appendText(append(dst, `,"customer_id":`...), r.CustomerID)
	dst = appendNumber(append(dst, `,"expires_at":`...), r.ExpiresAt)
	return append(dst, '}')
}
