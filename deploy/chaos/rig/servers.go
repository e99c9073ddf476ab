package rig

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"

	"github.com/go-sql-driver/mysql"
)

const askTimeout = 2 * time.Second

// find looks for a program, also where servers are kept off an ordinary user's path.
func find(names ...string) (string, error) {
	for _, name := range names {
		for _, candidate := range []string{name, "/usr/sbin/" + name, "/usr/local/sbin/" + name} {
			if path, err := exec.LookPath(candidate); err == nil {
				return path, nil
			}
		}
	}
	return "", fmt.Errorf("%s is not installed; deploy/local/install.sh installs it", names[0])
}

// asRoot is what the server wants to hear before it runs as root, as in a container.
func asRoot() []string {
	if os.Geteuid() == 0 {
		return []string{"--user=root"}
	}
	return nil
}

// newMariaDB makes a data folder, and the process of a server on it that loses no commit.
func newMariaDB(ctx context.Context, dir, addr string) (p *Process, dsn string, err error) {
	server, err := find("mariadbd", "mysqld")
	if err != nil {
		return nil, "", err
	}
	install, err := find("mariadb-install-db", "mysql_install_db")
	if err != nil {
		return nil, "", err
	}
	data := filepath.Join(dir, "mariadb")
	made := exec.CommandContext(ctx, install, append([]string{
		"--no-defaults", "--datadir=" + data, "--tmpdir=" + dir, "--auth-root-authentication-method=normal", "--skip-test-db", "--skip-name-resolve",
	}, asRoot()...)...)
	if out, err := made.CombinedOutput(); err != nil {
		return nil, "", fmt.Errorf("mariadb-install-db: %w\n%s", err, out)
	}
	_, port, err := net.SplitHostPort(addr)
	if err != nil {
		return nil, "", err
	}
	cfg := mysql.NewConfig()
	cfg.User, cfg.Net, cfg.Addr, cfg.Timeout, cfg.ReadTimeout = "root", "tcp", addr, askTimeout, askTimeout
	root := cfg.FormatDSN()
	p = newProcess(dir, "mariadb", func(ctx context.Context) error { return makeSchema(ctx, root) }, append([]string{
		server, "--no-defaults", "--datadir=" + data, "--tmpdir=" + dir, "--socket=" + filepath.Join(dir, "s"), "--pid-file=" + filepath.Join(dir, "mariadb.pid"),
		"--bind-address=127.0.0.1", "--port=" + port, "--skip-name-resolve", "--skip-log-bin", "--performance-schema=OFF",
		"--innodb-flush-log-at-trx-commit=1", "--innodb-buffer-pool-size=128M", "--max-connections=600", "--character-set-server=utf8mb4",
	}, asRoot()...)...)
	return p, "root@tcp(" + addr + ")/banyan", nil
}

func makeSchema(ctx context.Context, dsn string) (err error) {
	ctx, cancel := context.WithTimeout(ctx, askTimeout)
	defer cancel()
	db, err := sql.Open("mysql", dsn)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, db.Close()) }()
	_, err = db.ExecContext(ctx, "CREATE DATABASE IF NOT EXISTS banyan")
	return err
}

// newRedis is the process of a Redis that answers a write after it is on the disk.
func newRedis(dir, addr string) (*Process, error) {
	server, err := find("redis-server")
	if err != nil {
		return nil, err
	}
	data := filepath.Join(dir, "redis")
	if err := os.MkdirAll(data, 0o700); err != nil {
		return nil, err
	}
	_, port, err := net.SplitHostPort(addr)
	if err != nil {
		return nil, err
	}
	return newProcess(dir, "redis", func(ctx context.Context) error { return redisAnswers(ctx, addr) },
		server, "--bind", "127.0.0.1", "--port", port, "--dir", data,
		"--appendonly", "yes", "--appendfsync", "always", "--save", "", "--daemonize", "no"), nil
}

// redisAnswers says PING as a person with telnet would.
func redisAnswers(ctx context.Context, addr string) error {
	c, err := (&net.Dialer{Timeout: askTimeout}).DialContext(ctx, "tcp", addr)
	if err != nil {
		return err
	}
	defer func() { _ = c.Close() }()
	_ = c.SetDeadline(time.Now().Add(askTimeout))
	answer := make([]byte, len("+PONG\r\n"))
	if _, err := io.WriteString(c, "PING\r\n"); err != nil {
		return err
	}
	if _, err := io.ReadFull(c, answer); err != nil || !strings.HasPrefix(string(answer), "+PONG") {
		return fmt.Errorf("redis answers %q: %w", answer, errors.Join(err, errNotReady))
	}
	return nil
}

var errNotReady = errors.New("not ready yet")
