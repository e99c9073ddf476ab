package errs_test

import (
	"errors"
	"fmt"
	"net/http"
	"strings"
	"testing"

	"banyan/modules/kernel/errs"
)

func TestErrorKeepsCodeFieldsAndCause(t *testing.T) {
	cause := errors.New("disk full")
	plain := errs.E(errs.SeatTaken, "seat %s is taken", "12C")
	full := plain.With("conflicts", []string{"12C"}).Because(cause)
	wrapped := fmt.Errorf("hold: %w", full)

	if errs.CodeOf(wrapped) != errs.SeatTaken {
		t.Errorf("code = %q", errs.CodeOf(wrapped))
	}
	if !errors.Is(wrapped, cause) || !errors.Is(wrapped, errs.E(errs.SeatTaken, "")) {
		t.Error("the cause or the code is lost on the way up")
	}
	if errors.Is(wrapped, errs.E(errs.Conflict, "")) {
		t.Error("another code matches")
	}
	if !strings.Contains(full.Error(), "disk full") || full.Message != "seat 12C is taken" {
		t.Errorf("error %q, message %q", full.Error(), full.Message)
	}
	if plain.Fields != nil || errors.Is(plain, cause) {
		t.Error("With or Because changed the error they were called on")
	}
}

func TestCodeOfOthers(t *testing.T) {
	if errs.CodeOf(nil) != "" || errs.CodeOf(errors.New("x")) != errs.Internal {
		t.Error("nil has no code, a stranger's error is internal")
	}
}

func TestStatus(t *testing.T) {
	for code, want := range map[errs.Code]int{
		errs.Invalid: http.StatusBadRequest, errs.SeatTaken: http.StatusConflict, errs.HoldExpired: http.StatusGone,
		errs.Misdirected: http.StatusMisdirectedRequest, errs.KeyReused: http.StatusUnprocessableEntity,
		errs.Unavailable: http.StatusServiceUnavailable, "made_up": http.StatusInternalServerError,
	} {
		if got := errs.Status(code); got != want {
			t.Errorf("%s: status %d, want %d", code, got, want)
		}
	}
}
