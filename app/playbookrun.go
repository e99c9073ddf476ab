package main

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"banyan/modules/kernel/errs"
	"banyan/proxy/playbook"
)

// runFlags are those of run and resume.
type runFlags struct {
	set []string
	yes bool
	playbook.Order
}

func (f *runFlags) add(fs *pflag.FlagSet) {
	fs.StringArrayVar(&f.set, "set", nil, "set a variable of the page, KEY=VALUE; may come again")
	fs.BoolVar(&f.yes, "yes", false, "take what has to be done by hand for done")
	fs.BoolVar(&f.Back, "way-back", false, "run the way back instead of the steps")
}

// variables reads --set.
func (f *runFlags) variables() (map[string]string, error) {
	set := map[string]string{}
	for _, pair := range f.set {
		key, value, ok := strings.Cut(pair, "=")
		if !ok || key == "" {
			return nil, errs.E(errs.Invalid, "--set %q is not KEY=VALUE", pair)
		}
		set[key] = value
	}
	return set, nil
}

func (c *cli) newPlaybookRun(connect connector) *cobra.Command {
	var f runFlags
	var dry bool
	cmd := &cobra.Command{Use: "run FILE|NAME", Short: "Run a playbook", Args: argument("FILE|NAME")}
	f.add(cmd.Flags())
	cmd.Flags().StringVar(&f.From, "from", "", "begin with this step, such as 3 or 3b")
	cmd.Flags().BoolVar(&dry, "dry-run", false, "only show what would be run")
	cmd.Flags().BoolVar(&f.Anew, "anew", false, "begin anew although a run of this playbook has not ended; that one is given up")
	cmd.Flags().StringVar(&f.Reason, "reason", "", "why; kept in the journal")
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		page, err := readPage(args[0])
		if err != nil {
			return err
		}
		if dry {
			return emit(cmd, planOf(page), tableOfPlan(page, true))
		}
		f.Page = page
		return c.perform(cmd, connect, &f)
	}
	return cmd
}

func (c *cli) newPlaybookResume(connect connector) *cobra.Command {
	var f runFlags
	var file string
	cmd := &cobra.Command{
		Use: "resume [RUN]", Short: "Go on with a run where it was stopped: with the step that was not acknowledged as ended", Args: optional("RUN"),
	}
	f.add(cmd.Flags())
	cmd.Flags().StringVar(&file, "file", "", "where the page is, if not where it was when the run began")
	cmd.Flags().BoolVar(&f.AcceptChanged, "accept-changed", false, "go on although the page was changed meanwhile")
	cmd.Flags().BoolVar(&f.TakeOver, "take-over", false, "take the run from whoever seems to be running it; that runner stops")
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		api, err := connect()
		if err != nil {
			return err
		}
		run, err := resumable(cmd.Context(), remoteJournal{api}, args)
		if err != nil {
			return err
		}
		if f.Page, err = pageOf(run, file); err != nil {
			return err
		}
		f.Resume = run.ID
		return c.perform(cmd, connect, &f)
	}
	return cmd
}

// resumable gives the run that is named, or the only one that has not ended.
func resumable(ctx context.Context, journal playbook.Journal, args []string) (playbook.Run, error) {
	if len(args) == 1 {
		return journal.Run(ctx, args[0])
	}
	const most = 200
	runs, err := journal.Runs(ctx, "", most)
	if err != nil {
		return playbook.Run{}, err
	}
	runs = slices.DeleteFunc(runs, func(r playbook.Run) bool { return !r.Open() })
	switch len(runs) {
	case 0:
		return playbook.Run{}, errs.E(errs.PreconditionFailed, "no run waits to be resumed; see banyan playbook list")
	case 1:
		return runs[0], nil
	}
	var names []string
	for _, r := range runs {
		names = append(names, r.ID)
	}
	return playbook.Run{}, errs.E(errs.Invalid, "several runs have not ended; name one of them: %s", strings.Join(names, ", "))
}

// pageOf finds the page of a run: the file that is named, the page that this program
// brings along if it is still the same, else the file that the run began with.
func pageOf(run playbook.Run, file string) (*playbook.Page, error) {
	if file != "" {
		return readPage(file)
	}
	ours, err := readPage(run.Name)
	if err == nil && ours.Digest == run.Digest {
		return ours, nil
	}
	if _, problem := os.Stat(run.File); problem != nil && err == nil {
		return ours, nil // the runner says that it was changed
	}
	page, err := readPage(filepath.Clean("./" + run.File))
	if filepath.IsAbs(run.File) {
		page, err = readPage(run.File)
	}
	if err != nil {
		return nil, errs.E(errs.Invalid, "the page of %s, %s, is not here; name it with --file", run.ID, run.File).Because(err)
	}
	return page, nil
}

// perform runs what is ordered and prints how it went.
func (c *cli) perform(cmd *cobra.Command, connect connector, f *runFlags) error {
	api, err := connect()
	if err != nil {
		return err
	}
	if f.Set, err = f.variables(); err != nil {
		return err
	}
	runner := &playbook.Runner{
		Journal: remoteJournal{api}, Environ: api.environ(c.Environ), Path: ownFolder(), Out: cmd.ErrOrStderr(), Actor: whoami(),
		Confirm: confirm(cmd.InOrStdin(), cmd.ErrOrStderr(), f.yes),
	}
	session, err := runner.Start(cmd.Context(), f.Order)
	if err != nil {
		return err
	}
	_, _ = fmt.Fprintf(cmd.ErrOrStderr(), "run %s; Ctrl-C stops it, banyan playbook resume goes on\n", session.ID())
	run, err := session.Go(cmd.Context())
	if problem := emit(cmd, run, tableOfRun(&run)); err == nil {
		err = problem
	}
	return err
}

// environ is what the commands of a page start with: the operator's own, with this
// command's admin API.
func (c *adminClient) environ(own []string) []string {
	list := slices.DeleteFunc(slices.Clone(own), func(line string) bool {
		return strings.HasPrefix(line, "BANYAN_ADMIN=") || strings.HasPrefix(line, "BANYAN_ADMIN_CA=") ||
			strings.HasPrefix(line, "BANYAN_ADMIN_SERVER_NAME=") || (c.token != "" && strings.HasPrefix(line, "BANYAN_ADMIN_TOKEN"))
	})
	list = append(list, adminEnviron(c.base, c.ca, c.serverName)...)
	if c.token != "" {
		list = append(list, "BANYAN_ADMIN_TOKEN="+c.token)
	}
	return list
}

// adminEnviron tells commands where the admin API is and how its certificate is judged.
func adminEnviron(base, ca, serverName string) []string {
	if path, err := filepath.Abs(ca); err == nil && ca != "" {
		ca = path // they may run in another folder
	}
	return []string{"BANYAN_ADMIN=" + base, "BANYAN_ADMIN_CA=" + ca, "BANYAN_ADMIN_SERVER_NAME=" + serverName}
}

// ownFolder is where this program is, so that pages call the same banyan.
func ownFolder() string {
	program, err := os.Executable()
	if err != nil {
		return ""
	}
	return filepath.Dir(program)
}

// confirm asks a person at a terminal.
func confirm(in io.Reader, out io.Writer, yes bool) func(context.Context, string) (bool, error) {
	lines := bufio.NewReader(in)
	return func(ctx context.Context, _ string) (bool, error) {
		if yes {
			return true, nil
		}
		_, _ = fmt.Fprint(out, "done? [y/N] ")
		answer := make(chan string, 1)
		go func() {
			line, _ := lines.ReadString('\n') // at the end of the input: no
			answer <- strings.ToLower(strings.TrimSpace(line))
		}()
		select {
		case a := <-answer:
			return a == "y" || a == "yes", nil
		case <-ctx.Done():
			return false, nil
		}
	}
}

// planned is a block of a page as check and --dry-run show it.
type planned struct {
	ID       string   `json:"id"`
	Part     string   `json:"part"`
	Title    string   `json:"title"`
	Line     int      `json:"line"`
	Commands string   `json:"commands,omitempty"`
	ByHand   string   `json:"by_hand,omitempty"`
	Expect   []string `json:"expect,omitempty"`
	AbortIf  []string `json:"abort_if,omitempty"`
	Within   string   `json:"within"`
}

func planOf(page *playbook.Page) []planned {
	list := []planned{}
	for _, a := range slices.Concat(page.Actions, page.Abort) {
		p := planned{ID: a.ID, Part: string(a.Part), Title: a.Title, Line: a.Line, Commands: a.Commands, ByHand: a.ByHand, Within: a.Within.String()}
		for _, e := range a.Expect {
			p.Expect = append(p.Expect, e.String())
		}
		for _, e := range a.Abort {
			p.AbortIf = append(p.AbortIf, e.String())
		}
		list = append(list, p)
	}
	return list
}

func tableOfPlan(page *playbook.Page, commands bool) [][]string {
	rows := [][]string{{"STEP", "LINE", "TITLE", "LOOKS FOR"}}
	for _, p := range planOf(page) {
		wanted := strings.Join(p.Expect, " · ")
		if len(p.AbortIf) > 0 {
			wanted = "ends the run: " + strings.Join(p.AbortIf, " · ")
		}
		rows = append(rows, []string{p.ID, fmt.Sprint(p.Line), p.Title, wanted})
		if commands {
			for line := range strings.Lines(p.Commands + p.ByHand) {
				rows = append(rows, []string{"", "", "    " + strings.TrimRight(line, "\n")})
			}
		}
	}
	if len(page.Variables) > 0 {
		rows = append(rows, []string{"\nvariables for --set: " + strings.Join(page.Variables, ", ")})
	}
	return rows
}
