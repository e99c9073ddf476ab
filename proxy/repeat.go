package proxy

import (
	"context"
	"crypto/tls"
	"errors"
	"net"
	"net/http"

	"banyan/modules/kernel/errs"
	"banyan/modules/kernel/web"
	"banyan/proxy/hop"
)

// mayRepeat tells whether a failed request may go to another backend: no byte of it was
// sent, or it is safe, without a body, and failed before its answer began. A request
// that may have changed something is never sent twice.
func mayRepeat(r *http.Request, held *body, err error) bool {
	if r.Context().Err() != nil {
		return false // nobody waits for the answer
	}
	if held.stream != nil && held.stream.touched {
		return false
	}
	if notSent(err) {
		return true
	}
	safe := r.Method == http.MethodGet || r.Method == http.MethodHead || r.Method == http.MethodOptions
	return safe && held.small == nil && held.stream == nil && !tooSlow(err)
}

// notSent: there was no connection, so the request cannot have happened.
func notSent(err error) bool { return errors.Is(err, hop.ErrNotSent) }

// untrusted: the backend's certificate is not of the name, of its time, or of an authority
// that it is judged by.
func untrusted(err error) bool {
	var cert *tls.CertificateVerificationError
	return errors.As(err, &cert)
}

func tooSlow(err error) bool {
	var timeout net.Error
	return errors.Is(err, hop.ErrTooSlow) || (errors.As(err, &timeout) && timeout.Timeout())
}

// fail answers for a backend that did not.
func (p *Router) fail(w http.ResponseWriter, r *http.Request, a *arm, err error) {
	name := a.backend.Name
	note(w, func(x *Exchange) { x.Gateway = true })
	w.Header()[BackendHeader] = a.backend.header
	var e *errs.Error
	switch {
	case errors.As(err, &e):
	case r.Context().Err() != nil && !errors.Is(r.Context().Err(), context.DeadlineExceeded):
		e = errs.E(errs.Unavailable, "the caller went away")
	case untrusted(err):
		e = errs.E(errs.BadGateway, "the backend %s shows a certificate that is not trusted; nothing was sent", name)
	case notSent(err):
		e = errs.E(errs.Unavailable, "the backend %s cannot be reached; nothing was sent, so try again", name)
	case tooSlow(err):
		e = errs.E(errs.GatewayTimeout, "the backend %s did not answer in time; a request that changes something may have been carried out: send it again with its Idempotency-Key", name)
	default:
		e = errs.E(errs.BadGateway, "the backend %s broke off; a request that changes something may have been carried out: send it again with its Idempotency-Key", name)
	}
	web.Fail(w, r, e.Because(err))
}
