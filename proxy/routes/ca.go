package routes

import (
	"bytes"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"go.yaml.in/yaml/v3"
)

// TLS says how an https backend's certificate is judged: by which authorities, nil for the
// system's, and for which name, "" for the one that is dialled.
func (b *Backend) TLS() *tls.Config {
	c := &tls.Config{ServerName: b.ServerName, MinVersion: tls.VersionTLS12}
	if b.CA != "" {
		c.RootCAs = x509.NewCertPool()
		c.RootCAs.AppendCertsFromPEM([]byte(b.CA))
	}
	return c
}

// secured reads what holds for backends that are reached by TLS.
func (d *reader) secured(m map[string]*yaml.Node, what string, b *Backend) {
	secure := strings.Contains(" "+b.urls, " https://")
	plain := strings.Contains(" "+b.urls, " http://")
	if n := m["protocol"]; n != nil && b.Protocol == H2C && secure {
		d.wrong(n.Line, "%s speaks h2c, which is HTTP/2 without TLS, at an https url: write http:// or remove the protocol", what)
	}
	for _, key := range []string{"ca", "serverName"} {
		n := m[key]
		value, ok := d.text(n, "the "+key+" of "+what)
		switch {
		case !ok || b.Kind != HTTP:
		case plain:
			d.wrong(n.Line, "%s has a %s, but a url with http://: certificates are judged at https urls only; write https:// or remove the %s", what, key, key)
		case key == "ca":
			text, err := d.authorities(n.Line, value, what)
			if err != nil {
				d.wrong(n.Line, "the ca of %s cannot be used: %v", what, err)
			}
			b.CA = text
		case !isHost(value):
			d.wrong(n.Line, "the serverName of %s is %q: write the name that its certificate is for, such as flights.example.org, or an IP address", what, value)
		default:
			b.ServerName = value
		}
	}
}

// isHost tells whether a certificate may be for a name: one of DNS, or an IP address.
func isHost(name string) bool {
	if addr, err := netip.ParseAddr(name); err == nil {
		return addr.Zone() == "" // which is this machine's, and in no certificate
	}
	const longest, longestLabel = 253, 63
	for label := range strings.SplitSeq(strings.ToLower(name), ".") {
		if label == "" || len(label) > longestLabel || strings.Trim(label, "abcdefghijklmnopqrstuvwxyz0123456789-") != "" ||
			label[0] == '-' || label[len(label)-1] == '-' {
			return false
		}
	}
	return len(name) <= longest
}

// authorities reads certificates in PEM form.
func (d *reader) authorities(line int, path, what string) (string, error) {
	path = beside(d.file, path)
	text, err := readCA(path)
	if err != nil {
		return "", err
	}
	valid, found := false, false
	for rest := text; ; {
		var block *pem.Block
		if block, rest = pem.Decode(rest); block == nil {
			break
		}
		if block.Type != "CERTIFICATE" {
			return "", fmt.Errorf("%s has a %s in it: keep nothing but certificates there", path, strings.ToLower(block.Type))
		}
		cert, err := x509.ParseCertificate(block.Bytes)
		if err != nil {
			return "", fmt.Errorf("%s has a certificate that cannot be read (%w): write it anew", path, err)
		}
		found, valid = true, valid || time.Now().Before(cert.NotAfter)
	}
	if !found {
		return "", fmt.Errorf("%s has no certificate: it should have -----BEGIN CERTIFICATE----- in it", path)
	}
	if !valid {
		d.warn(line, "every certificate in the ca of %s, %s, has expired: requests to it fail until it is replaced", what, path)
	}
	return string(text), nil
}

// beside gives a path that a file names; it starts from the file's folder.
func beside(file, path string) string {
	if filepath.IsAbs(path) {
		return path
	}
	return filepath.Join(filepath.Dir(file), path)
}

func readCA(path string) ([]byte, error) {
	if info, err := os.Stat(path); err == nil && !info.Mode().IsRegular() {
		return nil, fmt.Errorf("%s is no regular file", path)
	}
	return Read(path)
}

// Stamp tells versions of the configuration apart, the ca files that it names included.
func (c *Config) Stamp() string {
	named := slices.Clone(c.Backends)
	slices.SortFunc(named, func(a, b Backend) int { return strings.Compare(a.Name, b.Name) })
	stamp := c.Digest
	for _, b := range named {
		if b.CA != "" {
			stamp += Digest([]byte(b.CA))
		}
	}
	return stamp
}

// Watcher reads a file again and again. It is for one goroutine.
type Watcher struct {
	file   string
	digest string   // of the file when named was read out of it
	named  []string // the ca files that it names, by the backends' names
}

// NewWatcher watches a file.
func NewWatcher(file string) *Watcher { return &Watcher{file: file} }

// Read gives the file's bytes, and the Stamp that they have now, good or bad. errs: those
// of Read.
func (w *Watcher) Read() (body []byte, stamp string, err error) {
	if body, err = Read(w.file); err != nil {
		return nil, "unreadable", err
	}
	if digest := Digest(body); digest != w.digest {
		w.digest, w.named = digest, namedBy(w.file, body)
	}
	stamp = w.digest
	for _, path := range w.named {
		text, err := readCA(path)
		if err != nil {
			text = []byte(err.Error())
		}
		stamp += Digest(text)
	}
	return body, stamp, nil
}

// namedBy gives the ca files of a file that need not be valid.
func namedBy(file string, body []byte) []string {
	var c struct {
		Backends map[string]struct {
			CA string `yaml:"ca"`
		} `yaml:"backends"`
	}
	err := yaml.NewDecoder(bytes.NewReader(hideBraces(body))).Decode(&c)
	var partly *yaml.TypeError
	if err != nil && !errors.As(err, &partly) {
		return nil
	}
	var names, paths []string
	for name, b := range c.Backends {
		if b.CA != "" {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	for _, name := range names {
		paths = append(paths, beside(file, showBraces(c.Backends[name].CA)))
	}
	return paths
}
