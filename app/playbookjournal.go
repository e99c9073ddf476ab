package main

import (
	"context"
	"net/http"
	"net/url"
	"strconv"

	"banyan/modules/kernel/errs"
	"banyan/modules/kernel/rest"
	"banyan/proxy/admin"
	"banyan/proxy/playbook"
)

// remoteJournal is the journal of a running banyan, by its admin API.
type remoteJournal struct{ api *adminClient }

var _ playbook.Journal = remoteJournal{}

const runsPath = "/admin/v1/playbooks/runs"

func runPath(id string) (string, error) {
	segment, ok := rest.Segment(id)
	if !ok {
		return "", errs.E(errs.Invalid, "%q is no run; see banyan playbook list", id)
	}
	return runsPath + "/" + segment, nil
}

// Begin implements playbook.Journal.
func (j remoteJournal) Begin(ctx context.Context, b playbook.Beginning) (run playbook.Run, err error) {
	err = j.api.do(ctx, rest.Call{Method: http.MethodPost, Path: runsPath, In: b, Out: &run})
	return run, err
}

// Take implements playbook.Journal.
func (j remoteJournal) Take(ctx context.Context, t playbook.Taking) (run playbook.Run, err error) {
	path, err := runPath(t.Run)
	if err == nil {
		err = j.api.do(ctx, rest.Call{Method: http.MethodPost, Path: path + ":take", In: t, Out: &run})
	}
	return run, err
}

// Write implements playbook.Journal.
func (j remoteJournal) Write(ctx context.Context, n playbook.Note) error {
	path, err := runPath(n.Run)
	if err == nil {
		err = j.api.do(ctx, rest.Call{Method: http.MethodPatch, Path: path, In: n})
	}
	return err
}

// Run implements playbook.Journal.
func (j remoteJournal) Run(ctx context.Context, id string) (run playbook.Run, err error) {
	path, err := runPath(id)
	if err == nil {
		err = j.api.do(ctx, rest.Call{Method: http.MethodGet, Path: path, Out: &run})
	}
	return run, err
}

// Runs implements playbook.Journal.
func (j remoteJournal) Runs(ctx context.Context, name string, limit int) ([]playbook.Run, error) {
	var page admin.RunPage
	query := url.Values{"limit": {strconv.Itoa(limit)}}
	if name != "" {
		query.Set("name", name)
	}
	err := j.api.do(ctx, rest.Call{Method: http.MethodGet, Path: runsPath, Query: query, Out: &page})
	return page.Runs, err
}
