package main

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os/user"
	"strconv"
	"strings"
	"time"

	"github.com/schollz/progressbar/v3"
	"github.com/spf13/pflag"

	"banyan/modules/kernel/authority"
	"banyan/modules/kernel/config"
	"banyan/modules/kernel/errs"
	"banyan/modules/kernel/rest"
	"banyan/modules/kernel/web"
	"banyan/proxy/admin"
)

// Bounds of a call of the admin API; one that reads all data takes longer than others.
const (
	adminCall = 30 * time.Second
	longCall  = 5 * time.Minute
)

// adminClient calls the admin API of a running banyan.
type adminClient struct {
	caller *rest.Caller
	base   string
	token  string

	ca, serverName string // how its certificate is judged
}

// connector reads the settings of a command that calls the admin API.
type connector func() (*adminClient, error)

// adminFlags defines the flags that such commands share.
func adminFlags(fs *pflag.FlagSet) connector {
	base := fs.String("admin", "http://127.0.0.1:8090", "address of the admin API")
	token := config.Secret(fs, "admin-token", "bearer token of the admin API")
	ca := fs.String("admin-ca", "", "PEM file of the authorities by which an https admin API is judged; without it, by the system's")
	name := fs.String("admin-server-name", "", "name that the certificate of an https admin API must be for, if not the address's")
	return func() (*adminClient, error) {
		u, err := url.Parse(*base)
		if err != nil || (u.Scheme != "http" && u.Scheme != "https") || u.Host == "" || strings.Trim(u.Path, "/") != "" {
			return nil, errs.E(errs.Invalid, "--admin: %q is not an address such as http://127.0.0.1:8090", *base)
		}
		if u.Scheme == "http" && (*ca != "" || *name != "") {
			return nil, errs.E(errs.Invalid, "--admin-ca and --admin-server-name judge a certificate, and %s has none: write https:// or leave them out", *base)
		}
		authorities, err := authority.Pool(*ca)
		if err != nil {
			return nil, errs.E(errs.Invalid, "--admin-ca: %v", err)
		}
		transport := web.NewTransport(web.TransportOptions{HeaderTimeout: longCall})
		transport.TLSClientConfig = &tls.Config{MinVersion: tls.VersionTLS12, RootCAs: authorities, ServerName: *name}
		return &adminClient{caller: rest.NewCaller(*base, transport), base: *base, token: *token, ca: *ca, serverName: *name}, nil
	}
}

func (c *adminClient) do(ctx context.Context, call rest.Call) error {
	return c.within(ctx, adminCall, call)
}

func (c *adminClient) within(ctx context.Context, limit time.Duration, call rest.Call) error {
	ctx, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	if call.Header == nil {
		call.Header = map[string]string{}
	}
	call.Header[admin.ActorHeader] = whoami()
	if c.token != "" {
		call.Header["Authorization"] = "Bearer " + c.token
	}
	header, err := c.caller.Do(ctx, call)
	return c.explained(header, err)
}

// explained says what to do when it was no admin API that answered, or none that is trusted.
func (c *adminClient) explained(header http.Header, err error) error {
	var distrust *tls.CertificateVerificationError
	switch {
	case errors.As(err, &distrust):
		return errs.E(errs.Unavailable, "the admin API at %s shows a certificate that is not trusted here: %v; name its authority with --admin-ca, "+
			"or the name that it is for with --admin-server-name", c.base, distrust.Err).Because(err)
	case header == nil && errs.CodeOf(err) == errs.Unavailable:
		return errs.E(errs.Unavailable, "there is no admin API at %s; start banyan serve, or name another with --admin", c.base).Because(err)
	case err != nil && header != nil && header.Get("Content-Type") == "" && strings.HasPrefix(c.base, "http://"):
		return errs.E(errs.CodeOf(err), "%s does not answer as an admin API does; if it speaks TLS, write --admin https://%s",
			c.base, strings.TrimPrefix(c.base, "http://")).Because(err)
	}
	return err
}

// whoami names the person for the audit log.
func whoami() string {
	name := "unknown"
	if u, err := user.Current(); err == nil {
		name = u.Username
	}
	const most = 64
	return name[:min(len(name), most)]
}

func routePath(id string) (string, error) {
	segment, ok := rest.Segment(id)
	if !ok || strings.Contains(id, ":") {
		return "", errs.E(errs.Invalid, "%q is no route's id; see banyan routes list", id)
	}
	return "/admin/v1/routes/" + segment, nil
}

// pageQuery asks for a page of a list; filters that are "" are left out.
func pageQuery(limit int, filters map[string]string) (url.Values, error) {
	if limit < 1 || limit > 200 {
		return nil, errs.E(errs.Invalid, "--limit: %d is not 1 to 200", limit)
	}
	query := url.Values{"limit": {strconv.Itoa(limit)}}
	for name, value := range filters {
		if value != "" {
			query.Set(name, value)
		}
	}
	return query, nil
}

func (c *adminClient) route(ctx context.Context, id string) (admin.Route, error) {
	var r admin.Route
	path, err := routePath(id)
	if err == nil {
		err = c.do(ctx, rest.Call{Method: http.MethodGet, Path: path, Out: &r})
	}
	return r, err
}

// progress makes a bar of so many steps.
func progress(w io.Writer, what string, steps int) *progressbar.ProgressBar {
	return progressbar.NewOptions(steps,
		progressbar.OptionSetWriter(w), progressbar.OptionSetDescription(what), progressbar.OptionSetWidth(30),
		progressbar.OptionShowCount(), progressbar.OptionThrottle(100*time.Millisecond),
		progressbar.OptionOnCompletion(func() { _, _ = fmt.Fprintln(w) }))
}
