package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"time"
)

// subject is what is measured: one process or more.
type subject struct {
	name  string
	port  int
	procs []*exec.Cmd
	cpu   []float64 // microseconds per request, by round
	rate  []float64 // requests per second
	wrong []string  // errors that wrk saw
}

// round loads a subject and keeps what it cost.
func (s *subject) round(ctx context.Context, connections int, duration time.Duration) error {
	before, err := s.ticks()
	if err != nil {
		return err
	}
	url := fmt.Sprintf("http://127.0.0.1:%d/v1/orders/4711", s.port)
	cmd := exec.CommandContext(ctx, "wrk", "-t", "1", "-c", strconv.Itoa(connections), "-d", duration.String(), "-H", "X-Customer-Id: 7", url)
	out, err := cmd.CombinedOutput()
	if err != nil {
		return fmt.Errorf("wrk before %s: %w\n%s", s.name, err, out)
	}
	after, err := s.ticks()
	if err != nil {
		return err
	}
	m := regexp.MustCompile(`(\d+) requests in`).FindSubmatch(out)
	if m == nil {
		return fmt.Errorf("wrk said nothing of requests:\n%s", out)
	}
	n, _ := strconv.ParseFloat(string(m[1]), 64)
	if n == 0 {
		return errors.New(s.name + " answered nothing")
	}
	for _, line := range strings.Split(string(out), "\n") {
		if strings.Contains(line, "Socket errors") || strings.Contains(line, "Non-2xx") {
			s.wrong = append(s.wrong, strings.TrimSpace(line))
		}
	}
	const tick = 1e6 / 100 // microseconds; Linux counts hundredths of a second
	s.cpu = append(s.cpu, float64(after-before)*tick/n)
	s.rate = append(s.rate, n/duration.Seconds())
	return nil
}

// ticks is the CPU time of the subject's processes and of what they started.
func (s *subject) ticks() (int64, error) {
	sum := int64(0)
	for _, p := range s.procs {
		pids := append(children(p.Process.Pid), p.Process.Pid)
		for _, pid := range pids {
			n, err := ticksOf(pid)
			if err != nil {
				return 0, err
			}
			sum += n
		}
	}
	return sum, nil
}

// ticksOf reads utime and stime.
func ticksOf(pid int) (int64, error) {
	stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return 0, err
	}
	_, rest, _ := strings.Cut(string(stat), ") ")
	fields := strings.Fields(rest)
	if len(fields) < 13 {
		return 0, fmt.Errorf("/proc/%d/stat is not as expected", pid)
	}
	user, err1 := strconv.ParseInt(fields[11], 10, 64)
	system, err2 := strconv.ParseInt(fields[12], 10, 64)
	return user + system, errors.Join(err1, err2)
}

func children(of int) []int {
	var found []int
	lists, _ := filepath.Glob(fmt.Sprintf("/proc/%d/task/*/children", of))
	for _, list := range lists {
		text, _ := os.ReadFile(list)
		for _, f := range strings.Fields(string(text)) {
			if pid, err := strconv.Atoi(f); err == nil {
				found = append(append(found, pid), children(pid)...)
			}
		}
	}
	return found
}

// resident is the memory of the subject's processes, in bytes.
func (s *subject) resident() int64 {
	sum := int64(0)
	for _, p := range s.procs {
		for _, pid := range append(children(p.Process.Pid), p.Process.Pid) {
			text, _ := os.ReadFile(fmt.Sprintf("/proc/%d/statm", pid))
			if f := strings.Fields(string(text)); len(f) > 1 {
				pages, _ := strconv.ParseInt(f[1], 10, 64)
				sum += pages * int64(os.Getpagesize())
			}
		}
	}
	return sum
}
