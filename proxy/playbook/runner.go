package playbook

import (
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
	"time"

	"banyan/modules/kernel/errs"
)

// Runner types what a page says, one block after the other.
type Runner struct {
	Journal Journal
	Environ []string  // that blocks start with, in the form of os.Environ
	Path    string    // a folder that is looked into first for programs, "" for none
	Out     io.Writer // what blocks show, and how far the run is
	Actor   string
	// Confirm asks a person whether something was done by hand.
	Confirm func(ctx context.Context, text string) (bool, error)
}

// Order is what is wanted of a run.
type Order struct {
	Page   *Page
	Set    map[string]string // variables of the page
	From   string            // the first step that is run, "" for all
	Back   bool              // run the way back instead of the steps
	Reason string
	Anew   bool // give up an older run of the page that has not ended

	Resume        string // a run to go on with, "" for a new one
	AcceptChanged bool   // although the page is not the one it began with
	TakeOver      bool   // although another runner seems to be at work
}

// Session is a run in the hands of its one runner.
type Session struct {
	*Runner
	order   Order
	page    *Page
	run     Run
	vars    map[string]string
	begun   time.Time
	resumed bool
}

// Start begins or resumes a run; Go then carries it out. errs: Invalid for an order that
// the page cannot fulfil; PreconditionFailed when the run is another's, or the page has
// another one that has not ended; Unsafe for a page that was changed meanwhile; NotFound;
// those of the Journal.
func (r *Runner) Start(ctx context.Context, o Order) (*Session, error) {
	if err := o.check(); err != nil {
		return nil, err
	}
	s := &Session{Runner: r, order: o, page: o.Page, begun: time.Now(), resumed: o.Resume != ""}
	if err := s.start(ctx, o); err != nil {
		return nil, err
	}
	s.vars = maps.Clone(s.run.Variables)
	if s.vars == nil {
		s.vars = map[string]string{}
	}
	maps.Copy(s.vars, o.Set)
	return s, nil
}

// ID names the run.
func (s *Session) ID() string { return s.run.ID }

// Go runs what is left to do, until the end or the first surprise, and gives the run as
// far as it got. errs: PreconditionFailed when what the page needs is not so, or somebody
// else has taken the run; VerdictFailed when a step did not show what it must;
// Unavailable when ctx ended or the journal does not answer.
func (s *Session) Go(ctx context.Context) (Run, error) {
	err := s.all(ctx, s.order)
	s.close(ctx, err)
	late, cancel := context.WithTimeout(context.WithoutCancel(ctx), killGrace)
	defer cancel()
	if latest, problem := s.Journal.Run(late, s.run.ID); problem == nil {
		s.run = latest
	}
	return s.run, err
}

func (o Order) check() error {
	for _, name := range slices.Sorted(maps.Keys(o.Set)) {
		if !slices.Contains(o.Page.Variables, name) {
			return errs.E(errs.Invalid, "%s has no variable %s; it has: %s", o.Page.File, name, strings.Join(o.Page.Variables, ", "))
		}
		if len(o.Set[name]) > maxValue || strings.Contains(o.Set[name], "\x00") {
			return errs.E(errs.Invalid, "the value of %s may have %d bytes of text", name, maxValue)
		}
	}
	switch {
	case o.From != "" && !o.Page.Has(o.From):
		return errs.E(errs.Invalid, "%s has no step %s; see banyan playbook run %s --dry-run", o.Page.File, o.From, o.Page.File)
	case o.Back && len(o.Page.Of(Back)) == 0:
		return errs.E(errs.Invalid, "%s has no way back", o.Page.File)
	case o.Back && o.From != "":
		return errs.E(errs.Invalid, "--from and --way-back exclude each other")
	}
	return nil
}

// start makes this runner the only one of a new or an older run.
func (s *Session) start(ctx context.Context, o Order) (err error) {
	if o.Resume != "" {
		return s.take(ctx, o)
	}
	total := len(s.plan(o.Back))
	s.run, err = s.Journal.Begin(ctx, Beginning{
		Name: s.page.Name, File: s.page.File, Title: s.page.Title, Digest: s.page.Digest, Total: total, Back: o.Back,
		Reason: o.Reason, Anew: o.Anew, Actor: s.Actor,
	})
	return err
}

// plan is what is run, need first.
func (s *Session) plan(back bool) []Action {
	if back {
		return slices.Concat(s.page.Of(Need), s.page.Of(Back))
	}
	return slices.Concat(s.page.Of(Need), s.page.Of(Steps))
}

// A runner gives a sign of life this often; one that is silent for longer is looked at
// for quietFor before its run is taken from it.
const (
	beatEvery = time.Second
	quietFor  = 4 * time.Second
)

func (s *Session) take(ctx context.Context, o Order) (err error) {
	if s.run, err = s.Journal.Run(ctx, o.Resume); err != nil {
		return err
	}
	switch {
	case s.run.Name != s.page.Name:
		return errs.E(errs.Invalid, "%s is a run of %s, not of %s", s.run.ID, s.run.Name, s.page.Name)
	case s.run.Digest != s.page.Digest && !o.AcceptChanged:
		return errs.E(errs.Unsafe, "%s is not the page that %s began with: look at what was changed, then resume with --accept-changed, or begin again with banyan playbook run --anew", s.page.File, s.run.ID)
	}
	if err := s.silent(ctx, o); err != nil {
		return err
	}
	back := o.Back || s.run.Back
	s.run, err = s.Journal.Take(ctx, Taking{
		Run: s.run.ID, Attempt: s.run.Attempt, Digest: s.page.Digest, Total: len(s.plan(back)), Back: back, Actor: s.Actor,
	})
	return err
}

// silent makes sure that the runner before is gone, as far as one can see.
func (s *Session) silent(ctx context.Context, o Order) error {
	for s.run.State == Running && !o.TakeOver && s.run.Quiet < quietFor.Seconds() {
		seen := s.run.SeenAt
		select {
		case <-ctx.Done():
			return errs.E(errs.Unavailable, "no longer waiting").Because(ctx.Err())
		case <-time.After(beatEvery / 2):
		}
		var err error
		if s.run, err = s.Journal.Run(ctx, s.run.ID); err != nil {
			return err
		}
		if !s.run.SeenAt.Equal(seen) {
			return errs.E(errs.PreconditionFailed, "%s is running %s just now; stop it there with Ctrl-C, or take the run from it with --take-over", s.run.Actor, s.run.ID)
		}
	}
	return nil
}

// all runs what has not been acknowledged as done.
func (s *Session) all(ctx context.Context, o Order) error {
	if s.resumed && !s.run.Back && s.run.Has(s.page.Of(Steps)[0].ID) {
		if err := s.rules(ctx); err != nil {
			return err
		}
	}
	plan := s.plan(s.run.Back)
	skipping := o.From != ""
	for i, a := range plan {
		skipping = skipping && a.ID != o.From
		switch {
		case s.run.Has(a.ID):
			continue
		case skipping && a.Part == Steps:
			if err := s.note(ctx, a, Done, "skipped by --from "+o.From, ""); err != nil {
				return err
			}
			continue
		}
		if err := s.do(ctx, a, fmt.Sprintf("%s (%d/%d)", name(a), i+1, len(plan))); err != nil {
			return err
		}
		if a.Part != Steps {
			continue
		}
		if err := s.rules(ctx); err != nil {
			return err
		}
	}
	return nil
}

// name is what people call an action.
func name(a Action) string {
	if a.Part == Steps {
		return "step " + a.ID
	}
	return a.ID
}

// rules looks whether the run must end.
func (s *Session) rules(ctx context.Context) error {
	for _, rule := range s.page.Abort {
		out, err := shell(ctx, rule, s.environ(), io.Discard)
		if err != nil {
			return err
		}
		if ctx.Err() != nil {
			return s.interrupted(ctx, rule)
		}
		if why := rule.judge(out); why != "" {
			if err := s.note(ctx, rule, Failed, why, out.text); err != nil {
				return err
			}
			_, _ = fmt.Fprintf(s.Out, "%s\n", tail(out.text, MaxOutput))
			return s.failed(rule, why)
		}
	}
	return nil
}

// close notes how the run ended, whatever has become of ctx.
func (s *Session) close(ctx context.Context, err error) {
	state := Done
	if err != nil {
		state = Stopped
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), killGrace)
	defer cancel()
	_ = s.write(ctx, Note{Run: s.run.ID, Attempt: s.run.Attempt, State: state}) // else it is seen as one whose runner is gone
}

// interrupted is the error of a run that ctx has ended.
func (s *Session) interrupted(ctx context.Context, a Action) error {
	if cause := context.Cause(ctx); errs.CodeOf(cause) == errs.PreconditionFailed {
		return cause
	}
	return errs.E(errs.Unavailable, "stopped in %s; go on with banyan playbook resume %s", name(a), s.run.ID).Because(errors.New("it was asked to stop"))
}

// failed is the error of an action that did not show what it must, with what to do next.
func (s *Session) failed(a Action, why string) error {
	code, what := errs.VerdictFailed, name(a)
	switch {
	case a.Part == Need && a.Abort == nil:
		code = errs.PreconditionFailed
	case a.Abort != nil:
		what = "the abort rule"
	}
	text := fmt.Sprintf("%s, %q at %s:%d: %s\n  when that is mended: banyan playbook resume %s", what, a.Title, s.page.File, a.Line, why, s.run.ID)
	if !s.run.Back && len(s.page.Of(Back)) > 0 && a.Part != Need {
		text += fmt.Sprintf("\n  the way back:        banyan playbook resume %s --way-back", s.run.ID)
	}
	return errs.E(code, "%s", text)
}
