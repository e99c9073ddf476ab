package main

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/go-sql-driver/mysql"

	"banyan/modules/kernel/dbtest"
)

// accounts makes users of the tests' MySQL server, by the account that the tests have.
type accounts struct {
	t    *testing.T
	root *sql.DB
	cfg  *mysql.Config
}

func newAccounts(t *testing.T) *accounts {
	t.Helper()
	dsn := dbtest.MySQLDSN(t)
	cfg, err := mysql.ParseDSN(dsn)
	if err != nil {
		t.Fatal(err)
	}
	root, err := sql.Open("mysql", dsn)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = root.Close() })
	return &accounts{t, root, cfg}
}

func (a *accounts) exec(statement string) {
	a.t.Helper()
	if _, err := a.root.ExecContext(a.t.Context(), statement); err != nil {
		a.t.Fatalf("%v; CONTRIBUTING.md says what the tests' account must be allowed", err)
	}
}

// client gives the command line of a client with the tests' account.
func (a *accounts) client() string {
	a.t.Helper()
	host, port, err := net.SplitHostPort(a.cfg.Addr)
	if err != nil {
		a.t.Fatal(err)
	}
	file := filepath.Join(a.t.TempDir(), "admin.cnf")
	text := fmt.Sprintf("[client]\nprotocol=tcp\nhost=%s\nport=%s\nuser=%s\npassword=%q\n", host, port, a.cfg.User, a.cfg.Passwd)
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		a.t.Fatal(err)
	}
	return "mariadb --defaults-extra-file=" + file
}

// user makes one that may use some schemas, and gives it as user@host.
func (a *accounts) user(name string, schemas ...string) string {
	a.t.Helper()
	name += a.cfg.DBName[len(a.cfg.DBName)-12:]
	a.exec(fmt.Sprintf("CREATE USER '%s'@'%%' IDENTIFIED BY 'hush'", name))
	a.t.Cleanup(func() {
		_, _ = a.root.ExecContext(context.WithoutCancel(a.t.Context()), fmt.Sprintf("DROP USER '%s'@'%%'", name))
	})
	for _, schema := range schemas {
		a.exec(fmt.Sprintf("GRANT ALL ON `%s`.* TO '%s'@'%%'", strings.ReplaceAll(schema, "_", `\_`), name)) // else _ is a pattern
	}
	return name + "@%"
}

// as gives a DSN with another user.
func (a *accounts) as(user, dsn string) string {
	a.t.Helper()
	cfg, err := mysql.ParseDSN(dsn)
	if err != nil {
		a.t.Fatal(err)
	}
	cfg.User, cfg.Passwd = user[:len(user)-len("@%")], "hush"
	return cfg.FormatDSN()
}

// schema gives the name of a context's schema on a base DSN.
func (a *accounts) schema(dsn, name string) string {
	a.t.Helper()
	cfg, err := mysql.ParseDSN(dsn)
	if err != nil {
		a.t.Fatal(err)
	}
	return cfg.DBName + "_" + name
}

// reaches tells whether a user may use a context's schema on a base DSN.
func (a *accounts) reaches(user, dsn, name string) bool {
	a.t.Helper()
	cfg, err := mysql.ParseDSN(a.as(user, dsn))
	if err != nil {
		a.t.Fatal(err)
	}
	cfg.DBName = a.schema(dsn, name)
	db, err := sql.Open("mysql", cfg.FormatDSN())
	if err != nil {
		a.t.Fatal(err)
	}
	defer func() { _ = db.Close() }()
	err = db.PingContext(a.t.Context())
	if refused := (*mysql.MySQLError)(nil); err != nil && !errors.As(err, &refused) {
		a.t.Fatal(err)
	}
	return err == nil
}
