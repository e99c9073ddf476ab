package playbook

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"
	"time"

	"banyan/modules/kernel/errs"
)

// do runs one action and notes how it went.
func (s *Session) do(ctx context.Context, a Action, where string) error {
	_, _ = fmt.Fprintf(s.Out, "── %s · %s · %s since the start\n", where, a.Title, time.Since(s.begun).Round(time.Second))
	if err := s.note(ctx, a, Running, "", ""); err != nil {
		return err
	}
	begun := time.Now()
	watched, stop := s.beat(ctx)
	out, why, err := s.perform(watched, a)
	stop()
	switch {
	case err != nil:
		return err
	case watched.Err() != nil && !errors.Is(context.Cause(watched), errEnded):
		late, cancel := context.WithTimeout(context.WithoutCancel(ctx), killGrace)
		defer cancel()
		_ = s.note(late, a, Stopped, "it was stopped", out.text) // the run's own note says so, too
		return s.interrupted(watched, a)
	case why != "" && a.ByHand != "":
		if err := s.note(ctx, a, Stopped, why, ""); err != nil {
			return err
		}
		return errs.E(errs.PreconditionFailed, "%s waits for you: %s\n  when it is done: banyan playbook resume %s --yes", name(a), a.ByHand, s.run.ID)
	case why != "":
		if err := s.note(ctx, a, Failed, why, out.text); err != nil {
			return err
		}
		return s.failed(a, why)
	}
	maps.Copy(s.vars, out.exports)
	if err := s.note(ctx, a, Done, "", out.text); err != nil {
		return err
	}
	_, _ = fmt.Fprintf(s.Out, "── %s as expected, after %s\n", name(a), time.Since(begun).Round(10*time.Millisecond))
	return nil
}

// perform runs the action's commands, or asks whether a person has done it. why is what
// was wrong.
func (s *Session) perform(ctx context.Context, a Action) (out shown, why string, err error) {
	if a.ByHand == "" {
		out, err = shell(ctx, a, s.environ(), s.Out)
		return out, a.judge(out), err
	}
	_, _ = fmt.Fprintf(s.Out, "by hand: %s\n", a.ByHand)
	done, err := s.Confirm(ctx, a.ByHand)
	if err == nil && !done {
		why = "nobody has confirmed that it was done by hand"
	}
	return shown{}, why, err
}

// environ is what a block starts with: the operator's, and what blocks before it exported.
func (s *Session) environ() []string {
	own := map[string]string{"PLAYBOOK_RUN": s.run.ID}
	maps.Copy(own, s.vars)
	var list []string
	for _, line := range s.Environ {
		name, value, _ := strings.Cut(line, "=")
		if name == "PATH" && s.Path != "" {
			line = "PATH=" + s.Path + ":" + value
		}
		if _, ours := own[name]; !ours {
			list = append(list, line)
		}
	}
	for _, name := range slices.Sorted(maps.Keys(own)) {
		list = append(list, name+"="+own[name])
	}
	return list
}

// note writes about an action into the journal. Secrets stay here.
func (s *Session) note(ctx context.Context, a Action, state State, detail, output string) error {
	environ := s.environ()
	n := Note{
		Run: s.run.ID, Attempt: s.run.Attempt, Step: a.ID, Title: a.Title, State: state, Actor: s.Actor,
		Detail: mask(detail, environ), Output: tail(visible(mask(output, environ)), MaxOutput),
	}
	if state == Done {
		n.Variables = map[string]string{}
		for name, value := range s.vars {
			if !isSecret(name) {
				n.Variables[name] = value
			}
		}
	}
	return s.write(ctx, n)
}

// How often the journal is asked again; a note may come twice.
const (
	writeTries = 20
	writePause = 500 * time.Millisecond
)

func (s *Session) write(ctx context.Context, n Note) error {
	for try := 1; ; try++ {
		err := s.Journal.Write(ctx, n)
		code := errs.CodeOf(err)
		if code != errs.Unavailable && code != errs.GatewayTimeout || ctx.Err() != nil {
			return err
		}
		if try == writeTries {
			return errs.E(errs.Unavailable, "the journal does not answer; when it does, go on with banyan playbook resume %s", s.run.ID).Because(err)
		}
		select {
		case <-ctx.Done():
		case <-time.After(writePause):
		}
	}
}

// errEnded is the cause of a context whose action has ended.
var errEnded = errors.New("the action has ended")

// beat gives signs of life until stop is called. The context ends when somebody else
// has taken the run.
func (s *Session) beat(ctx context.Context) (watched context.Context, stop func()) {
	watched, cancel := context.WithCancelCause(ctx)
	var beating sync.WaitGroup
	beating.Go(func() {
		for {
			select {
			case <-watched.Done():
				return
			case <-time.After(beatEvery):
			}
			err := s.Journal.Write(watched, Note{Run: s.run.ID, Attempt: s.run.Attempt, State: Running})
			if errs.CodeOf(err) == errs.PreconditionFailed {
				cancel(err)
			}
		}
	})
	return watched, func() {
		cancel(errEnded)
		beating.Wait()
	}
}
