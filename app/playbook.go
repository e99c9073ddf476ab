package main

import (
	"fmt"
	"io"
	"os"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"banyan/docs/playbooks"
	"banyan/modules/kernel/errs"
	"banyan/modules/kernel/service"
	"banyan/proxy/admin"
	"banyan/proxy/playbook"
)

// shownRuns is how many runs a list shows.
const shownRuns = 20

// newPlaybookCommand makes banyan playbook: it runs pages of docs/playbooks, or files.
func (c *cli) newPlaybookCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use: "playbook", Short: "Run the documented procedures step by step, stop anywhere, resume",
		Long: "A playbook is a page for a person whose blocks of commands are run here, with your account and\n" +
			"environment, one after the other, for as long as each shows what the page says. The journal of a\n" +
			"run is kept by the running banyan: what was stopped, also by kill -9, is resumed from any machine.\n\n" +
			"A page is named by its file, or by its name if this program brings it along.",
		Args: argument(),
		RunE: func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	connect := adminFlags(cmd.PersistentFlags())
	cmd.AddCommand(newPlaybookList(connect), newPlaybookCheck(), c.newPlaybookRun(connect), c.newPlaybookResume(connect), newPlaybookStatus(connect))
	return cmd
}

// readPage reads a page by its file or by its name.
func readPage(named string) (*playbook.Page, error) {
	if !strings.ContainsAny(named, `/\`) && !strings.HasSuffix(named, ".md") {
		library, err := playbook.NewLibrary(playbooks.FS)
		if err != nil {
			return nil, err
		}
		return library.Page(named)
	}
	f, err := os.Open(named)
	if err != nil {
		return nil, errs.E(errs.Invalid, "the playbook %s cannot be read", named).Because(err)
	}
	defer func() { _ = f.Close() }()
	text, err := io.ReadAll(io.LimitReader(f, playbook.MaxPage+1))
	if err != nil {
		return nil, errs.E(errs.Invalid, "the playbook %s cannot be read", named).Because(err)
	}
	return playbook.Parse(named, text)
}

// playbookList is what banyan playbook list prints.
type playbookList struct {
	Playbooks []admin.Playbook `json:"playbooks"`
	Runs      []playbook.Run   `json:"runs"`
}

func newPlaybookList(connect connector) *cobra.Command {
	return &cobra.Command{
		Use: "list", Short: "List the playbooks that this program brings along, and the latest runs", Args: argument(),
		RunE: func(cmd *cobra.Command, _ []string) error {
			library, err := playbook.NewLibrary(playbooks.FS)
			if err != nil {
				return err
			}
			api, err := connect()
			if err != nil {
				return err
			}
			list := playbookList{Playbooks: admin.Known(library), Runs: []playbook.Run{}}
			if runs, err := (remoteJournal{api}).Runs(cmd.Context(), "", shownRuns); err == nil {
				list.Runs = runs
			} else {
				_, _ = fmt.Fprintf(cmd.ErrOrStderr(), "the runs are not known: %s\n", service.Explain(err))
			}
			return emit(cmd, list, tableOfPlaybooks(list))
		},
	}
}

func tableOfPlaybooks(list playbookList) [][]string {
	rows := [][]string{{"PLAYBOOK", "BLOCKS", "WAY BACK", "TITLE"}}
	for _, p := range list.Playbooks {
		rows = append(rows, []string{p.Name, strconv.Itoa(p.Blocks), yesNo(p.WayBack), p.Title})
	}
	if len(list.Runs) > 0 {
		rows = append(rows, []string{""}, []string{"RUN", "STATE", "SEEN", "WHO"})
	}
	for i := range list.Runs {
		r := &list.Runs[i]
		rows = append(rows, []string{r.ID, stateOf(r), r.SeenAt.Format(time.RFC3339), r.Actor})
	}
	return rows
}

// stateOf tells a run's state, and whether its runner is silent.
func stateOf(r *playbook.Run) string {
	const silent = 10 // seconds
	state := string(r.State)
	if r.Back {
		state += ", on the way back"
	}
	if r.State == playbook.Running && r.Quiet > silent {
		state += fmt.Sprintf(", but silent for %s", time.Duration(r.Quiet*float64(time.Second)).Round(time.Second))
	}
	return state
}

func newPlaybookCheck() *cobra.Command {
	return &cobra.Command{
		Use: "check FILE|NAME", Short: "Read a playbook and say what is wrong with it, with file and line", Args: argument("FILE"),
		RunE: func(cmd *cobra.Command, args []string) error {
			page, err := readPage(args[0])
			if err != nil {
				return err
			}
			return emit(cmd, planOf(page), tableOfPlan(page, false))
		},
	}
}

func newPlaybookStatus(connect connector) *cobra.Command {
	return &cobra.Command{
		Use: "status [RUN]", Short: "Show how far a run is, the latest one unless it is named", Args: optional("RUN"),
		RunE: func(cmd *cobra.Command, args []string) error {
			api, err := connect()
			if err != nil {
				return err
			}
			journal := remoteJournal{api}
			var id string
			if len(args) == 1 {
				id = args[0]
			} else {
				runs, err := journal.Runs(cmd.Context(), "", 1)
				if err != nil {
					return err
				}
				if len(runs) == 0 {
					return errs.E(errs.NotFound, "no playbook was run yet; see banyan playbook list")
				}
				id = runs[0].ID
			}
			run, err := journal.Run(cmd.Context(), id)
			if err != nil {
				return err
			}
			return emit(cmd, run, tableOfRun(&run))
		},
	}
}

// optional wants at most the one argument named.
func optional(name string) cobra.PositionalArgs {
	return func(cmd *cobra.Command, args []string) error {
		if len(args) <= 1 {
			return nil
		}
		return argument(name)(cmd, args)
	}
}

func tableOfRun(r *playbook.Run) [][]string {
	rows := [][]string{
		{"run", r.ID + ": " + stateOf(r)},
		{"playbook", r.Title + " (" + r.File + ")"},
		{"by", fmt.Sprintf("%s since %s, attempt %d", r.Actor, r.StartedAt.Format(time.RFC3339), r.Attempt)},
		{"", ""},
	}
	for _, s := range r.Steps {
		took := ""
		if !s.EndedAt.IsZero() {
			took = s.EndedAt.Sub(s.StartedAt).Round(10 * time.Millisecond).String()
		}
		rows = append(rows, []string{s.Step, string(s.State) + " " + took, s.Title})
		if s.Detail != "" {
			rows = append(rows, []string{"", "", oneLine(s.Detail)})
		}
		if s.State == playbook.Failed {
			for line := range strings.SplitSeq(s.Output, "\n") {
				rows = append(rows, []string{"", "", "| " + line})
			}
		}
	}
	if r.Open() {
		rows = append(rows, []string{""}, []string{"go on with banyan playbook resume " + r.ID})
	}
	return rows
}
