package main

import (
	"crypto/tls"

	"github.com/spf13/pflag"

	"banyan/modules/kernel/config"
	"banyan/modules/kernel/redisdb"
)

// redisFiles are for a Redis that is reached by TLS.
type redisFiles struct{ ca, cert, key *string }

func addRedisFiles(fs *pflag.FlagSet) redisFiles {
	return redisFiles{
		ca:   fs.String("redis-ca", "", "PEM file of the authorities that the Redis's certificate is judged by; with --redis-tls"),
		cert: fs.String("redis-cert", "", "PEM file of the certificate to show to the Redis; with --redis-tls and --redis-key"),
		key:  fs.String("redis-key", "", "PEM file of its key"),
	}
}

// config is nil without TLS.
func (f redisFiles) config(secure bool) (*tls.Config, error) {
	if !secure {
		return nil, nil //nolint:nilnil // no TLS is no error
	}
	return redisdb.TLSFiles{CA: *f.ca, Cert: *f.cert, Key: *f.key}.Config()
}

func (f redisFiles) check(p *config.Problems, secure bool) {
	if !secure && *f.ca+*f.cert+*f.key != "" {
		p.Add("--redis-ca, --redis-cert and --redis-key are of no use without --redis-tls: add that, or remove them")
	}
	if (*f.cert == "") != (*f.key == "") {
		p.Add("--redis-cert and --redis-key belong together: give both or none")
		return
	}
	if _, err := f.config(secure); err != nil {
		p.Add("--redis-tls: %v", err)
	}
}
