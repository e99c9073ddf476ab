package redisdb

import (
	"crypto/tls"
	"fmt"

	"banyan/modules/kernel/authority"
)

// TLSFiles are PEM files, each "" for none.
type TLSFiles struct {
	CA        string // authorities that the server's certificate is judged by; "": the system's
	Cert, Key string // what is shown to a server that asks for a certificate
}

// Config reads the files. Errors name the file that is wrong.
func (f TLSFiles) Config() (*tls.Config, error) {
	authorities, err := authority.Pool(f.CA)
	if err != nil {
		return nil, err
	}
	c := &tls.Config{MinVersion: tls.VersionTLS12, RootCAs: authorities}
	if f.Cert != "" || f.Key != "" {
		pair, err := tls.LoadX509KeyPair(f.Cert, f.Key)
		if err != nil {
			return nil, fmt.Errorf("%s and %s are no certificate and its key: %w", f.Cert, f.Key, err)
		}
		c.Certificates = []tls.Certificate{pair}
	}
	return c, nil
}
