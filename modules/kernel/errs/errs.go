// Package errs is the one error type that crosses boundaries: a stable code for
// programs, a sentence for people, fields for details, and the cause for the log.
// The code travels in the problem+json body, so a client rebuilds the same error.
package errs

import (
	"errors"
	"fmt"
	"maps"
)

// Error is a failure with a stable code. Message is safe to show to a caller;
// the cause is for the log only.
type Error struct {
	Code    Code
	Message string
	Fields  map[string]any
	cause   error
}

// E makes an error with a message formatted as fmt.Sprintf does.
func E(code Code, format string, args ...any) *Error {
	return &Error{Code: code, Message: fmt.Sprintf(format, args...)}
}

// With returns a copy that carries a detail under key, shown to the caller.
func (e *Error) With(key string, value any) *Error {
	c := *e
	c.Fields = maps.Clone(e.Fields)
	if c.Fields == nil {
		c.Fields = map[string]any{}
	}
	c.Fields[key] = value
	return &c
}

// Because returns a copy that keeps its cause, which is never shown to a caller.
func (e *Error) Because(cause error) *Error {
	c := *e
	c.cause = cause
	return &c
}

// Error gives code, message and cause, for the log.
func (e *Error) Error() string {
	if e.cause != nil {
		return fmt.Sprintf("%s: %s: %v", e.Code, e.Message, e.cause)
	}
	return fmt.Sprintf("%s: %s", e.Code, e.Message)
}

// Unwrap gives the cause.
func (e *Error) Unwrap() error { return e.cause }

// Is makes errors.Is(err, errs.E(code, "")) compare codes.
func (e *Error) Is(target error) bool {
	var t *Error
	return errors.As(target, &t) && t.Code == e.Code
}

// CodeOf gives the code of err: Internal when it is not one of ours, "" for nil.
func CodeOf(err error) Code {
	if err == nil {
		return ""
	}
	var e *Error
	if errors.As(err, &e) {
		return e.Code
	}
	return Internal
}
