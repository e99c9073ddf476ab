package admin

import (
	"net/http"

	"github.com/gorilla/mux"

	"banyan/modules/kernel/errs"
	"banyan/modules/kernel/rest"
	"banyan/modules/kernel/web"
	"banyan/proxy/playbook"
)

// Playbook is a page that the server knows.
type Playbook struct {
	Name      string   `json:"name"`
	Title     string   `json:"title"`
	Digest    string   `json:"digest"`
	Blocks    int      `json:"blocks"` // of commands, up to the way back
	WayBack   bool     `json:"way_back"`
	Variables []string `json:"variables"`
}

// PlaybookList is the answer of GET /admin/v1/playbooks.
type PlaybookList struct {
	Playbooks   []Playbook `json:"playbooks"`
	RunsAllowed bool       `json:"runs_allowed"` // by POST /admin/v1/playbooks/{name}:run
}

// RunPage is the answer of GET /admin/v1/playbooks/runs, newest first, without the
// blocks of each run.
type RunPage struct {
	Runs []playbook.Run `json:"runs"`
}

// RunOrder is the body of POST /admin/v1/playbooks/{name}:run.
type RunOrder struct {
	Reason  string            `json:"reason"`
	Set     map[string]string `json:"set,omitempty"` // variables of the page
	From    string            `json:"from,omitempty"`
	WayBack bool              `json:"way_back,omitempty"`
	Anew    bool              `json:"anew,omitempty"` // give up a run of the page that has not ended
}

// pages is the part of the API that is about playbooks.
type pages struct{ host *playbook.Host }

// mountPlaybooks adds the journal of playbooks, and running them where it is allowed.
func mountPlaybooks(r *mux.Router, host *playbook.Host) {
	if host == nil {
		return
	}
	p := pages{host}
	const runs = "/admin/v1/playbooks/runs"
	r.Handle("/admin/v1/playbooks", rest.Handler(p.list)).Methods(http.MethodGet)
	r.Handle(runs, rest.Handler(p.runs)).Methods(http.MethodGet)
	r.Handle(runs, rest.Handler(p.begin)).Methods(http.MethodPost)
	r.Handle(runs+"/{run:[^/:]+}", rest.Handler(p.run)).Methods(http.MethodGet)
	r.Handle(runs+"/{run:[^/:]+}", rest.Handler(p.note)).Methods(http.MethodPatch)
	r.Handle(runs+"/{run:[^/:]+}:take", rest.Handler(p.take)).Methods(http.MethodPost)
	r.Handle("/admin/v1/playbooks/{name:[^/:]+}:run", rest.Handler(p.start)).Methods(http.MethodPost)
}

// Known describes the pages of a library.
func Known(l *playbook.Library) []Playbook {
	list := []Playbook{}
	for _, page := range l.Pages() {
		list = append(list, Playbook{
			Name: page.Name, Title: page.Title, Digest: page.Digest, Variables: append([]string{}, page.Variables...),
			Blocks:  len(page.Of(playbook.Need)) + len(page.Of(playbook.Steps)),
			WayBack: len(page.Of(playbook.Back)) > 0,
		})
	}
	return list
}

func (p pages) list(w http.ResponseWriter, r *http.Request) error {
	if err := rest.NoQuery(r); err != nil {
		return err
	}
	web.JSON(w, http.StatusOK, PlaybookList{Known(p.host.Library), p.host.Allow})
	return nil
}

func (p pages) runs(w http.ResponseWriter, r *http.Request) error {
	q, err := rest.ReadQuery(r, "name", "limit")
	if err != nil {
		return err
	}
	limit, err := q.Int("limit", 1, maxPage, defaultPage)
	if err != nil {
		return err
	}
	list, err := p.host.Journal.Runs(r.Context(), q["name"], limit)
	if err != nil {
		return err
	}
	web.JSON(w, http.StatusOK, RunPage{list})
	return nil
}

func (p pages) run(w http.ResponseWriter, r *http.Request) error {
	if err := rest.NoQuery(r); err != nil {
		return err
	}
	run, err := p.host.Journal.Run(r.Context(), mux.Vars(r)["run"])
	if err != nil {
		return err
	}
	web.JSON(w, http.StatusOK, run)
	return nil
}

// told reads the body of a change, and who makes it.
func told(w http.ResponseWriter, r *http.Request, body any) (string, error) {
	if err := rest.NoQuery(r); err != nil {
		return "", err
	}
	if err := web.Decode(w, r, 0, body); err != nil {
		return "", err
	}
	return actor(r)
}

func (p pages) begin(w http.ResponseWriter, r *http.Request) error {
	var body playbook.Beginning
	who, err := told(w, r, &body)
	if err != nil {
		return err
	}
	body.Actor = who
	run, err := p.host.Journal.Begin(r.Context(), body)
	if err != nil {
		return err
	}
	web.JSON(w, http.StatusCreated, run)
	return nil
}

func (p pages) take(w http.ResponseWriter, r *http.Request) error {
	var body playbook.Taking
	who, err := told(w, r, &body)
	if err != nil {
		return err
	}
	body.Run, body.Actor = mux.Vars(r)["run"], who
	run, err := p.host.Journal.Take(r.Context(), body)
	if err != nil {
		return err
	}
	web.JSON(w, http.StatusOK, run)
	return nil
}

func (p pages) note(w http.ResponseWriter, r *http.Request) error {
	var body playbook.Note
	who, err := told(w, r, &body)
	if err != nil {
		return err
	}
	body.Run, body.Actor = mux.Vars(r)["run"], who
	if err := p.host.Journal.Write(r.Context(), body); err != nil {
		return err
	}
	w.WriteHeader(http.StatusNoContent)
	return nil
}

// start runs a page of the server's own on the server, if that is allowed there.
func (p pages) start(w http.ResponseWriter, r *http.Request) error {
	var body RunOrder
	who, err := told(w, r, &body)
	if err != nil {
		return err
	}
	if len(body.Reason) > maxReason {
		return errs.E(errs.Invalid, "the reason has at most %d bytes", maxReason).With("field", "reason")
	}
	run, err := p.host.Start(r.Context(), mux.Vars(r)["name"], playbook.Order{
		Reason: body.Reason, Set: body.Set, From: body.From, Back: body.WayBack, Anew: body.Anew,
	}, who)
	if err != nil {
		return err
	}
	web.JSON(w, http.StatusAccepted, run)
	return nil
}

// maxReason bounds a reason, in bytes.
const maxReason = 512
