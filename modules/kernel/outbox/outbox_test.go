package outbox_test

import (
	"errors"
	"fmt"
	"sync"
	"testing"

	"banyan/modules/kernel/dbtest"
	"banyan/modules/kernel/errs"
	"banyan/modules/kernel/outbox"
	"banyan/modules/kernel/sqldb"
)

func onEach(t *testing.T, test func(t *testing.T, db *sqldb.DB)) {
	for name, open := range map[string]func(testing.TB) *sqldb.DB{"sqlite": dbtest.SQLite, "mysql": dbtest.MySQL} {
		t.Run(name, func(t *testing.T) {
			db := open(t)
			for _, text := range []string{
				"CREATE TABLE outbox_counter (id SMALLINT NOT NULL PRIMARY KEY, seq BIGINT NOT NULL)",
				"INSERT INTO outbox_counter (id, seq) VALUES (1, 0)",
				"CREATE TABLE outbox (seq BIGINT NOT NULL PRIMARY KEY, stream VARCHAR(64) COLLATE binary NOT NULL, event_id VARCHAR(128) COLLATE binary NOT NULL," +
					" type VARCHAR(64) COLLATE binary NOT NULL, created_at BIGINT NOT NULL, data LONGTEXT NOT NULL, UNIQUE (stream, event_id))",
			} {
				if _, err := db.Writer().ExecContext(t.Context(), text); err != nil {
					t.Fatal(err)
				}
			}
			test(t, db)
		})
	}
}

func idOf(seq int64) string { return fmt.Sprintf("e%d", seq) }

func appendOne(t *testing.T, db *sqldb.DB, stream string, fail error) error {
	t.Helper()
	return db.Do(t.Context(), func(tx *sqldb.Tx) error {
		e := outbox.Event{Type: "a", Data: []byte(`{}`)}
		if err := outbox.Append(t.Context(), tx, stream, idOf, e, outbox.Event{Type: "b", Data: []byte(`{}`)}); err != nil {
			return err
		}
		return fail
	})
}

// TestOrderHasNoLateComers writes from many callers, some of whom fail, while a reader
// follows: every event it meets is behind the ones before, and none is left out.
func TestOrderHasNoLateComers(t *testing.T) {
	onEach(t, func(t *testing.T, db *sqldb.DB) {
		const callers, each = 8, 20
		errFail := errors.New("changed my mind")
		var wg sync.WaitGroup
		for range callers {
			wg.Go(func() {
				for n := range each {
					if err := appendOne(t, db, "s", nil); err != nil {
						t.Error(err)
					}
					if n%5 == 0 {
						if err := appendOne(t, db, "s", errFail); err == nil {
							t.Error("a transaction that failed was committed")
						}
					}
				}
			})
		}
		done := make(chan struct{})
		go func() { wg.Wait(); close(done) }()
		var seen, since int64
		for over := false; ; {
			list, err := outbox.Read(t.Context(), db, "s", "", since, 9)
			if err != nil {
				t.Fatal(err)
			}
			for _, e := range list {
				if e.Seq != since+1 || e.ID != idOf(e.Seq) {
					t.Fatalf("event %d, %s, after %d", e.Seq, e.ID, since)
				}
				since = e.Seq
				seen++
			}
			if over && len(list) == 0 {
				break
			}
			select {
			case <-done:
				over = true
			default:
			}
		}
		if want := int64(callers * each * 2); seen != want {
			t.Errorf("%d events seen of %d", seen, want)
		}
	})
}

func TestReadAndSeq(t *testing.T) {
	onEach(t, func(t *testing.T, db *sqldb.DB) {
		for range 5 {
			if err := errors.Join(appendOne(t, db, "s", nil), appendOne(t, db, "other", nil)); err != nil {
				t.Fatal(err)
			}
		}
		only, err := outbox.Read(t.Context(), db, "s", "b", 0, 100)
		if err != nil || len(only) != 5 {
			t.Fatalf("%d events of type b, %v; want 5", len(only), err)
		}
		seq, ok, err := outbox.Seq(t.Context(), db, "s", "e6")
		if err != nil || !ok || seq != 6 {
			t.Errorf("Seq(e6) = %d, %v, %v", seq, ok, err)
		}
		if _, ok, err := outbox.Seq(t.Context(), db, "other", "e6"); err != nil || ok {
			t.Errorf("another stream has e6: %v, %v", ok, err)
		}
		rest, err := outbox.Read(t.Context(), db, "other", "", 0, 100)
		if err != nil || len(rest) != 10 {
			t.Errorf("the other stream has %d events, %v; want 10", len(rest), err)
		}
	})
}

func TestForeignTwice(t *testing.T) {
	onEach(t, func(t *testing.T, db *sqldb.DB) {
		put := func(id, data string) error {
			return db.Do(t.Context(), func(tx *sqldb.Tx) error {
				return outbox.AppendForeign(t.Context(), tx, "f", outbox.Event{ID: id, Type: "f", Data: []byte(data)})
			})
		}
		for _, c := range []struct {
			id, data string
			code     errs.Code
		}{
			{"a", `{"x":1,"y":[2.0]}`, ""},
			{"a", `{"x":1,"y":[2.0]}`, ""},
			{"a", `{ "y":[2.0], "x":1 }`, ""},
			{"a", `{"x":1,"y":[2]}`, errs.Conflict},
			{"b", `1`, ""},
			{"a", `{}`, errs.Conflict},
		} {
			if err := put(c.id, c.data); errs.CodeOf(err) != c.code {
				t.Errorf("%s %s: %v; want %q", c.id, c.data, err, c.code)
			}
		}
		all, err := outbox.Read(t.Context(), db, "f", "", 0, 10)
		if err != nil || len(all) != 2 {
			t.Errorf("%d events, %v; want 2", len(all), err)
		}
	})
}

// TestPurge: a stream loses what is old, in order and in bounded steps, but for the event
// that a reader may have seen last.
func TestPurge(t *testing.T) {
	onEach(t, func(t *testing.T, db *sqldb.DB) {
		for range 3 {
			if err := errors.Join(appendOne(t, db, "s", nil), appendOne(t, db, "other", nil)); err != nil {
				t.Fatal(err)
			}
		}
		all, err := outbox.Read(t.Context(), db, "s", "", 0, 10) // of two and two and two at once
		if err != nil || len(all) != 6 {
			t.Fatalf("%d events, %v", len(all), err)
		}
		ages := []int64{10, 20, 30, 40, 50, 60}
		for i, e := range all {
			if _, err := db.Writer().ExecContext(t.Context(), "UPDATE outbox SET created_at=? WHERE seq=?", ages[i], e.Seq); err != nil {
				t.Fatal(err)
			}
		}
		for _, c := range []struct {
			what   string
			before int64
			limit  int
			gone   int
			first  int // of all that is left
		}{
			{"nothing is old", 10, 10, 0, 0},
			{"the next one is younger", 20, 10, 0, 0},
			{"one at a time", 45, 1, 1, 1},
			{"the rest of them", 45, 10, 2, 3},
			{"again", 45, 10, 0, 3},
			{"the last one stays", 100, 10, 2, 5},
			{"for ever", 1000, 10, 0, 5},
		} {
			gone, err := outbox.Purge(t.Context(), db, "s", c.before, c.limit)
			if err != nil || gone != c.gone {
				t.Errorf("%s: %d gone, %v; want %d", c.what, gone, err, c.gone)
			}
			left, err := outbox.Read(t.Context(), db, "s", "", 0, 10)
			if err != nil || len(left) != len(all)-c.first || left[0].ID != all[c.first].ID {
				t.Errorf("%s: %d events are left, %v", c.what, len(left), err)
			}
		}
		if rest, err := outbox.Read(t.Context(), db, "other", "", 0, 10); err != nil || len(rest) != 6 {
			t.Errorf("the other stream has %d events, %v", len(rest), err)
		}
		var names []string
		for next := ""; len(names) < 5; names = append(names, next) {
			if next, err = outbox.NextStream(t.Context(), db, next); err != nil || next == "" {
				break
			}
		}
		if fmt.Sprint(names) != "[other s]" || err != nil {
			t.Errorf("the streams are %v, %v", names, err)
		}
	})
}
