package admin

import (
	"net/http"
	"strconv"
	"time"

	"banyan/modules/kernel/errs"
	"banyan/modules/kernel/rest"
	"banyan/modules/kernel/web"
	"banyan/proxy/weights"
)

// AuditPage is a page of the audit log, newest first.
type AuditPage struct {
	Entries    []AuditEntry `json:"entries"`
	NextCursor string       `json:"next_cursor"` // "" on the last page
}

// AuditEntry is a line of the audit log.
type AuditEntry struct {
	weights.Entry
	Time time.Time `json:"time"`
}

// Pages of the audit log.
const (
	defaultPage = 50
	maxPage     = 200
)

func (a *api) audit(w http.ResponseWriter, r *http.Request) error {
	q, err := rest.ReadQuery(r, "route", "limit", "cursor")
	if err != nil {
		return err
	}
	limit, err := q.Int("limit", 1, maxPage, defaultPage)
	if err != nil {
		return err
	}
	var before int64
	if c := q["cursor"]; c != "" {
		if before, err = strconv.ParseInt(c, 10, 64); err != nil || before < 1 {
			return errs.E(errs.Invalid, "the parameter cursor must be a next_cursor of this log").With("field", "cursor")
		}
	}
	entries, err := a.router.Audit(r.Context(), q["route"], before, limit+1)
	if err != nil {
		return err
	}
	page := AuditPage{Entries: []AuditEntry{}}
	for i, e := range entries {
		if i == limit {
			page.NextCursor = strconv.FormatInt(entries[i-1].Seq, 10)
			break
		}
		page.Entries = append(page.Entries, AuditEntry{e, time.UnixMicro(e.ChangedAt).UTC()})
	}
	web.JSON(w, http.StatusOK, page)
	return nil
}
