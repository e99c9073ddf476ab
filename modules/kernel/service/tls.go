package service

import (
	"crypto/tls"
	"strings"

	"github.com/spf13/pflag"

	"banyan/modules/kernel/config"
)

// TLS are the settings by which one listener speaks TLS, or clear text without them.
type TLS struct {
	prefix      string // of the flags' names
	cert, key   *string
	certificate *certificate // once checked
}

// AddTLSFlags defines --<prefix>tls-cert and --<prefix>tls-key, for what is named.
func AddTLSFlags(fs *pflag.FlagSet, prefix, what string) *TLS {
	return &TLS{
		prefix: prefix,
		cert: fs.String(prefix+"tls-cert", "", "PEM file of the certificate, and of those between it and its root, with which "+what+
			" speaks TLS; read again when it changes"),
		key: fs.String(prefix+"tls-key", "", "PEM file of the certificate's key"),
	}
}

// Check judges the settings and reads the files.
func (t *TLS) Check(p *config.Problems) {
	if *t.cert == "" && *t.key == "" {
		return
	}
	if *t.cert == "" || *t.key == "" {
		p.Add("--%[1]stls-cert and --%[1]stls-key belong together: set both, or none", t.prefix)
		return
	}
	var err error
	if t.certificate, err = loadCertificate(*t.cert, *t.key); err != nil {
		p.Add("--%[1]stls-cert and --%[1]stls-key: %[2]v", t.prefix, err)
	}
}

// Scheme is that of the listener's address.
func (t *TLS) Scheme() string {
	if *t.cert != "" {
		return "https"
	}
	return "http"
}

// Config is the listener's, of settings that have been checked; nil: clear text.
func (t *TLS) Config() *tls.Config {
	if t.certificate == nil {
		return nil
	}
	return &tls.Config{MinVersion: tls.VersionTLS12, GetCertificate: t.certificate.get}
}

// CertFile is the file of the certificate, "" for none. A client that trusts what is in it
// trusts the listener.
func (t *TLS) CertFile() string { return *t.cert }

// Name is one that the certificate is for, "" without one. The settings have been checked.
func (t *TLS) Name() string {
	if t.certificate == nil {
		return ""
	}
	pair, _ := t.certificate.get(nil) // always gives the last good one
	if names := pair.Leaf.DNSNames; len(names) > 0 {
		return strings.Replace(names[0], "*", "banyan", 1) // any name in its place
	}
	if addresses := pair.Leaf.IPAddresses; len(addresses) > 0 {
		return addresses[0].String()
	}
	return ""
}
