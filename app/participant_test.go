package main

import (
	"context"
	"encoding/json"
	"strings"
	"testing"
	"time"

	"banyan/modules/kernel/handover"
	"banyan/modules/kernel/handover/handovertest"
)

// stuckParticipant answers no order until it is released.
type stuckParticipant struct {
	handover.Participant
	asked   chan struct{}
	release chan struct{}
}

// Order implements handover.Participant.
func (s *stuckParticipant) Order(ctx context.Context, _ handover.Order) ([]handover.Fence, error) {
	select {
	case s.asked <- struct{}{}:
	default:
	}
	select {
	case <-s.release:
	case <-ctx.Done():
	}
	return nil, context.Canceled
}

func (s *stuckParticipant) waitUntilAsked(t *testing.T) {
	t.Helper()
	select {
	case <-s.asked:
	case <-time.After(30 * time.Second):
		t.Fatal("no order came")
	}
}

// forgetful stores less than it acknowledges.
type forgetful struct{ handover.Participant }

// Copy implements handover.Participant: it loses every record but the first.
func (f forgetful) Copy(ctx context.Context, epoch int64, parts []handover.Part) ([]handover.Fence, error) {
	for i := range parts {
		parts[i].Records = parts[i].Records[:min(1, len(parts[i].Records))]
	}
	return f.Participant.Copy(ctx, epoch, parts)
}

// TestParticipantCommand judges good and bad services.
func TestParticipantCommand(t *testing.T) {
	good, bad, used := handovertest.NewMemory(), handovertest.NewMemory(), handovertest.NewMemory()
	used.Own(3, 17)
	goodURL, badURL, usedURL := participant(t, good).URL, participant(t, forgetful{bad}).URL, participant(t, used).URL
	environ := []string{"BANYAN_PARTICIPANT_TOKEN=t0ken"}
	runSteps(t, environ, []step{
		{"participant test " + goodURL, 0, ", 0 failed"},
		{"participant test " + goodURL, 0, ", 0 failed"}, // also a second time
		{"participant test " + badURL, 4, "FAILED"},
		{"participant test " + usedURL, 5, "bucket 17 already"},
		{"participant test " + usedURL + " --buckets 1,2,3,4,5,6,7,8", 0, ", 0 failed"},
		{"participant test " + usedURL + " --buckets 1,2,3", 2, "at least 8"},
		{"participant test " + goodURL + " --name other", 1, ""},
		{"participant test " + goodURL + " --participant-token wrong", 1, "token"},
		{"participant test somewhere", 2, "is not an address"},
		{"participant test", 2, "takes URL"},
	})
	code, stdout, _ := command(t, environ, "participant", "test", goodURL, "-o", "json")
	var list []judged
	if err := json.Unmarshal([]byte(stdout), &list); code != 0 || err != nil || len(list) < 10 {
		t.Errorf("as JSON: %d %v, %d checks", code, err, len(list))
	}
	for _, j := range list {
		if j.Verdict == "failed" {
			t.Errorf("%s: %s %s", j.Name, j.Verdict, j.Detail)
		}
	}
}

func TestModelCommand(t *testing.T) {
	code, stdout, stderr := command(t, nil, "model", "check")
	if code != 0 || !strings.Contains(stdout, "all hold") || strings.Contains(stdout, "SURVIVES") {
		t.Errorf("exit code %d: %s%s", code, stdout, stderr)
	}
	runSteps(t, nil, []step{
		{"model check --epochs 1", 4, "SURVIVES"}, // too few to catch every mutant
		{"model check --epochs 5", 2, "is not 1 to 4"},
	})
}
