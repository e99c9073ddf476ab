package dbtest

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"time"

	"github.com/go-sql-driver/mysql"
)

// startMariaDB makes a data folder and starts a server on it that loses no commit.
func startMariaDB() (*instance, error) {
	server, err := binary("mariadbd", "mysqld")
	if err != nil {
		return nil, err
	}
	install, err := binary("mariadb-install-db", "mysql_install_db")
	if err != nil {
		return nil, err
	}
	i, err := newInstance("mariadb")
	if err != nil {
		return nil, err
	}
	if err := makeDataFolder(install, i.dir); err != nil {
		i.remove()
		return nil, err
	}
	i.command = func(i *instance) *exec.Cmd {
		return exec.Command(server, mariadbArgs(i)...) //nolint:noctx // lives as long as the process
	}
	i.ready = func(i *instance) error {
		cfg := mysql.NewConfig()
		cfg.User, cfg.Net, cfg.Addr = "root", "tcp", i.addr
		cfg.Timeout, cfg.ReadTimeout = time.Second, time.Minute // a lock may be waited for
		root := cfg.FormatDSN()
		cfg.DBName = "banyan"
		i.dsn = cfg.FormatDSN()
		return execute(context.Background(), root, "CREATE DATABASE IF NOT EXISTS banyan")
	}
	if err := i.launch(); err != nil {
		i.remove()
		return nil, err
	}
	return i, nil
}

func makeDataFolder(install, dir string) error {
	ctx, cancel := context.WithTimeout(context.Background(), readyWithin)
	defer cancel()
	cmd := exec.CommandContext(ctx, install, append([]string{
		"--no-defaults", "--datadir=" + filepath.Join(dir, "data"), ownTemporary(dir), "--auth-root-authentication-method=normal",
		"--skip-test-db", "--skip-name-resolve", "--innodb-log-file-size=64M", "--innodb-flush-log-at-trx-commit=0",
	}, asRoot()...)...)
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("mariadb-install-db: %w\n%s", err, out)
	}
	return nil
}

func mariadbArgs(i *instance) []string {
	return append([]string{
		"--no-defaults",
		"--datadir=" + filepath.Join(i.dir, "data"), ownTemporary(i.dir),
		"--socket=" + filepath.Join(i.dir, "s"),
		"--pid-file=" + filepath.Join(i.dir, "server.pid"),
		"--bind-address=127.0.0.1", "--port=" + strconv.Itoa(i.port),
		"--skip-name-resolve", "--skip-log-bin", "--performance-schema=OFF",
		"--innodb-flush-log-at-trx-commit=1", "--innodb-buffer-pool-size=128M", "--innodb-log-file-size=64M",
		"--max-connections=600", "--character-set-server=utf8mb4",
	}, asRoot()...)
}

// ownTemporary keeps a server's temporary tables out of the folder that others use: each
// removes all that it finds there when it starts.
func ownTemporary(dir string) string { return "--tmpdir=" + dir }

// asRoot is what the server wants to hear before it runs as root, as in a container.
func asRoot() []string {
	if os.Geteuid() == 0 {
		return []string{"--user=root"}
	}
	return nil
}
