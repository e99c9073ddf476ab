package redisdb

import (
	"crypto/tls"

	"github.com/spf13/pflag"

	"banyan/modules/kernel/config"
)

// Flags are the settings of a program that say how a Redis is reached.
type Flags struct {
	user, password *string
	secure         *bool
	files          struct{ ca, cert, key *string }
}

// AddFlags defines them.
func AddFlags(fs *pflag.FlagSet) *Flags {
	f := &Flags{
		user:     fs.String("redis-user", "", "user at the Redis"),
		password: config.Secret(fs, "redis-password", "password at the Redis"),
		secure:   fs.Bool("redis-tls", false, "reach the Redis by TLS; its certificate is judged by the system's authorities unless --redis-ca is given"),
	}
	f.files.ca = fs.String("redis-ca", "", "PEM file of the authorities that the Redis's certificate is judged by; with --redis-tls")
	f.files.cert = fs.String("redis-cert", "", "PEM file of the certificate to show to the Redis; with --redis-tls and --redis-key")
	f.files.key = fs.String("redis-key", "", "PEM file of its key")
	return f
}

// Check notes what is wrong with them.
func (f *Flags) Check(p *config.Problems) {
	if !*f.secure && *f.files.ca+*f.files.cert+*f.files.key != "" {
		p.Add("--redis-ca, --redis-cert and --redis-key are of no use without --redis-tls: add that, or remove them")
	}
	if (*f.files.cert == "") != (*f.files.key == "") {
		p.Add("--redis-cert and --redis-key belong together: give both or none")
		return
	}
	if _, err := f.tls(); err != nil {
		p.Add("--redis-tls: %v", err)
	}
}

// Options are for the Redis at addrs.
func (f *Flags) Options(addrs string) (Options, error) {
	secure, err := f.tls()
	return Options{Addrs: addrs, Username: *f.user, Password: *f.password, TLS: secure}, err
}

// tls is nil without TLS.
func (f *Flags) tls() (*tls.Config, error) {
	if !*f.secure {
		return nil, nil //nolint:nilnil // no TLS is no error
	}
	return TLSFiles{CA: *f.files.ca, Cert: *f.files.cert, Key: *f.files.key}.Config()
}
