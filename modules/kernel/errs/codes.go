package errs

import "net/http"

// Code names a kind of failure. Codes are a contract with clients.
type Code string

// The codes that callers may meet, by what they can do about them.
const (
	Invalid              Code = "invalid"                  // the request is malformed: mend it
	UnknownField         Code = "unknown_field"            // a field or parameter that does not exist
	KeyRequired          Code = "idempotency_key_required" // send an Idempotency-Key
	TokenRequired        Code = "token_required"           // send X-Hold-Token
	Unauthorized         Code = "unauthorized"
	Forbidden            Code = "forbidden"
	NotFound             Code = "not_found"
	FlightUnknown        Code = "flight_unknown"
	HoldUnknown          Code = "hold_unknown"
	ReservationUnknown   Code = "reservation_unknown"
	MethodNotAllowed     Code = "method_not_allowed"
	Timeout              Code = "request_timeout" // the body came too slowly
	Conflict             Code = "conflict"
	SeatTaken            Code = "seat_taken" // Fields["conflicts"] names the seats
	TokenMismatch        Code = "token_mismatch"
	FlightNotOpen        Code = "flight_not_open" // cancelled, or no longer sold
	CapExceeded          Code = "cap_exceeded"
	ExtensionsExhausted  Code = "extensions_exhausted"
	HoldExpired          Code = "hold_expired"
	HoldReleased         Code = "hold_released"
	PreconditionFailed   Code = "precondition_failed"
	PreconditionRequired Code = "precondition_required"
	TooLarge             Code = "too_large"
	UnsupportedMedia     Code = "unsupported_media_type"
	Misdirected          Code = "misdirected" // this store does not own the bucket
	SeatUnknown          Code = "seat_unknown"
	KeyReused            Code = "idempotency_key_reused" // same key, other request
	Unprocessable        Code = "unprocessable"
	Unsafe               Code = "refused_unsafe" // it would lose or split data
	VerdictFailed        Code = "verdict_failed" // what was looked at is not as it must be
	Internal             Code = "internal"
	BadGateway           Code = "bad_gateway"
	Unavailable          Code = "unavailable" // try again later
	GatewayTimeout       Code = "gateway_timeout"
)

// Status gives the HTTP status of a code; an unknown code is a 500.
func Status(c Code) int {
	switch c {
	case Invalid, UnknownField, KeyRequired, TokenRequired:
		return http.StatusBadRequest
	case Unauthorized:
		return http.StatusUnauthorized
	case Forbidden:
		return http.StatusForbidden
	case NotFound, FlightUnknown, HoldUnknown, ReservationUnknown:
		return http.StatusNotFound
	case MethodNotAllowed:
		return http.StatusMethodNotAllowed
	case Timeout:
		return http.StatusRequestTimeout
	case Conflict, SeatTaken, TokenMismatch, FlightNotOpen, CapExceeded, ExtensionsExhausted, Unsafe, VerdictFailed:
		return http.StatusConflict
	case HoldExpired, HoldReleased:
		return http.StatusGone
	case PreconditionFailed:
		return http.StatusPreconditionFailed
	case TooLarge:
		return http.StatusRequestEntityTooLarge
	case UnsupportedMedia:
		return http.StatusUnsupportedMediaType
	case Misdirected:
		return http.StatusMisdirectedRequest
	case SeatUnknown, KeyReused, Unprocessable:
		return http.StatusUnprocessableEntity
	case PreconditionRequired:
		return http.StatusPreconditionRequired
	case BadGateway:
		return http.StatusBadGateway
	case Unavailable:
		return http.StatusServiceUnavailable
	case GatewayTimeout:
		return http.StatusGatewayTimeout
	case Internal:
		return http.StatusInternalServerError
	}
	return http.StatusInternalServerError
}
