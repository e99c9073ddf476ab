package config_test

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/spf13/pflag"

	"banyan/modules/kernel/config"
	"banyan/modules/kernel/errs"
)

type settings struct {
	dir, dsn string
	wait     time.Duration
	count    int
	migrate  bool
	rest     []string
}

// load reads a command line and environment as a program does.
func load(args, environ []string) (settings, error) {
	fs := pflag.NewFlagSet("test", pflag.ContinueOnError)
	dir := fs.String("data-dir", "./data", "")
	dsn := config.Secret(fs, "mysql-dsn", "")
	wait := fs.Duration("wait", time.Second, "")
	count := fs.Int("count", 1, "")
	migrate := fs.Bool("migrate", true, "")
	config.Defer(fs)
	problems := &config.Problems{}
	if err := fs.Parse(args); err != nil {
		return settings{}, err
	}
	config.Load(fs, environ, []string{"redis-addr"}, problems)
	return settings{*dir, *dsn, *wait, *count, *migrate, fs.Args()}, problems.Err()
}

func TestLoad(t *testing.T) {
	for _, c := range []struct {
		name          string
		args, environ []string
		want          settings
	}{
		{"defaults", nil, nil, settings{dir: "./data", wait: time.Second, count: 1, migrate: true}},
		{
			"flags",
			[]string{"--data-dir", "/d", "--wait=2s", "--count=7", "--migrate=false"},
			nil,
			settings{dir: "/d", wait: 2 * time.Second, count: 7},
		},
		{
			"environment", nil,
			[]string{"BANYAN_DATA_DIR=/e", "BANYAN_WAIT=3s", "BANYAN_MIGRATE=false", "BANYAN_MYSQL_DSN=x=y"},
			settings{dir: "/e", dsn: "x=y", wait: 3 * time.Second, count: 1},
		},
		{
			"a flag wins",
			[]string{"--data-dir", "/d"},
			[]string{"BANYAN_DATA_DIR=/e"},
			settings{dir: "/d", wait: time.Second, count: 1, migrate: true},
		},
		{
			"others' settings are no mistake", nil,
			[]string{"BANYAN_REDIS_ADDR=r", "BANYAN_TEST_MYSQL_DSN=t", "PATH=p", "BANYANISH=b"},
			settings{dir: "./data", wait: time.Second, count: 1, migrate: true},
		},
	} {
		t.Run(c.name, func(t *testing.T) {
			got, err := load(c.args, c.environ)
			if err != nil {
				t.Fatal(err)
			}
			if got.rest = nil; fmt.Sprint(got) != fmt.Sprint(c.want) {
				t.Errorf("got %+v, not %+v", got, c.want)
			}
		})
	}
}

func TestSecretsComeFromFiles(t *testing.T) {
	file := filepath.Join(t.TempDir(), "dsn")
	if err := os.WriteFile(file, []byte("from a file\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	for name, in := range map[string][2][]string{
		"by flag":     {{"--mysql-dsn-file", file}, nil},
		"by variable": {nil, {"BANYAN_MYSQL_DSN_FILE=" + file}},
	} {
		if got, err := load(in[0], in[1]); err != nil || got.dsn != "from a file" {
			t.Errorf("%s: %q, %v", name, got.dsn, err)
		}
	}
	for name, environ := range map[string][]string{
		"no such file":       {"BANYAN_MYSQL_DSN_FILE=" + file + "x"},
		"an empty file":      {"BANYAN_MYSQL_DSN_FILE=" + os.DevNull},
		"a file and a value": {"BANYAN_MYSQL_DSN_FILE=" + file, "BANYAN_MYSQL_DSN=topsecret"},
		"a directory":        {"BANYAN_MYSQL_DSN_FILE=" + filepath.Dir(file)},
		"a file without end": {"BANYAN_MYSQL_DSN_FILE=/dev/zero"},
	} {
		_, err := load(nil, environ)
		if errs.CodeOf(err) != errs.Invalid {
			t.Errorf("%s: %v", name, err)
		}
		if err != nil && (strings.Contains(err.Error(), "topsecret") || strings.Contains(err.Error(), "from a file")) {
			t.Errorf("%s: a secret is shown: %v", name, err)
		}
	}
}

func TestAllProblemsAreReportedTogether(t *testing.T) {
	_, err := load([]string{"--wait", "soon", "--count=many"}, []string{
		"BANYAN_MIGRATE=perhaps", "BANYAN_DATADIR=/d", "BANYAN_data_dir=/d", "BANYAN_HELP=1", "BANYAN_COUNT=", "BANYAN_NOTHING_LIKE_IT=1",
	})
	if errs.CodeOf(err) != errs.Invalid {
		t.Fatal(err)
	}
	for _, want := range []string{
		`--wait: "soon" is not a duration`,
		`--count: "many" is not a whole number`,
		`--migrate: "perhaps" is not true or false`,
		"BANYAN_DATADIR: there is no such setting; did you mean BANYAN_DATA_DIR?",
		"BANYAN_data_dir: there is no such setting",
		"BANYAN_HELP: there is no such setting",
		"BANYAN_NOTHING_LIKE_IT: there is no such setting; see --help",
	} {
		if !strings.Contains(err.Error(), want) {
			t.Errorf("the report lacks %q:\n%v", want, err)
		}
	}
}

func TestExitCodes(t *testing.T) {
	problems, unsafe := &config.Problems{}, &config.Problems{}
	problems.Add("a")
	problems.AddUnsafe("b")
	unsafe.AddUnsafe("b")
	unsafe.AddUnsafe("b") // twice the same is one
	for _, c := range []struct {
		err  error
		want int
	}{
		{nil, 0},
		{(&config.Problems{}).Err(), 0},
		{errors.New("plain"), 1},
		{errs.E(errs.Unavailable, "x"), 1},
		{errs.E(errs.Invalid, "x"), 2},
		{problems.Err(), 2},
		{fmt.Errorf("wrapped: %w", errs.E(errs.PreconditionFailed, "x")), 3},
		{errs.E(errs.VerdictFailed, "x"), 4},
		{errs.E(errs.Unsafe, "x"), 5},
		{unsafe.Err(), 5},
	} {
		if got := config.ExitCode(c.err); got != c.want {
			t.Errorf("%v ends with %d, not %d", c.err, got, c.want)
		}
	}
}
