package main

import (
	"context"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"testing"
	"time"
)

// TestAcknowledgedBookingsSurviveKill9 kills the real binary at random instants while
// customers book, and looks for everything that was acknowledged.
func TestAcknowledgedBookingsSurviveKill9(t *testing.T) {
	if testing.Short() {
		t.Skip("it builds the binary")
	}
	binary := build(t)
	dir := t.TempDir()
	s, kill := serveAlone(t, binary, dir)
	flight := aFlight(t, s)
	acknowledged := map[string]string{} // reservation by seat
	row := 1
	for round := range 3 {
		ctx, cancel := context.WithCancel(t.Context())
		var mu sync.Mutex
		var customers sync.WaitGroup
		for n, letter := range []string{"A", "C", "D", "F"} {
			customers.Go(func() {
				for i := row; i < row+9 && ctx.Err() == nil; i++ {
					seat := fmt.Sprint(i) + letter
					if id, ok := book(ctx, s.url, flight, seat, fmt.Sprintf("c%d-%d-%d", round, n, i)); ok {
						mu.Lock()
						acknowledged[seat] = id
						mu.Unlock()
					}
				}
			})
		}
		time.Sleep(time.Duration(20+rand.IntN(60)) * time.Millisecond)
		kill()
		cancel()
		customers.Wait()
		row += 5 // some rows are fought over again
		s, kill = serveAlone(t, binary, dir)
	}
	if len(acknowledged) == 0 {
		t.Fatal("nothing was booked before the kills")
	}
	t.Logf("%d bookings were acknowledged", len(acknowledged))
	states, _ := want(t, 200, "GET", s.url+"/v1/flights/"+flight+"/seats", "")["seats"].(map[string]any)
	for seat, id := range acknowledged {
		r := want(t, 200, "GET", s.url+"/v1/reservations/"+id, "")
		if r["status"] != "CONFIRMED" || fmt.Sprint(r["seats"]) != "["+seat+"]" || states[seat] != "RESERVED" {
			t.Errorf("seat %s was acknowledged as %s and is %v, %v", seat, id, r, states[seat])
		}
	}
}

// book holds and confirms a seat; false when it was not acknowledged.
func book(ctx context.Context, url, flight, seat, customer string) (string, bool) {
	status, _, hold, err := call(ctx, "POST", url+"/v1/flights/"+flight+"/holds",
		fmt.Sprintf(`{"seats":[%q],"customer_id":%q}`, seat, customer), "Idempotency-Key", "h"+customer)
	if err != nil || status != 201 {
		return "", false
	}
	status, _, booked, err := call(ctx, "POST", url+fmt.Sprintf("/v1/holds/%s/confirm", hold["hold_id"]), "",
		"X-Hold-Token", fmt.Sprint(hold["token"]), "Idempotency-Key", "c"+customer)
	if err != nil || status != 200 {
		return "", false
	}
	return fmt.Sprint(booked["reservation_id"]), true
}

func build(t *testing.T) string {
	t.Helper()
	binary := filepath.Join(t.TempDir(), "banyan")
	if out, err := exec.CommandContext(t.Context(), "go", "build", "-o", binary, ".").CombinedOutput(); err != nil {
		t.Fatalf("go build: %v\n%s", err, out)
	}
	return binary
}

// serveAlone runs the binary; kill is SIGKILL and waits for the end.
func serveAlone(t *testing.T, binary, dir string) (s served, kill func()) {
	t.Helper()
	return startAlone(t, binary, "serve", "--sample-data", "--data-dir", dir)
}

// startAlone is serveAlone for any command that serves.
func startAlone(t *testing.T, binary string, args ...string) (s served, kill func()) {
	t.Helper()
	var stdout, stderr output
	cmd := exec.CommandContext(context.Background(), binary, append(args,
		"--listen", "127.0.0.1:0", "--admin-listen", "127.0.0.1:0", "--log-level", "warn")...)
	cmd.Env = []string{"HOME=" + os.Getenv("HOME")}
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	ended := make(chan struct{})
	go func() {
		_ = cmd.Wait()
		close(ended)
	}()
	kill = sync.OnceFunc(func() {
		_ = cmd.Process.Kill()
		<-ended
	})
	t.Cleanup(kill)
	s = greeted(t, &stdout, func() bool {
		select {
		case <-ended:
			t.Logf("standard error:\n%s", stderr.String())
			return true
		default:
			return false
		}
	})
	return s, kill
}
