package service

import (
	"crypto/tls"
	"fmt"
	"os"
	"sync"
	"time"
)

// certificate is a pair of PEM files that is read again once one of them has changed.
type certificate struct {
	certFile, keyFile string

	mu     sync.Mutex
	pair   *tls.Certificate
	stamps [2]stamp
	looked time.Time
}

// stamp tells versions of a file apart.
type stamp struct {
	changed time.Time
	size    int64
}

// look is how often handshakes look whether the files have changed.
const look = time.Second

// loadCertificate reads a pair. The error says which file is wrong, or that the two do not
// belong together, or that the certificate has expired.
func loadCertificate(certFile, keyFile string) (*certificate, error) {
	c := &certificate{certFile: certFile, keyFile: keyFile, looked: time.Now()}
	stamps, err := c.stampsNow()
	if err != nil {
		return nil, err
	}
	c.stamps = stamps
	if c.pair, err = c.read(); err != nil {
		return nil, err
	}
	return c, nil
}

func (c *certificate) read() (*tls.Certificate, error) {
	pair, err := tls.LoadX509KeyPair(c.certFile, c.keyFile)
	if err != nil {
		return nil, err
	}
	if end := pair.Leaf.NotAfter; time.Now().After(end) {
		return nil, fmt.Errorf("the certificate in %s expired on %s", c.certFile, end.Format(time.DateOnly))
	}
	return &pair, nil
}

func (c *certificate) stampsNow() (stamps [2]stamp, err error) {
	for i, file := range []string{c.certFile, c.keyFile} {
		info, err := os.Stat(file)
		if err != nil {
			return stamps, err
		}
		stamps[i] = stamp{info.ModTime(), info.Size()}
	}
	return stamps, nil
}

// get gives the certificate for a handshake. Files that cannot be taken are tried again a
// second later; until then the pair before them serves on.
func (c *certificate) get(*tls.ClientHelloInfo) (*tls.Certificate, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if now := time.Now(); now.Sub(c.looked) > look {
		c.looked = now
		if stamps, err := c.stampsNow(); err == nil && stamps != c.stamps {
			if pair, err := c.read(); err == nil {
				c.pair, c.stamps = pair, stamps
			}
		}
	}
	return c.pair, nil
}
