package playbook

import (
	"context"
	"io"
	"maps"
	"regexp"
	"slices"
	"strings"
	"sync"

	"banyan/modules/kernel/errs"
)

// Host runs pages of its library on behalf of callers of the admin API. It is off unless
// Allow is set, for pages execute commands as the server's user; callers choose a page
// by its name and give values for its variables, never text that is executed.
type Host struct {
	HostOptions
	work chan *Session
}

// HostOptions are what a Host is made of.
type HostOptions struct {
	Library *Library
	Journal Journal
	Allow   bool
	// Environ is all that blocks start with. What it sets, callers cannot.
	Environ []string
	Path    string // as in Runner
	// Tidy is a loop that goes on beside the runs, nil for none.
	Tidy func(context.Context)
}

// maxHosted bounds the runs that wait to be started.
const maxHosted = 16

// NewHost makes a Host; nothing runs before Run is called.
func NewHost(o HostOptions) *Host {
	return &Host{HostOptions: o, work: make(chan *Session, maxHosted)}
}

// Run carries out what was started until ctx ends; then it stops the runs, which can be
// resumed.
func (h *Host) Run(ctx context.Context) {
	var running sync.WaitGroup
	defer running.Wait()
	if h.Tidy != nil {
		running.Go(func() { h.Tidy(ctx) })
	}
	for {
		select {
		case <-ctx.Done():
			return
		case s := <-h.work:
			running.Go(func() { _, _ = s.Go(ctx) }) // the journal tells how it went
		}
	}
}

// plainValue is what a caller may set: names, weights, numbers; no address, no path, no
// option of a command.
var plainValue = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9._%@-]{0,127}$`)

// commandSuffix ends the names of variables that pages execute.
const commandSuffix = "_COMMAND"

// Start begins a run of a page and gives it as it is then. errs: Forbidden when the
// server does not allow it, NotFound, Invalid, Unsafe for pages that need a person, and
// those of Runner.Start.
func (h *Host) Start(ctx context.Context, name string, o Order, actor string) (Run, error) {
	if !h.Allow {
		return Run{}, errs.E(errs.Forbidden, "this server runs no playbooks: they execute commands as its user; run it from your own machine with banyan playbook run %s, or start the server with --allow-playbook-runs", name)
	}
	page, err := h.Library.Page(name)
	if err != nil {
		return Run{}, err
	}
	if err := h.permit(page, o); err != nil {
		return Run{}, err
	}
	if len(h.work) >= maxHosted/2 {
		return Run{}, errs.E(errs.Unavailable, "too many playbooks wait to be run; try again later")
	}
	o.Page, o.Resume = page, ""
	runner := &Runner{Journal: h.Journal, Environ: h.Environ, Path: h.Path, Out: io.Discard, Actor: actor, Confirm: nobody}
	s, err := runner.Start(ctx, o)
	if err != nil {
		return Run{}, err
	}
	select {
	case h.work <- s:
	default:
		s.close(ctx, errs.E(errs.Unavailable, "too many"))
		return Run{}, errs.E(errs.Unavailable, "too many playbooks wait to be run; run %s can be resumed later", s.ID())
	}
	return s.run, nil
}

// nobody is there to do anything by hand.
func nobody(context.Context, string) (bool, error) { return false, nil }

func (h *Host) permit(page *Page, o Order) error {
	if strings.TrimSpace(o.Reason) == "" {
		return errs.E(errs.Invalid, "say why; the reason is kept in the journal").With("field", "reason")
	}
	if slices.ContainsFunc(page.Actions, func(a Action) bool { return a.ByHand != "" }) {
		return errs.E(errs.Unsafe, "%s has something to be done by hand; run it from where you are with banyan playbook run", page.Name)
	}
	for _, name := range slices.Sorted(maps.Keys(o.Set)) {
		switch {
		case strings.HasSuffix(name, commandSuffix), h.sets(name):
			return errs.E(errs.Forbidden, "%s is the server's to set", name).With("field", "set")
		case !plainValue.MatchString(o.Set[name]):
			return errs.E(errs.Invalid, "the value of %s may have letters, digits and . _ %% @ -, and begins with a letter or digit", name).With("field", "set")
		}
	}
	return nil
}

// sets tells whether a variable is given by the server.
func (h *Host) sets(name string) bool {
	return slices.ContainsFunc(h.Environ, func(line string) bool { return strings.HasPrefix(line, name+"=") })
}
