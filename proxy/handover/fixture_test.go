package handover_test

import (
	"context"
	"fmt"
	"slices"
	"testing"
	"time"

	migrations "banyan/migrations/proxy"
	"banyan/modules/kernel/bucket"
	"banyan/modules/kernel/dbtest"
	kernel "banyan/modules/kernel/handover"
	"banyan/modules/kernel/handover/handovertest"
	"banyan/modules/kernel/sqldb"
	"banyan/proxy/handover"
	"banyan/proxy/handover/handovertestkit"
)

const (
	home = handovertestkit.Home
	away = handovertestkit.Away
)

// each runs a test on both families of databases.
func each(t *testing.T, test func(*testing.T, *sqldb.DB)) {
	for name, open := range map[string]func(testing.TB) *sqldb.DB{"sqlite": dbtest.SQLite, "mysql": dbtest.MySQL} {
		t.Run(name, func(t *testing.T) { test(t, migrated(t, open(t))) })
	}
}

func migrated(t testing.TB, db *sqldb.DB) *sqldb.DB {
	t.Helper()
	m, err := sqldb.NewMigrator(db, migrations.FS)
	if err == nil {
		_, err = m.Up(t.Context())
	}
	if err != nil {
		t.Fatal(err)
	}
	return db
}

// newJournal makes a journal of which the home owns everything.
func newJournal(t testing.TB, db *sqldb.DB) *handover.Journal {
	t.Helper()
	j := handover.NewJournal(db, "reservations")
	if err := j.Init(t.Context(), home); err != nil {
		t.Fatal(err)
	}
	return j
}

// sides are two stores in memory, the home owning everything in epoch 1.
type sides struct{ home, away *handovertest.Memory }

func newSides() sides {
	s := sides{handovertest.NewMemory(), handovertest.NewMemory()}
	all := make([]int, bucket.Count)
	for b := range all {
		all[b] = b
	}
	s.home.Own(1, all...)
	return s
}

func record(b, n int) []byte { return fmt.Appendf(nil, `{"bucket":%d,"n":%d}`, b, n) }

// kitStore lets the kit use a store in memory.
func kitStore(m *handovertest.Memory) handovertestkit.Store {
	return handovertestkit.Store{
		Participant: m,
		Write:       func(_ context.Context, b, n int) error { return m.Write(b, record(b, n)) },
		Has: func(_ context.Context, b, n int) (bool, error) {
			list, err := m.Read(b)
			return slices.ContainsFunc(list, func(r []byte) bool { return string(r) == string(record(b, n)) }), err
		},
	}
}

// options are those of a coordinator on a journal and two stores.
func options(j *handover.Journal, h, a kernel.Participant) handover.Options {
	return handover.Options{
		Journal: j, Home: handover.Side{Name: home, Participant: h}, Away: handover.Side{Name: away, Participant: a},
		PauseBudget: time.Minute, Poll: 5 * time.Millisecond, Heartbeat: 20 * time.Millisecond, AuditEvery: 50 * time.Millisecond,
	}
}

func start(t testing.TB, o handover.Options) *handover.Coordinator {
	t.Helper()
	c, err := handover.New(o)
	if err == nil {
		err = c.Start(t.Context())
	}
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// until polls for a condition, with a bound that no working test meets.
func until(t testing.TB, what string, condition func() bool) {
	t.Helper()
	for range 6000 {
		if condition() {
			return
		}
		time.Sleep(5 * time.Millisecond)
	}
	t.Fatalf("%s: not within half a minute", what)
}
