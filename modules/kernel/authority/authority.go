// Package authority reads the authorities by which certificates are judged.
package authority

import (
	"crypto/x509"
	"fmt"
	"os"
)

// Pool reads a PEM file of certificates; "" is the system's authorities, a nil pool. The
// error names the file.
func Pool(file string) (*x509.CertPool, error) {
	if file == "" {
		return nil, nil //nolint:nilnil // as crypto/tls has it
	}
	text, err := os.ReadFile(file) //nolint:gosec // a setting names it
	if err != nil {
		return nil, err
	}
	pool := x509.NewCertPool()
	if !pool.AppendCertsFromPEM(text) {
		return nil, fmt.Errorf("%s has no certificate: it should have -----BEGIN CERTIFICATE----- in it", file)
	}
	return pool, nil
}
