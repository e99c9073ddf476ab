package service

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"io/fs"
	"regexp"

	"github.com/go-sql-driver/mysql"

	"banyan/modules/kernel/errs"
	"banyan/modules/kernel/sqldb"
)

// DSNForm is the form that a DSN must have, for people.
const DSNForm = "user:password@tcp(host:port)/schema"

// schemaName is what we put into a statement as an identifier.
var schemaName = regexp.MustCompile(`^[A-Za-z0-9_]{1,50}$`)

// ContextDSN gives the DSN of a context's own schema on the server of a base DSN:
// …/banyan becomes …/banyan_flights. Errors never show the DSN, which holds a password.
func ContextDSN(base, contextName string) (string, error) {
	cfg, err := mysql.ParseDSN(base)
	if err != nil {
		return "", errs.E(errs.Invalid, "the DSN (not shown) is not of the form %s", DSNForm)
	}
	if !schemaName.MatchString(cfg.DBName) {
		return "", errs.E(errs.Invalid, "the DSN must name a base schema of letters, digits and _, such as …/banyan, from which each context's is made (banyan_%s)", contextName)
	}
	cfg.DBName += "_" + contextName
	return cfg.FormatDSN(), nil
}

// CheckBaseDSN tells what is wrong with a DSN from which contexts' are made.
func CheckBaseDSN(base string) error {
	if base == "" {
		return errs.E(errs.Invalid, "it is missing; it is of the form %s", DSNForm)
	}
	_, err := ContextDSN(base, "flights")
	return err
}

// CheckDSN tells what is wrong with the DSN of one schema, without showing it.
func CheckDSN(dsn string) error {
	_, err := parse(dsn)
	return err
}

func parse(dsn string) (*mysql.Config, error) {
	cfg, err := mysql.ParseDSN(dsn)
	if err != nil || !schemaName.MatchString(cfg.DBName) {
		return nil, errs.E(errs.Invalid, "the DSN (not shown) is not of the form %s", DSNForm)
	}
	return cfg, nil
}

const (
	unknownDatabase = 1049
	accessDenied    = 1044
)

// OpenMySQL opens the schema that a DSN names, and creates it if it is missing and the
// account may. errs: Invalid for a malformed DSN, PreconditionFailed when the schema is
// missing and cannot be created, Unavailable when the server does not answer.
func OpenMySQL(ctx context.Context, dsn string) (*sqldb.DB, error) {
	cfg, err := parse(dsn)
	if err != nil {
		return nil, err
	}
	db, err := sqldb.OpenMySQL(ctx, dsn)
	var refused *mysql.MySQLError
	if errors.As(err, &refused) && (refused.Number == unknownDatabase || refused.Number == accessDenied) {
		if err := createSchema(ctx, cfg); err != nil {
			return nil, errs.E(errs.PreconditionFailed,
				"the schema %s on %s is missing or not granted, and this account may not create it; let an administrator create it and grant it to %s",
				cfg.DBName, cfg.Addr, cfg.User).Because(err)
		}
		db, err = sqldb.OpenMySQL(ctx, dsn)
	}
	if err != nil {
		return nil, errs.E(errs.Unavailable, "the MySQL server at %s cannot be used", cfg.Addr).Because(err)
	}
	return db, nil
}

func createSchema(ctx context.Context, cfg *mysql.Config) error {
	root := cfg.Clone()
	root.DBName = ""
	connector, err := mysql.NewConnector(root)
	if err != nil {
		return err
	}
	pool := sql.OpenDB(connector)
	defer func() { _ = pool.Close() }()
	_, err = pool.ExecContext(ctx, fmt.Sprintf("CREATE DATABASE IF NOT EXISTS `%s` CHARACTER SET utf8mb4", cfg.DBName))
	return err
}

// OpenContext opens a context's schema on the server of a base DSN and, if asked,
// brings it up to date.
func OpenContext(ctx context.Context, base, contextName string, files fs.FS, migrate bool) (*sqldb.DB, error) {
	dsn, err := ContextDSN(base, contextName)
	if err != nil {
		return nil, err
	}
	db, err := OpenMySQL(ctx, dsn)
	if err != nil || !migrate {
		return db, err
	}
	if err := Migrate(ctx, db, files); err != nil {
		return nil, errors.Join(errs.E(errs.Unavailable, "the schema of %s could not be brought up to date", contextName).Because(err), db.Close())
	}
	return db, nil
}

// Migrate brings a schema up. Several replicas may do it at once.
func Migrate(ctx context.Context, db *sqldb.DB, files fs.FS) error {
	m, err := sqldb.NewMigrator(db, files)
	if err != nil {
		return err
	}
	_, err = m.Up(ctx)
	return err
}
