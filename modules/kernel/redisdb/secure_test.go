package redisdb_test

import (
	"crypto/tls"
	"strings"
	"testing"

	"github.com/redis/go-redis/v9"

	"banyan/modules/kernel/dbtest"
	"banyan/modules/kernel/redisdb"
)

func TestTLS(t *testing.T) {
	addr, cert, key := dbtest.SecureRedis(t)
	for _, c := range []struct {
		name  string
		files redisdb.TLSFiles
		fails string
	}{
		{name: "both sides show who they are", files: redisdb.TLSFiles{CA: cert, Cert: cert, Key: key}},
		{name: "the system's authorities", files: redisdb.TLSFiles{Cert: cert, Key: key}, fails: "unknown authority"},
		{name: "no certificate to show", files: redisdb.TLSFiles{CA: cert}, fails: "certificate required"},
	} {
		t.Run(c.name, func(t *testing.T) {
			config, err := c.files.Config()
			if err != nil {
				t.Fatal(err)
			}
			for range 10 { // the server's alert may be overtaken by the end of the connection
				err = tryToSet(t, addr, config)
				if c.fails == "" && err == nil || c.fails != "" && err != nil && strings.Contains(err.Error(), c.fails) {
					return
				}
			}
			t.Errorf("got %v, want %q", err, c.fails)
		})
	}
	t.Run("plain text", func(t *testing.T) {
		if db, err := redisdb.Open(t.Context(), redisdb.Options{Addrs: addr}); err == nil {
			_ = db.Close()
			t.Error("it was answered")
		}
	})
}

func tryToSet(t *testing.T, addr string, config *tls.Config) error {
	t.Helper()
	db, err := redisdb.Open(t.Context(), redisdb.Options{Addrs: addr, TLS: config})
	if err != nil {
		return err
	}
	defer func() { _ = db.Close() }()
	return db.Once(t.Context(), redis.NewCmd(t.Context(), "set", "a", "b"))
}

func TestTLSFiles(t *testing.T) {
	_, cert, key := dbtest.SecureRedis(t)
	for _, c := range []struct {
		files redisdb.TLSFiles
		names string
	}{
		{redisdb.TLSFiles{CA: "none.pem"}, "none.pem"},
		{redisdb.TLSFiles{CA: key}, key + " has no certificate"},
		{redisdb.TLSFiles{Cert: cert, Key: cert}, "no certificate and its key"},
		{redisdb.TLSFiles{Cert: cert}, "no certificate and its key"},
	} {
		if _, err := c.files.Config(); err == nil || !strings.Contains(err.Error(), c.names) {
			t.Errorf("%+v: %v, want %q", c.files, err, c.names)
		}
	}
}
